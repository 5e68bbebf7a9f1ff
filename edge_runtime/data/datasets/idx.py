"""The four IDX files of MNIST and its successors, gzipped or not.

Format: http://yann.lecun.com/exdb/mnist/ (big-endian magic 0x00000803 for images, 0x00000801 for
labels, then the sizes, then the bytes).
"""

import contextlib
import math
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.arrays import beginning, behind, filled
from edge_runtime.data.datasets.dataset import Dataset, DatasetSpec, Split, refuse_other_size
from edge_runtime.errors import DatasetError
from edge_runtime.files.reading import (
    MEBIBYTE,
    expanded,
    open_regular,
    read_exactly,
    read_text,
    sha256,
)

# By what a file holds: the magic number, of which the last byte counts the dimensions.
_MAGIC = {"images": 0x00000803, "labels": 0x00000801}
_LIMIT_BYTES = 1024 * MEBIBYTE  # the largest of the family, EMNIST by class, has 522 MiB
# Deflate packs zeros 1030:1, photographs of digits and clothes 2:1 to 6:1.
_MOST_RATIO = 100
_FREE_BYTES = 64 * MEBIBYTE
_MOST_PARTS = 10_000
_PIECE_BYTES = MEBIBYTE
_NAMES_LIMIT_BYTES = MEBIBYTE

# Label files carry no names. These are the label bytes of Fashion-MNIST's training split.
_FASHION_MNIST_TRAIN_COUNT = 60_000
_FASHION_MNIST_TRAIN_LABELS = "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7"
_FASHION_MNIST_NAMES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)


@dataclass(frozen=True)
class _File:
    """An IDX file of which the header has been read."""

    path: Path
    shape: tuple[int, ...]  # (N, H, W) or (N,), all uint8
    header_bytes: int


def load_idx(spec: DatasetSpec) -> Dataset:
    """Load `idx:DIR`: train-images, train-labels, t10k-images and t10k-labels.

    Class names come from `DIR/class_names.txt` (one a line) if there is one; Fashion-MNIST is
    recognised by its labels; else the classes are numbered. Nothing is kept in memory before the
    headers of all four files fit together and all of them were unpacked once.

    Raises:
        DatasetError: a file is missing, or its magic number or length is wrong.
    """
    folder = expanded(spec.source.partition(":")[2])
    pairs = [_announced(folder, prefix) for prefix in ("train", "t10k")]
    refuse_other_size(*(images.shape[1:] for images, _ in pairs))
    pieces = (piece for _, labels in pairs for piece in _values(labels))
    highest = max(int(np.frombuffer(piece, np.uint8).max(initial=0)) for piece in pieces)
    names = _class_names(folder, pairs[0][1], highest)
    if highest >= len(names):
        raise DatasetError(
            f"Labels must be 0 to {len(names) - 1}, one for each class name; got {highest}."
        )
    for file, _ in pairs:
        for _ in _values(file):
            pass
    splits = [
        Split(_read(images)[..., np.newaxis], _read(labels).astype(np.int64))
        for images, labels in pairs
    ]
    return Dataset(spec.source, names, train=splits[0], test=splits[1])


def _announced(folder: Path, prefix: str) -> tuple[_File, _File]:
    """Return the files of images and labels of a split, whose headers fit together."""
    images = _read_header(_find(folder, prefix, "images-idx3-ubyte"), "images")
    labels = _read_header(_find(folder, prefix, "labels-idx1-ubyte"), "labels")
    if images.shape[0] != labels.shape[0]:
        raise DatasetError(
            f"{images.path} has {images.shape[0]} images, {labels.path} has {labels.shape[0]} "
            "labels; they must be of the same split."
        )
    return images, labels


def _find(folder: Path, prefix: str, kind: str) -> Path:
    names = [f"{prefix}-{name}" for name in (kind, kind.replace("-idx", ".idx"))]
    for name in [*names, *(f"{name}.gz" for name in names)]:
        if (folder / name).is_file():
            return folder / name
    raise DatasetError(
        f"There is no {names[0]} or {names[0]}.gz in {folder}; idx:DIR expects the four files of "
        "MNIST there (Debian's package dataset-fashion-mnist has them)."
    )


