"""Test images in one file, for a device that has neither their source nor TensorFlow.

Whatever the images came from (TFDS, a folder, IDX files), the file holds what `predict` needs of
them: pixels, labels, class names, the dataset's name and fingerprint, and what names each image.
"""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.arrays import DAMAGE, open_arrays
from edge_runtime.datasets.dataset import Dataset, DatasetSpec, Split
from edge_runtime.errors import DatasetError
from edge_runtime.files import MEBIBYTE, read_capped

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
    arrays: dict[str, Any] = {
        "header": np.array(json.dumps(header)),
        "images": test.images,
        "labels": test.labels,
    }
    if test.source_sha256 is not None:
        arrays["source_sha256"] = test.source_sha256
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def load_stored(spec: DatasetSpec) -> Dataset:
    """Load `images:FILE`, which `stored_images` made: test images alone, no training images.

    The dataset keeps the name and the fingerprint of the one that the images were taken from.

    Raises:
        DatasetError: the file is missing, too large, damaged, or not of this kind.
    """
    path = Path(spec.source.partition(":")[2]).expanduser()
    try:
        data = read_capped(path, limit_bytes=LIMIT_BYTES)
        with open_arrays(data, limit_bytes=LIMIT_BYTES) as arrays:
            return _dataset(dict(arrays))
    except FileNotFoundError as error:
        raise DatasetError(f"There is no file {path}.") from error
    except DAMAGE as error:
        raise DatasetError(
            f"{path}: expected test images that this toolkit stored ({_reason(error)}); copy the "
            "file again, or make it again."
        ) from error


def _dataset(arrays: dict[str, NDArray[Any]]) -> Dataset:
    header = json.loads(str(arrays["header"]))
    if header["schema_version"] != SCHEMA_VERSION:
        raise ValueError(f"its schema version is {header['schema_version']}")
    images, labels = arrays["images"], arrays["labels"]
    if images.ndim != 4 or images.dtype != np.uint8 or labels.dtype.kind not in "iu":
        raise ValueError(f"its images are {images.shape} {images.dtype}, its labels {labels.dtype}")
    source = arrays.get("source_sha256")
    test = Split(
        images,
        labels.astype(np.int64),
        None if source is None else source.astype("S64"),
    )
    nothing = Split(images[:0], test.labels[:0])
    return Dataset(
        str(header["name"]),
        tuple(str(name) for name in header["class_names"]),
        train=nothing,
        test=test,
        recorded_fingerprint=str(header["fingerprint"]),
    )


def _reason(error: Exception) -> str:
    """Return the reason as the end of a sentence; zipfile's and NumPy's have line breaks."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
