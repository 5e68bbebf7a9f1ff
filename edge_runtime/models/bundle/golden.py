"""Golden vectors: a few images with the numbers that the model must answer to them.

A hash proves that a file is the same; only numbers prove that the runtime, the kernels and the
processor of a device make the same of it. `docs/explanation/bundle.md` tells of the two runs that
they are held against.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.arrays import ArrayFile, npz_bytes
from edge_runtime.errors import ArraysError, BundleError
from edge_runtime.files.reading import MEBIBYTE

COUNT = 32
MOST = 256

_ARRAYS = ("images", "labels", "scores", "outputs")
MOST_IMAGE_BYTES = 48 * MEBIBYTE  # 256 images of 256 × 256 in colour
_MOST_UNPACKED = MOST_IMAGE_BYTES + MEBIBYTE


@dataclass(frozen=True, eq=False)
class Golden:
    """Images and what the model answered to them, with the reference kernels.

    Attributes:
        images: (N, H, W, C) uint8 raw pixels.
        labels: (N,) int64 true classes.
        scores: (N, K) numbers of the tensor that goes into the last softmax, in its dtype and not
            dequantized; those of the output tensor where an integer model ends otherwise, and in
            models that answer in floats.
        outputs: (N, K) numbers of the output tensor, likewise.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    scores: NDArray[Any]
    outputs: NDArray[Any]

    def __post_init__(self) -> None:
        _check_layout(*(getattr(self, name).shape for name in _ARRAYS))
        if self.images.dtype != np.uint8:
            raise BundleError("its golden images are not (N, H, W, C) uint8")
        if self.labels.dtype != np.int64:
            raise BundleError("its golden images have no label each")
        if self.scores.dtype.kind not in "iuf" or self.outputs.dtype.kind not in "iuf":
            raise BundleError("its golden numbers are no numbers")

    def __len__(self) -> int:
        return len(self.labels)

    def to_npz(self) -> bytes:
        """Return a .npz archive, uncompressed; the same vectors, the same bytes."""
        return npz_bytes({name: getattr(self, name) for name in _ARRAYS}, compressed=False)

    @classmethod
    def from_npz(cls, data: bytes) -> "Golden":
        """Read what `to_npz` wrote.

        Raises:
            BundleError: the bytes are damaged, or hold something else.
        """
        try:
            arrays = ArrayFile(data, limit_bytes=_MOST_UNPACKED)
            _check_layout(*(arrays.shape(name) for name in _ARRAYS))
            arrays.verify()
            return cls(*(arrays[name] for name in _ARRAYS))
        except ArraysError as error:
            raise BundleError(f"its golden vectors cannot be read ({error})") from error


def _check_layout(
    images: tuple[int, ...],
    labels: tuple[int, ...],
    scores: tuple[int, ...],
    outputs: tuple[int, ...],
) -> None:
    """Raise unless the arrays fit together: (N, H, W, C), (N,), (N, K) and (N, K)."""
    if len(images) != 4 or 0 in images:
        raise BundleError("its golden images are not (N, H, W, C) uint8")
    if labels != images[:1]:
        raise BundleError("its golden images have no label each")
    if len(outputs) != 2 or outputs[:1] != images[:1]:
        raise BundleError("its golden images have no numbers each")
    if scores != outputs:
        raise BundleError("its golden scores do not fit its golden outputs")
    if images[0] > MOST:
        raise BundleError(f"it has {images[0]:,} golden images; {MOST} is the limit")


def choose_golden_rows(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64], *, most: int = MOST
) -> NDArray[np.intp]:
    """Return which images to keep: every class, and the answers that are nearest to another.

    For each class the image of the smallest margin between the two largest probabilities is taken,
    then the smallest margins of all. There a small change in a weight or in rounding shows first,
    while an answer at 100 % hides it.

    Args:
        probabilities: (N, K) what the model says about the candidates.
        labels: (N,) their true classes.
        most: how many may be chosen.

    Returns:
        (M,) row numbers in ascending order; M is `COUNT`, or one for each class where there are
        more classes, at most ``most``, or all where there are fewer.
    """
    two_largest = np.partition(probabilities.astype(np.float64), -2, axis=1)[:, -2:]
    by_margin = np.argsort(two_largest[:, 1] - two_largest[:, 0], kind="stable")
    _, first = np.unique(labels[by_margin], return_index=True)
    size = min(max(COUNT, len(first)), most, len(labels))
    cover = by_margin[np.sort(first)][:size]
    others = by_margin[~np.isin(by_margin, cover)]
    return np.sort(np.concatenate([cover, others[: size - len(cover)]]))
