"""What a dataset is, and how it is asked for."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.images import Preprocessing, common_background
from edge_runtime.errors import DatasetError
from edge_runtime.files.reading import resolved
from edge_runtime.wording import Described


@dataclass(frozen=True)
class DatasetSpec:
    """What to load; recorded with each run, so that later commands load the same images.

    Attributes:
        source: `sample`, `fashion_mnist`, `tfds:NAME`, `idx:DIR`, `folder:DIR` or `images:FILE`.
        train_size: use only the first so many training images.
        test_size: use only the first so many test images.
        seed: of the split and the order, where the source has none of its own.
        image_size: (height, width) that pictures of other sizes are fitted to.
        channels: 1 or 3, where pictures of both kinds occur.
        data_dir: where TFDS keeps its datasets.

    Examples:
        >>> len(load_dataset(DatasetSpec("sample", train_size=500)).train)
        500
    """

    source: str = "sample"
    train_size: int | None = None
    test_size: int | None = None
    seed: int = 0
    image_size: tuple[int, int] | None = None
    channels: int | None = None
    data_dir: str | None = None

    def absolute(self) -> "DatasetSpec":
        """Return it with absolute paths, since later commands may run in another folder."""
        prefix, colon, argument = self.source.partition(":")
        source, data_dir = self.source, self.data_dir
        if prefix in ("idx", "folder", "images") and argument:
            source = f"{prefix}{colon}{_absolute(argument)}"
        return replace(self, source=source, data_dir=data_dir and _absolute(data_dir))

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` reads."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "DatasetSpec":
        """Read what `to_dict` wrote.

        Raises:
            DatasetError: a key is unknown.
        """
        try:
            spec = dict(document)
            size = spec.get("image_size")
            return cls(**{**spec, "image_size": None if size is None else (size[0], size[1])})
        except (TypeError, ValueError, LookupError) as error:
            raise DatasetError(f"The recorded dataset cannot be read: {error}.") from error


def _absolute(folder: str) -> str:
    return folder if "://" in folder else str(resolved(folder))  # TFDS reads buckets too


@dataclass(frozen=True, eq=False, repr=False)
class Split(Described):
    """Images with their labels.

    Attributes:
        images: (N, H, W, C) uint8.
        labels: (N,) int64, index into the class names.
        source_sha256: (N,) S64, hashes of the picture files, or of the pixels before they were
            resized; None where ``images`` are the pixels as they are stored.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    source_sha256: NDArray[np.bytes_] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def facts(self) -> dict[str, object]:
        """Return what there is to say of them in a notebook."""
        return {"images": f"{len(self):,}", "each": " × ".join(map(str, self.images.shape[1:]))}

    def take(self, rows: slice | NDArray[np.intp]) -> "Split":
        """Return some of the images, in the order of ``rows``."""
        source = None if self.source_sha256 is None else self.source_sha256[rows]
        return Split(self.images[rows], self.labels[rows], source)

    def image_sha256(self) -> NDArray[np.bytes_]:
        """Return what names each image on every machine, (N,) S64.

        The hash of the picture's file where there is one: two machines may decode or resize it to
        different pixels. Else that of the pixels.
        """
        return image_hashes(self.images) if self.source_sha256 is None else self.source_sha256


@dataclass(frozen=True, eq=False, repr=False)
class Dataset(Described):
    """Images to learn from and images to test on.

    Attributes:
        name: the source that it was asked for by.
        class_names: in the order of the labels.
        train: what training and every choice may use.
        test: read once, for the report.
        recorded_fingerprint: of the whole dataset, where only its test images are here.

    Examples:
        >>> dataset = load_dataset("sample")
        >>> dataset.test.images.shape, dataset.test.images.dtype, dataset.class_names[9]
        ((1000, 28, 28, 1), dtype('uint8'), 'Ankle boot')
        >>> dataset
        <Dataset name: sample, images: 1,000 for training, 1,000 for testing, 28 × 28 × 1, ...>
    """

    name: str
    class_names: tuple[str, ...]
    train: Split
    test: Split
    recorded_fingerprint: str | None = None

    def __post_init__(self) -> None:
        for split in (self.train, self.test):
            if split.images.ndim != 4 or split.images.dtype != np.uint8:
                raise DatasetError(
                    f"Images must be (N, H, W, C) uint8, got {split.images.shape} "
                    f"{split.images.dtype}."
                )
            if split.labels.shape != (len(split.images),):
                raise DatasetError(
                    f"There are {len(split.images)} images and {split.labels.shape} labels."
                )
            source = split.source_sha256
            if source is not None and source.shape != split.labels.shape:
                raise DatasetError(
                    f"There are {len(split.images)} images and {source.shape} hashes of files."
                )
            check_labels(split.labels, self.class_count)
        refuse_other_size(self.train.images.shape[1:], self.test.images.shape[1:])

    @property
    def class_count(self) -> int:
        """How many classes there are."""
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        height, width, channels = self.train.images.shape[1:]
        return height, width, channels

    def facts(self) -> dict[str, object]:
        """Return what there is to say of it in a notebook."""
        shape = " × ".join(map(str, self.image_shape))
        images = f"{len(self.train):,} for training, {len(self.test):,} for testing, {shape}"
        return {"name": self.name, "images": images, "classes": self.class_count}

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """How to make a picture look like the training images."""
        return Preprocessing(*self.image_shape, common_background(self.train.images))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over class names, pixels and labels of both splits."""
        if self.recorded_fingerprint is not None:
            return self.recorded_fingerprint
        digest = hashlib.sha256(json.dumps(self.class_names).encode())
        for split in (self.train, self.test):
            digest.update(json.dumps(split.images.shape).encode())
            digest.update(np.ascontiguousarray(split.images).data)
            digest.update(np.ascontiguousarray(split.labels, np.int64).data)
        return digest.hexdigest()


def check_labels(labels: NDArray[np.integer[Any]], classes: int) -> None:
    """Raise a `DatasetError` where one of some labels, (n,), is not that of a class."""
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise DatasetError(
            f"Labels must be 0 to {classes - 1}, one for each class name; got {labels.min()} to "
            f"{labels.max()}."
        )


def refuse_other_size(train: tuple[int, ...], test: tuple[int, ...]) -> None:
    """Raise a `DatasetError` unless the images of both splits are of one shape."""
    if train != test:
        raise DatasetError(
            f"Training images are {train}, test images {test}; they must have the same size."
        )


def image_hashes(images: NDArray[np.uint8]) -> NDArray[np.bytes_]:
    """Return the SHA-256 of each image's pixels as (N,) byte strings of 64 hexadecimal digits."""
    contents = (np.ascontiguousarray(image).data for image in images)
    return np.array([hashlib.sha256(content).hexdigest() for content in contents], "S64")
