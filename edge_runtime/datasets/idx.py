"""The four IDX files of MNIST and its successors, gzipped or not.

Format: http://yann.lecun.com/exdb/mnist/ (big-endian magic 0x00000803 for images, 0x00000801 for
labels, then the sizes, then the bytes).
"""

import gzip
import math
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.datasets.dataset import Dataset, DatasetSpec, Split
from edge_runtime.errors import DatasetError
from edge_runtime.files import read_text, sha256

_MAGIC = {"images": 0x00000803, "labels": 0x00000801}
_DIMENSIONS = {"images": 3, "labels": 1}
_LIMIT_BYTES = 4 * 1024**3
_PIECE_BYTES = 1024**2
_PREFIXES = {"train": "train", "test": "t10k"}

# Label files carry no names. These are the label bytes of Fashion-MNIST's training split.
_FASHION_MNIST_TRAIN_LABELS = "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7"
_FASHION_MNIST_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def load_idx(spec: DatasetSpec) -> Dataset:
    """Load `idx:DIR`: train-images, train-labels, t10k-images and t10k-labels.

    Class names come from `DIR/class_names.txt` (one a line) if there is one; Fashion-MNIST is
    recognised by its labels; else the classes are numbered.

    Raises:
        DatasetError: a file is missing, or its magic number or length is wrong.
    """
    folder = Path(spec.source.partition(":")[2]).expanduser()
    train, test = (_read_split(folder, prefix) for prefix in _PREFIXES.values())
    return Dataset(spec.source, _class_names(folder, train, test), train=train, test=test)


def _read_split(folder: Path, prefix: str) -> Split:
    image_file = _find(folder, prefix, "images-idx3-ubyte")
    label_file = _find(folder, prefix, "labels-idx1-ubyte")
    images, labels = _read(image_file, "images"), _read(label_file, "labels")
    if len(images) != len(labels):
        raise DatasetError(
            f"{image_file} has {len(images)} images, {label_file} has {len(labels)} labels; they "
            "must be of the same split."
        )
    return Split(images[..., np.newaxis], labels.astype(np.int64))


def _find(folder: Path, prefix: str, kind: str) -> Path:
    names = [f"{prefix}-{name}" for name in (kind, kind.replace("-idx", ".idx"))]
    for name in [*names, *(f"{name}.gz" for name in names)]:
        if (folder / name).is_file():
            return folder / name
    raise DatasetError(
        f"There is no {names[0]} or {names[0]}.gz in {folder}; idx:DIR expects the four files of "
        "MNIST there (Debian's package dataset-fashion-mnist has them)."
    )


def _read(path: Path, kind: str) -> NDArray[np.uint8]:
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            shape = _shape(path, kind, file.read(4 + 4 * _DIMENSIONS[kind]))
            size = math.prod(shape)
            # One byte more than announced is enough to see that a file is too long.
            body = _read_up_to(file.read, size + 1)
    except (OSError, EOFError, OverflowError, zlib.error) as error:
        raise DatasetError(f"{path} cannot be read: {error}.") from error
    if len(body) != size:
        got = "more" if len(body) > size else f"{len(body)}"
        raise DatasetError(
            f"{path} announces {' × '.join(map(str, shape))} = {size} bytes, got {got}; the file "
            "is damaged, copy it again."
        )
    return np.frombuffer(body, np.uint8).reshape(shape)


def _read_up_to(read: Callable[[int], bytes], limit: int) -> bytearray:
    """Read in pieces, so that a damaged header that announces gigabytes takes no memory."""
    body = bytearray()
    while piece := read(min(_PIECE_BYTES, limit - len(body))):
        body += piece
    return body


def _shape(path: Path, kind: str, header: bytes) -> tuple[int, ...]:
    if len(header) != 4 + 4 * _DIMENSIONS[kind]:
        raise DatasetError(f"{path} ends within its header; the file is damaged, copy it again.")
    magic, *shape = struct.unpack(f">{1 + _DIMENSIONS[kind]}I", header)
    if magic != _MAGIC[kind]:
        raise DatasetError(
            f"{path} is no IDX file of {kind}: expected the magic number {_MAGIC[kind]:#010x}, got "
            f"{magic:#010x}."
        )
    if math.prod(shape) > _LIMIT_BYTES:
        raise DatasetError(f"{path} announces {math.prod(shape):,} bytes; 4 GiB is the limit.")
    return tuple(shape)


def _read_names(path: Path) -> tuple[str, ...]:
    try:
        lines = read_text(path).splitlines()
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: the class names cannot be read ({error}).") from error
    return tuple(line.strip() for line in lines if line.strip())


def _class_names(folder: Path, train: Split, test: Split) -> tuple[str, ...]:
    named = folder / "class_names.txt"
    if named.exists():
        return _read_names(named)
    if sha256(train.labels.astype(np.uint8).tobytes()) == _FASHION_MNIST_TRAIN_LABELS:
        return _FASHION_MNIST_NAMES
    count = 1 + max(int(split.labels.max(initial=0)) for split in (train, test))
    return tuple(str(index) for index in range(count))
