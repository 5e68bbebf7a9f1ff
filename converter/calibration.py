"""The representative dataset: which images show the converter the range of each tensor."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.datasets import Dataset, DatasetSpec, image_hashes, load_dataset
from edge_runtime.errors import ConversionError, DatasetError
from edge_runtime.files.reading import sha256
from edge_runtime.models.runs import Run

Representative = NDArray[np.uint8] | Dataset | DatasetSpec | str

# Chosen by measurement on training images; see docs/explanation/choices.md.
DEFAULT_SIZE = 100


@dataclass(frozen=True, eq=False)
class RepresentativeDataset:
    """Images for calibration: of a dataset the training images, balanced over the classes.

    Attributes:
        images: (N, H, W, C) uint8.
        labels: (N,) int64; None where only the images are known.
        class_names: of the dataset that they come from.
        source: its name; None where only the images are known.
        seed: that they were drawn with.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] = ()
    source: str | None = None
    seed: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what the manifest says of it."""
        per_class = None
        if self.labels is not None:
            counts = np.bincount(self.labels, minlength=len(self.class_names))
            per_class = dict(zip(self.class_names, counts.tolist(), strict=True))
        return {
            "source": self.source,
            "split": None if self.source is None else "train",
            "size": len(self.images),
            "seed": self.seed,
            "images_per_class": per_class,
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
    in_test = np.isin(image_hashes(dataset.train.images), image_hashes(dataset.test.images))
    usable = np.flatnonzero(~in_test)
    if size is None:
        size = min(len(usable), max(DEFAULT_SIZE, dataset.class_count))
    if size > len(usable):
        raise DatasetError(
            f"{size} images for calibration were asked for; the training split has {len(usable)} "
            "that are not also test images. Choose a smaller representative size."
        )
    labels = dataset.train.labels
    order = np.random.default_rng(seed).permutation(usable)
    chosen = order[np.argsort(_turns(labels[order]), kind="stable")][:size]
    missing = np.setdiff1d(labels[usable], labels[chosen])
    if len(missing):
        raise DatasetError(
            f"{size} images for calibration leave out the class "
            f"'{dataset.class_names[missing[0]]}'; choose a representative size of "
            f"{len(np.unique(labels[usable]))} or more."
        )
    images = dataset.train.images[chosen]
    check_pixels(images)
    return RepresentativeDataset(images, labels[chosen], dataset.class_names, dataset.name, seed)


def _turns(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each label how many equal ones stand before it, (N,)."""
    turns = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        turns[members] = np.arange(len(members))
    return turns


def check_pixels(images: Any) -> None:
    """Raise unless images can calibrate a model that takes raw pixels.

    Args:
        images: should be (N, H, W, C) uint8, with pixels from 0 to 255.

    Raises:
        DatasetError: they have another type, dtype, shape or range.
    """
    if not isinstance(images, np.ndarray):
        raise DatasetError(
            "Calibration needs a NumPy array of (N, H, W, C) uint8 images, or a dataset; got "
            f"{type(images).__name__}."
        )
    if images.dtype != np.uint8 or images.ndim != 4 or not len(images):
        advice = ""
        if images.dtype.kind == "f" and images.size and images.max() <= 1:
            advice = ' They seem to be scaled to 0..1: (255 * images).round().astype("uint8").'
        elif images.dtype == np.uint8 and images.ndim == 3:
            advice = " Add the axis of channels: images[..., np.newaxis]."
        raise DatasetError(
            "Calibration needs (N, H, W, C) uint8 images with raw pixels 0 to 255, got "
            f"{images.shape} {images.dtype}.{advice}"
        )
    if images.max() <= 1:
        raise DatasetError(
            f"The images for calibration have pixels {images.min()} to {images.max()}; expected "
            "raw pixels 0 to 255. They seem to have been divided by 255."
        )


def open_representative(
    representative: Representative | None, run: Run | None, seed: int
) -> Dataset | RepresentativeDataset | None:
    """Return the dataset to calibrate on, or the images that were given, or None for neither.

    None takes the run's dataset; ``seed`` splits a source that has no split of its own.

    Raises:
        DatasetError: the images are unfit, or the dataset cannot be loaded.
    """
    if representative is None:
        return run.load_dataset() if run else None
    if isinstance(representative, str):
        representative = DatasetSpec(representative, seed=seed)
    if isinstance(representative, DatasetSpec):
        return load_dataset(representative)
    if isinstance(representative, Dataset):
        return representative
    check_pixels(representative)
    return RepresentativeDataset(representative)


def drawn(
    given: Dataset | RepresentativeDataset | None, size: int | None, seed: int
) -> RepresentativeDataset:
    """Return what to calibrate on: drawn from a dataset, or the images that were given.

    Raises:
        ConversionError: there is neither.
        DatasetError: too few images can be drawn, or they fail a check.
    """
    if given is None:
        raise ConversionError(
            "int8 and int16x8 need images to calibrate on; give training images of the model: "
            "representative=images, or on the command line --dataset, as in --dataset idx:DIR."
        )
    if isinstance(given, Dataset):
        return choose_representative(given, size=size, seed=seed)
    return given