def _read_header(path: Path, kind: str) -> _File:
    """Return what a file announces, which must be reasonable for its size."""
    layout = struct.Struct(f">{1 + _MAGIC[kind] % 256}I")
    with _opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        header = beginning(_unpacked(path, file), layout.size)
    if len(header) != layout.size:
        raise DatasetError(f"{path} ends within its header; the file is damaged, copy it again.")
    magic, *shape = layout.unpack(header)
    if magic != _MAGIC[kind]:
        raise DatasetError(
            f"{path} is no IDX file of {kind}: expected the magic number {_MAGIC[kind]:#010x}, got "
            f"{magic:#010x}."
        )
    announced = _File(path, tuple(shape), layout.size)
    _refuse_unreasonable(announced, size)
    return announced


def _refuse_unreasonable(file: _File, size: int) -> None:
    count = math.prod(file.shape)
    if count > _LIMIT_BYTES:
        raise DatasetError(f"{file.path} announces {count:,} bytes; 1 GiB is the limit.")
    if 0 in file.shape[1:]:
        raise DatasetError(
            f"{file.path} announces images of {file.shape[1]} × {file.shape[2]} pixels."
        )
    if file.path.suffix != ".gz" and file.header_bytes + count != size:
        raise _wrong_length(file, size - file.header_bytes)
    if file.path.suffix == ".gz" and count > max(_FREE_BYTES, _MOST_RATIO * size):
        raise DatasetError(
            f"{file.path} announces {count:,} bytes, packed into {size:,}; no images are packed "
            "like that."
        )


def _read(file: _File) -> NDArray[np.uint8]:
    """Return the values of a file in its shape."""
    return filled(_values(file), np.dtype(np.uint8), file.shape)


def _values(file: _File) -> Iterator[bytes]:
    """Yield the bytes behind the header piece by piece, exactly as many as are announced."""
    got, expected = 0, math.prod(file.shape)
    with _opened(file.path) as opened:
        for values in behind(_unpacked(file.path, opened), file.header_bytes):
            got += len(values)
            if got > expected:
                raise _wrong_length(file, got)
            yield values
    if got != expected:
        raise _wrong_length(file, got)


def _wrong_length(file: _File, got: int) -> DatasetError:
    expected = math.prod(file.shape)
    return DatasetError(
        f"{file.path} announces {' × '.join(map(str, file.shape))} = {expected} bytes, got "
        f"{'more' if got > expected else max(0, got)}; the file is damaged, copy it again."
    )


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with open_regular(path, limit_bytes=_LIMIT_BYTES + _PIECE_BYTES) as file:
            yield file
    except DatasetError:
        raise
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read: {error}.") from error


def _unpacked(path: Path, file: BinaryIO) -> Iterator[bytes]:
    """Yield the content of a file, gzipped or not; Python's own reader has no limits."""
    if path.suffix != ".gz":
        while piece := file.read(_PIECE_BYTES):
            yield piece
        return
    parts, unpack, waiting, is_start = 0, zlib.decompressobj(31), b"", True
    while waiting or (waiting := read_exactly(file, _PIECE_BYTES)) or not is_start:
        try:
            piece = unpack.decompress(waiting, _PIECE_BYTES)
        except zlib.error as error:
            raise DatasetError(f"{path} cannot be read: {error}.") from error
        if not waiting and not piece and not unpack.eof:
            raise DatasetError(f"{path} cannot be read: it ends before its end-of-stream marker.")
        waiting, is_start = unpack.unconsumed_tail, False
        if unpack.eof:
            parts, waiting, is_start = parts + 1, unpack.unused_data, True
            if parts > _MOST_PARTS:
                raise DatasetError(f"{path} cannot be read: it has more than {parts:,} parts.")
            unpack = zlib.decompressobj(31)
        yield piece


def _class_names(folder: Path, train: _File, highest: int) -> tuple[str, ...]:
    """Return the names of the classes, of which ``highest`` is the largest label."""
    named = folder / "class_names.txt"
    if named.exists():
        try:
            lines = read_text(named, limit_bytes=_NAMES_LIMIT_BYTES).splitlines()
        except (OSError, ValueError) as error:
            raise DatasetError(f"{named}: the class names cannot be read ({error}).") from error
        return tuple(line.strip() for line in lines if line.strip())
    is_of_its_size = train.shape == (_FASHION_MNIST_TRAIN_COUNT,)
    if is_of_its_size and sha256(_read(train).data) == _FASHION_MNIST_TRAIN_LABELS:
        return _FASHION_MNIST_NAMES
    return tuple(str(index) for index in range(1 + highest))
