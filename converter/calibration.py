"""The representative dataset: which images show the converter the range of each tensor."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.datasets import Dataset, image_hashes
from edge_runtime.errors import DatasetError
from edge_runtime.files.reading import sha256

# Chosen by measurement on training images; see docs/explanation/choices.md.
DEFAULT_SIZE = 100


@dataclass(frozen=True)
class RepresentativeDataset:
    """Training images for calibration, balanced over the classes.

    Attributes:
        images: (N, H, W, C) uint8.
        labels: (N,) int64.
        class_names: of the dataset that they come from.
        source: its name.
        seed: that they were drawn with.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    source: str
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Return what the manifest says of it."""
        counts = np.bincount(self.labels, minlength=len(self.class_names))
        return {
            "source": self.source,
            "split": "train",
            "size": len(self.images),
            "seed": self.seed,
            "images_per_class": dict(zip(self.class_names, counts.tolist(), strict=True)),
            "images_sha256": sha256(np.ascontiguousarray(self.images).tobytes()),
            "smallest_pixel": int(self.images.min()),
            "largest_pixel": int(self.images.max()),
        }


def choose_representative(
    dataset: Dataset, *, size: int | None, seed: int
) -> RepresentativeDataset:
    """Draw images from the training split, the classes in turn, and check them.

    Training images that also stand in the test split are passed over. A class that runs out of
    images leaves its turns to the others.

    Args:
        dataset: only its training split is used; the test split is read for its hashes.
        size: how many images; at least one for each class that occurs. None takes `DEFAULT_SIZE`,
            more where there are more classes, and all where there are fewer images.
        seed: of the draw.

    Raises:
        DatasetError: there are too few images, or they fail a check.
    """
    test_hashes = image_hashes(dataset.test.images)
    usable = np.flatnonzero(~np.isin(image_hashes(dataset.train.images), test_hashes))
    if size is None:
        size = min(len(usable), max(DEFAULT_SIZE, dataset.class_count))
    if size > len(usable):
        raise DatasetError(
            f"{size} images for calibration were asked for; the training split has {len(usable)} "
            "that are not also test images. Choose a smaller --representative-size."
        )
    order = np.random.default_rng(seed).permutation(usable)
    by_turn = order[np.argsort(_turns(dataset.train.labels[order]), kind="stable")]
    chosen = by_turn[:size]
    representative = RepresentativeDataset(
        dataset.train.images[chosen],
        dataset.train.labels[chosen],
        dataset.class_names,
        dataset.name,
        seed,
    )
    present = np.unique(dataset.train.labels[usable])
    check_representative(representative, dataset.image_shape, present, test_hashes)
    return representative


def _turns(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each label how many equal ones stand before it, (N,)."""
    turns = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        turns[members] = np.arange(len(members))
    return turns


def check_representative(
    representative: RepresentativeDataset,
    image_shape: tuple[int, int, int],
    classes: NDArray[np.int64],
    test_hashes: NDArray[np.bytes_],
) -> None:
    """Raise unless the images can calibrate a model that eats raw pixels.

    Args:
        representative: the images.
        image_shape: (H, W, C) of the model's input.
        classes: the labels that must occur.
        test_hashes: of the test images, none of which may be among them.

    Raises:
        DatasetError: another dtype, shape or range, a missing class, or a test image.
    """
    images = representative.images
    if images.dtype != np.uint8 or images.shape[1:] != image_shape or not len(images):
        raise DatasetError(
            f"Calibration needs (N, {', '.join(map(str, image_shape))}) uint8 images, got "
            f"{images.shape} {images.dtype}."
        )
    if images.max() <= 1:
        raise DatasetError(
            f"The images for calibration have pixels {images.min()} to {images.max()}; expected "
            "raw pixels 0 to 255. They seem to have been divided by 255."
        )
    missing = sorted(set(classes.tolist()) - set(representative.labels.tolist()))
    if missing:
        raise DatasetError(
            f"{len(images)} images for calibration leave out the class "
            f"'{representative.class_names[missing[0]]}'; choose a --representative-size of "
            f"{len(classes)} or more."
        )
    overlap = int(np.isin(image_hashes(images), test_hashes).sum())
    if overlap:
        raise DatasetError(
            f"{overlap} of the images for calibration are test images; calibrate on others, or the "
            "parity report would flatter the model."
        )
