"""Test images in one file, for a device that has neither their source nor TensorFlow.

Whatever the images came from (TFDS, a folder, IDX files), the file holds what `predict` needs of
them: pixels, labels, class names, the dataset's name and fingerprint, and what names each image.
"""

import json

import numpy as np

from edge_runtime.data.arrays import ArrayFile, npz_bytes
from edge_runtime.data.datasets.dataset import Dataset, DatasetSpec, Split, check_labels
from edge_runtime.errors import DatasetError
from edge_runtime.files.reading import MEBIBYTE, expanded, open_regular

IMAGES_SUFFIX = ".images.npz"
SCHEMA_VERSION = 1
LIMIT_BYTES = 4096 * MEBIBYTE


def stored_images(dataset: Dataset) -> bytes:
    """Return a file of the dataset's test images; the same images give the same bytes."""
    test = dataset.test
    header = {
        "schema_version": SCHEMA_VERSION,
        "name": dataset.name,
        "fingerprint": dataset.fingerprint,
        "class_names": list(dataset.class_names),
    }
    arrays = {"header": json.dumps(header), "images": test.images, "labels": test.labels}
    if test.source_sha256 is not None:
        arrays["source_sha256"] = test.source_sha256
    return npz_bytes(arrays)


def load_stored(spec: DatasetSpec) -> Dataset:
    """Load `images:FILE`, which `stored_images` made: test images alone, no training images.

    The dataset keeps the name and the fingerprint of the one that the images were taken from.

    Raises:
        DatasetError: the file is missing, too large, damaged, or not of this kind.
    """
    path = expanded(spec.source.partition(":")[2])
    try:
        with open_regular(path, limit_bytes=LIMIT_BYTES) as file:
            return _dataset(ArrayFile(file, limit_bytes=LIMIT_BYTES))
    except FileNotFoundError as error:
        raise DatasetError(f"There is no file {path}.") from error
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise DatasetError(
            f"{path}: expected test images that this toolkit stored ({reason}); copy the file "
            "again, or make it again."
        ) from error


def _dataset(arrays: ArrayFile) -> Dataset:
    """Return what is in a file; nothing of it is kept before all of it has been checked."""
    header = arrays.header()
    version, names = header.get("schema_version"), header.get("class_names")
    if version != SCHEMA_VERSION:
        raise ValueError(f"its schema version is {version}")
    if not isinstance(names, list) or not {"name", "fingerprint"} <= header.keys():
        raise ValueError("its header names no classes, no dataset or no fingerprint")
    _check_layout(arrays)
    arrays.verify({"labels": lambda labels: check_labels(labels, len(names))})
    files = arrays["source_sha256"].astype("S64") if "source_sha256" in arrays else None
    test = Split(arrays["images"], arrays["labels"].astype(np.int64), files)
    return Dataset(
        str(header["name"]),
        tuple(str(name) for name in names),
        train=Split(test.images[:0], test.labels[:0]),
        test=test,
        recorded_fingerprint=str(header["fingerprint"]),
    )


def _check_layout(arrays: ArrayFile) -> None:
    """Raise unless the arrays are of the right types, and as long as one another."""
    images, labels = arrays.shape("images"), arrays.shape("labels")
    dtypes = arrays.dtype("images"), arrays.dtype("labels")
    if len(images) != 4 or dtypes[0] != np.uint8 or dtypes[1].kind not in "iu":
        raise ValueError(f"its images are {images} {dtypes[0]}, its labels {dtypes[1]}")
    if labels != images[:1]:
        raise ValueError(f"it has {images[0]} images and labels of the shape {labels}")
    if "source_sha256" in arrays:
        hashes, dtype = arrays.shape("source_sha256"), arrays.dtype("source_sha256")
        if hashes != labels or dtype.kind != "S" or dtype.itemsize > 64:
            raise ValueError(f"it has {images[0]} images and {hashes} hashes of files")
