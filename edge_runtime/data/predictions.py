"""What one model said about one dataset, on one machine: the interchange format of the proof.

The full model's are made where TensorFlow is, the device's on the device; comparing them needs
neither.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.arrays import ArrayFile, npz_bytes
from edge_runtime.data.counting import count_numbers
from edge_runtime.errors import PredictionsError
from edge_runtime.files.reading import MEBIBYTE, open_regular
from edge_runtime.files.writing import write_atomically
from edge_runtime.wording import Described, percent

SCHEMA_VERSION = 2
PREDICTIONS_SUFFIX = ".predictions.npz"
LIMIT_BYTES = 4096 * MEBIBYTE

_MOST_ITEM_BYTES = 64  # the digits of a hash
# An int8 softmax answers in steps of 1/256, so K classes may miss a sum of 1 by K half steps.
_INT8_HALF_STEP = 1 / 512


@dataclass(frozen=True, eq=False, repr=False)
class Predictions(Described):
    """The probabilities that one model gave to each image of a split.

    Attributes:
        probabilities: (N, K) float32.
        labels: (N,) int64, the true classes.
        image_sha256: (N,) S64, which images they were, in 64 hexadecimal digits each: the hash of
            the pixels as they are stored, or of the picture's file where there is one.
        class_names: in the order of the columns.
        details: who computed it; `edge_runtime.inference.details` lists the keys.
        input_sha256: (N,) S64, hashes of the pixels that the model was given, after preprocessing;
            None stands for ``image_sha256``. Where they differ between two predictions of the same
            images, the pictures were decoded or resized differently.

    Examples:
        >>> predictions = predict("int8.tflite", "sample")
        >>> predictions.save("int8.predictions.npz")
        >>> len(Predictions.load("int8.predictions.npz"))
        1000
    """

    probabilities: NDArray[np.float32]
    labels: NDArray[np.int64]
    image_sha256: NDArray[np.bytes_]
    class_names: tuple[str, ...]
    details: Mapping[str, Any]
    input_sha256: NDArray[np.bytes_] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        inputs: Any = self.input_sha256
        if inputs is None:
            object.__setattr__(self, "input_sha256", self.image_sha256)
        count, classes = len(self.labels), len(self.class_names)
        if self.labels.shape != (count,):
            raise PredictionsError(f"Expected one label for each image, got {self.labels.shape}.")
        hashes = self.image_sha256.shape, self.input_sha256.shape
        if self.probabilities.shape != (count, classes) or hashes != ((count,), (count,)):
            raise PredictionsError(
                f"Expected probabilities of shape ({count}, {classes}) and {count} image hashes, "
                f"got {self.probabilities.shape} and {hashes[0]}, of the inputs {hashes[1]}."
            )
        if count == 0:
            raise PredictionsError("There are no predictions: the dataset had no images.")
        _check_labels(self.labels, classes)
        _check_probabilities(self.probabilities, self.model)

    def __len__(self) -> int:
        return len(self.labels)

    def facts(self) -> dict[str, object]:
        """Return what there is to say of them in a notebook."""
        right = int((self.answers == self.labels).sum())
        runtime = (self.details.get(key, "") for key in ("backend", "backend_version"))
        return {
            "model": self.model,
            "scheme": self.details.get("scheme", "not recorded"),
            "images": f"{len(self):,}",
            "right": f"{right:,}, {percent(right / len(self))} %",
            "runtime": " ".join(map(str, runtime)).strip() or "not recorded",
        }

    @property
    def answers(self) -> NDArray[np.int64]:
        """(N,) classes with the largest probability; of equal ones the first."""
        answers: NDArray[np.int64] = np.argmax(self.probabilities, axis=1).astype(np.int64)
        return answers

    @property
    def absent_classes(self) -> tuple[str, ...]:
        """The classes that none of the images is of."""
        counts = count_numbers(self.labels, len(self.class_names))
        return tuple(self.class_names[index] for index in np.flatnonzero(counts == 0))

    @property
    def model(self) -> str:
        """What the model is called in reports."""
        return str(self.details.get("model", "model"))

    def with_details(self, **changes: Any) -> "Predictions":
        """Return the same predictions with some details added or changed."""
        return replace(self, details={**self.details, **changes})

    def save(self, path: str | Path) -> None:
        """Write a `.predictions.npz`, whole or not at all; the same predictions, the same bytes."""
        write_atomically(Path(path), self.to_bytes())

    def to_bytes(self) -> bytes:
        """Return the content of a `.predictions.npz`."""
        header = {
            "schema_version": SCHEMA_VERSION,
            "class_names": list(self.class_names),
            "details": dict(self.details),
        }
        arrays = {
            "probabilities": self.probabilities,
            "labels": self.labels,
            "image_sha256": self.image_sha256,
            "input_sha256": self.input_sha256,
            "header": json.dumps(header, allow_nan=False),
        }
        return npz_bytes(arrays)

    @classmethod
    def load(cls, path: str | Path) -> "Predictions":
        """Read what `save` wrote, now or in version 1, which had no hashes of the inputs.

        Raises:
            PredictionsError: the file is missing, damaged, or not of this kind.
        """
        try:
            with open_regular(Path(path), limit_bytes=LIMIT_BYTES) as file:
                return _read(ArrayFile(file, limit_bytes=LIMIT_BYTES))
        except FileNotFoundError as error:
            raise PredictionsError(f"{path}: there are no predictions.") from error
        except PredictionsError as error:
            raise PredictionsError(f"{path}: {error}") from error
        except (OSError, ValueError) as error:
            raise PredictionsError(
                f"{path}: expected a .predictions.npz of this toolkit ({error}); make it again."
            ) from error


def _check_labels(labels: NDArray[Any], classes: int) -> None:
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise PredictionsError(f"Labels must be 0 to {classes - 1}.")


def _check_probabilities(probabilities: NDArray[Any], model: str) -> None:
    """Raise unless each row of (n, K) is finite, not negative, and sums to 1."""
    if probabilities.size == 0:
        return
    if not np.isfinite(probabilities).all():
        raise PredictionsError(
            f"{model} answers with NaN or infinity; the model is broken, make it again."
        )
    lowest = float(probabilities.min())
    worst = float(np.abs(probabilities.sum(axis=1, dtype=np.float64) - 1).max())
    if lowest < 0 or worst > probabilities.shape[1] * _INT8_HALF_STEP + 1e-3:
        raise PredictionsError(
            f"{model}: the probabilities of an image sum to 1 ± {worst:.3f}, the lowest "
            f"is {lowest:.3f}; expected probabilities, not scores or logits."
        )


def _read(arrays: ArrayFile) -> Predictions:
    """Return the predictions in a file; nothing of it is kept before all of it has been checked."""
    header = arrays.header()
    version, names = header.get("schema_version"), header.get("class_names")
    details = header.get("details")
    if version not in (1, SCHEMA_VERSION):
        raise ValueError(f"its schema version is {version!r:.80}")
    if not isinstance(details, dict) or not isinstance(names, list):
        raise ValueError("its header names no classes, or no details")
    inputs = "image_sha256" if version == 1 else "input_sha256"
    _check_layout(arrays, len(names), hashes=("image_sha256", inputs))
    model = str(details.get("model", "model"))
    arrays.verify(
        {
            "labels": lambda rows: _check_labels(rows, len(names)),
            "probabilities": lambda rows: _check_probabilities(_as_float32(rows), model),
        }
    )
    return Predictions(
        probabilities=_as_float32(arrays["probabilities"]),
        labels=arrays["labels"].astype(np.int64),
        image_sha256=arrays["image_sha256"].astype("S64"),
        class_names=tuple(str(name) for name in names),
        details=details,
        input_sha256=arrays[inputs].astype("S64"),
    )


def _as_float32(probabilities: NDArray[Any]) -> NDArray[np.float32]:
    # What is too large for it becomes infinite, and is refused as that.
    with np.errstate(over="ignore"):
        return probabilities.astype(np.float32, copy=False)


def _check_layout(arrays: ArrayFile, classes: int, *, hashes: tuple[str, ...]) -> None:
    """Raise unless the arrays are of the right types, and as long as one another."""
    labels = arrays.shape("labels")
    if len(labels) != 1:
        raise ValueError(f"its labels have the shape {labels}")
    expected = {
        "labels": ("iu", labels),
        "probabilities": ("f", (*labels, classes)),
        **dict.fromkeys(hashes, ("S", labels)),
    }
    for name, (kinds, shape) in expected.items():
        dtype, found = arrays.dtype(name), arrays.shape(name)
        if dtype.kind not in kinds or dtype.itemsize > _MOST_ITEM_BYTES:
            raise ValueError(f"its {name} are {found} {dtype}")
        if found != shape:
            raise ValueError(f"its {name} are of shape {found}, expected {shape}")


def aligned(reference: Predictions, candidate: Predictions) -> Predictions:
    """Return the candidate's predictions in the order of the reference's images.

    An image that occurs several times pairs up in the order of occurrence.

    Raises:
        PredictionsError: the classes, the images or the true labels are not the same ones; the
            message says which differ.
    """
    pair = f"{reference.model} and {candidate.model}"
    _refuse_other_classes(reference, candidate, pair)
    # By image, then by label: one image may occur under two labels, and in another order.
    rows, others = (np.lexsort((each.labels, each.image_sha256)) for each in (reference, candidate))
    if not np.array_equal(reference.image_sha256[rows], candidate.image_sha256[others]):
        raise PredictionsError(_different_images(reference, candidate, pair))
    order = np.empty(len(rows), np.intp)
    order[rows] = others
    different = np.flatnonzero(reference.labels != candidate.labels[order])
    if len(different):
        first = different[0]
        here, there = reference.labels[first], candidate.labels[order[first]]
        raise PredictionsError(
            f"{pair} have different true labels for {len(different)} of {len(reference)} images: "
            f"number {first} is {reference.class_names[here]} in the one and "
            f"{reference.class_names[there]} in the other; use the same dataset for both."
        )
    return replace(
        candidate,
        probabilities=candidate.probabilities[order],
        labels=candidate.labels[order],
        image_sha256=candidate.image_sha256[order],
        input_sha256=candidate.input_sha256[order],
    )


def _refuse_other_classes(reference: Predictions, candidate: Predictions, pair: str) -> None:
    names, others = reference.class_names, candidate.class_names
    if names == others:
        return
    if len(names) != len(others):
        raise PredictionsError(
            f"{pair} have {len(names)} and {len(others)} classes; compare models of the same "
            "classes."
        )
    pairs = enumerate(zip(names, others, strict=True))
    position = next(place for place, (one, other) in pairs if one != other)
    where = f"class {position} is {names[position]} in the one and {others[position]} in the other"
    if sorted(names) == sorted(others):
        raise PredictionsError(
            f"{pair} have the same classes in another order: {where}; make one of them again, "
            "with the classes in the order of the other."
        )
    raise PredictionsError(
        f"{pair} have different class names: {where}; compare models of the same classes."
    )


def _different_images(reference: Predictions, candidate: Predictions, pair: str) -> str:
    parts = [
        f"{len(missing)} of {len(one)} are only in {one.model} (the first is number {missing[0]}, "
        f"{one.image_sha256[missing[0]].decode(errors='replace')[:12]}…)"
        for one, other in ((reference, candidate), (candidate, reference))
        if (missing := _only_in(one, other))
    ]
    advice = "use the same dataset, split and sizes for both"
    if sorted(reference.input_sha256) == sorted(candidate.input_sha256):
        advice = (
            "the pixels are the same, but one was made by a version that did not name picture "
            "files: make it again"
        )
    return f"{pair} are about different images: {', '.join(parts)}; {advice}."


def _only_in(one: Predictions, other: Predictions) -> list[int]:
    """Return the numbers of the images that the other has not, or not so often."""
    left = Counter(other.image_sha256.tolist())
    missing = []
    for number, digest in enumerate(one.image_sha256.tolist()):
        left[digest] -= 1
        if left[digest] < 0:
            missing.append(number)
    return missing
