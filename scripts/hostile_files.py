"""Files that are made to break a reader, for `scripts/fuzz-readers`; all are drawn from a seed.

`CRAFTED` has one of each kind of attack, most of them small files that unpack to much. `damaged`
draws others: real files with bytes, headers and parts changed.
"""

import bz2
import gzip
import io
import json
import lzma
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import damage
import numpy as np
from bundles import edited, rehashed, sealed, tiny_bundle
from hostile_pictures import MEBIBYTE, PICTURES, Sparse, damaged_picture

from edge_runtime.data.datasets import DatasetSpec, load_dataset
from edge_runtime.data.datasets.stored import stored_images
from edge_runtime.data.predictions import SCHEMA_VERSION
from edge_runtime.models.bundle.archive import pack, unpack
from edge_runtime.models.bundle.members import MANIFEST

ROOT = Path(__file__).resolve().parent.parent

SUFFIXES = {
    "picture": ".img",
    "bundle": ".edge.zip",
    "predictions": ".predictions.npz",
    "images": ".images.npz",
    "idx": "",
}


Content = bytes | Callable[[], bytes] | Sparse | dict[str, Any]


def put(path: Path, content: Content) -> None:
    """Write a file, or a folder with a file for each entry."""
    if isinstance(content, dict):
        path.mkdir()
        for name, inner in content.items():
            put(path / name, inner)
    elif isinstance(content, Sparse):
        with path.open("wb") as file:
            file.write(content.start)
            file.truncate(content.size_bytes)
    else:
        path.write_bytes(content if isinstance(content, bytes) else content())


# Bundles.


@cache
def bundle() -> bytes:
    """Return a real bundle."""
    return tiny_bundle((ROOT / "tests" / "fixtures" / "tiny-int8.tflite").read_bytes())


def _manifest(text: bytes) -> bytes:
    return pack({**unpack(bundle()), MANIFEST: text})


def _long_manifest(value: str, count: int) -> bytes:
    text = unpack(bundle())[MANIFEST]
    return _manifest(text[:-2] + b',"x":[' + ",".join([value] * count).encode() + b"]}")


def npz_of(**arrays: Any) -> bytes:
    """Return what `numpy.savez_compressed` writes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _golden_bomb() -> bytes:
    zeros = np.zeros((200, 500, 500, 1), np.uint8)
    return rehashed(bundle(), golden=npz_of(images=zeros, labels=np.zeros(200, np.int64)))


BUNDLES: dict[str, Content] = {
    "700 MB of garbage": Sparse(700_000_000),
    "250 MB of garbage": Sparse(250_000_000),
    "200 MB in front": lambda: sealed(bytes(200_000_000) + bundle()),
    "model padded by 300 MB": lambda: rehashed_unlimited(
        unpack(bundle())["model.tflite"] + bytes(300_000_000)
    ),
    "model padded by 200 MB, wrong hash": lambda: pack(
        {**unpack(bundle()), "model.tflite": bytes(200_000_000)}
    ),
    "golden vectors of 50 MB": _golden_bomb,
    "8 MB of lists": lambda: _long_manifest("[]", 2_500_000),
    "390,000 lists": lambda: _long_manifest("[]", 195_000),
    "8 MB of numbers": lambda: _long_manifest("0", 4_000_000),
    "brackets in brackets": lambda: _manifest(b"[" * 1_000_000),
    "a number of a million digits": lambda: _manifest(b'{"a":' + b"9" * 1_000_000 + b"}"),
    "no metrics": lambda: edited(bundle(), lambda document: document.pop("metrics")),
}


def rehashed_unlimited(model: bytes) -> bytes:
    """Return a bundle with a model over the limit, as another program could write it."""
    from edge_runtime.models.bundle import archive, members

    kept = dict(members.MEMBER_LIMITS)
    archive.MEMBER_LIMITS = {**kept, "model.tflite": 2**31}
    try:
        return rehashed(bundle(), model=model)
    finally:
        archive.MEMBER_LIMITS = kept


# Predictions and stored images.


@cache
def predictions() -> dict[str, Any]:
    """Return the arrays of real predictions."""
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(10), 500).astype(np.float32)
    hashes = np.array([f"{number:064x}".encode() for number in range(500)], "S64")
    header = {"schema_version": SCHEMA_VERSION, "class_names": list("abcdefghij"), "details": {}}
    return {
        "probabilities": probabilities,
        "labels": np.arange(500, dtype=np.int64) % 10,
        "image_sha256": hashes,
        "input_sha256": hashes,
        "header": np.array(json.dumps(header)),
    }


def _predictions(count: int, last: float = 0.1) -> bytes:
    """Return so many equal predictions, of which the last is another."""
    probabilities = np.full((count, 10), 0.1, np.float32)
    probabilities[-1] = last
    hashes = np.random.default_rng(0).integers(97, 123, count * 64).astype(np.uint8).view("S64")
    return npz_of(
        **{
            **predictions(),
            "probabilities": probabilities,
            "labels": np.zeros(count, np.int64),
            "image_sha256": hashes,
            "input_sha256": hashes,
        }
    )


def _header(text: str) -> bytes:
    return npz_of(**{**predictions(), "header": np.array(text)})


def _member(content: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("header.npy", content)
    return buffer.getvalue()


def _npy(header: bytes) -> bytes:
    padded = header.ljust(117) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(padded)) + padded


def _zeros(count: int) -> bytes:
    arrays = predictions() | {
        "probabilities": np.zeros((count, 10), np.float32),
        "labels": np.zeros(count, np.int64),
        "image_sha256": np.zeros(count, "S64"),
        "input_sha256": np.zeros(count, "S64"),
    }
    return npz_of(**arrays)


PREDICTIONS: dict[str, Content] = {
    "a bomb of 264 MB": lambda: _zeros(1_500_000),
    "a bomb of 31 MB": lambda: _zeros(180_000),
    "the last of 200,000 is NaN": lambda: _predictions(200_000, float("nan")),
    "5 GB of nothing": Sparse(5_000_000_000),
    "3 GB of nothing": Sparse(3_000_000_000),
    "lzma": lambda: _member(_npy(b"{}"), zipfile.ZIP_LZMA),
    "bad lzma": lambda: _member(b"x" * 500, zipfile.ZIP_LZMA).replace(b"\x09\x04", b"\xff\xff"),
    "bz2": lambda: _member(_npy(b"{}"), zipfile.ZIP_BZIP2),
    "brackets in a header": lambda: _member(_npy(b"(" * 100)),
    "tokens in a header": lambda: _member(_npy(b"  a\n b\n  '''")),
    "a shape of 10^18": lambda: _member(
        _npy(b"{'descr': '|u1', 'fortran_order': False, 'shape': (" + b"9" * 18 + b",), }")
    ),
    "a text of 400 MB": lambda: _member(
        _npy(b"{'descr': '<U99999999', 'fortran_order': False, 'shape': (), }")
    ),
    "8 MB of lists": lambda: _header('{"a":[' + "[]," * 1_000_000 + "0]}"),
    "deep header": lambda: _header("[" * 1_000_000),
    "a raw lzma file": lambda: lzma.compress(bytes(1000)),
    "a raw bz2 file": lambda: bz2.compress(bytes(1000)),
}


@cache
def images() -> dict[str, Any]:
    """Return the arrays of real stored images."""
    with np.load(io.BytesIO(stored_images(load_dataset(DatasetSpec(test_size=100))))) as arrays:
        return dict(arrays)


IMAGES: dict[str, Content] = {
    "a bomb of 1 GB": lambda: npz_of(
        **images()
        | {
            "images": np.zeros((1_300_000, 28, 28, 1), np.uint8),
            "labels": np.zeros(1_300_000, int),
        }
    ),
    "labels of another length": lambda: npz_of(**images() | {"labels": np.zeros(9, int)}),
    "30 MB, the last label is no class": lambda: npz_of(
        **images()
        | {
            "images": np.zeros((30_000, 28, 28, 1), np.uint8),
            "labels": np.r_[np.zeros(29_999, int), 99],
        }
    ),
}


# IDX.


def idx_header(magic: int, *shape: int) -> bytes:
    """Return what an IDX file starts with."""
    return struct.pack(f">{1 + len(shape)}I", magic, *shape)


def idx_files() -> dict[str, Any]:
    """Return four real files."""
    rng = np.random.default_rng(0)
    files = {}
    for prefix, count in (("train", 60), ("t10k", 20)):
        pixels = rng.integers(0, 256, count * 64).astype(np.uint8).tobytes()
        labels = (np.arange(count) % 3).astype(np.uint8).tobytes()
        files[f"{prefix}-images-idx3-ubyte.gz"] = gzip.compress(
            idx_header(0x803, count, 8, 8) + pixels, mtime=0
        )
        files[f"{prefix}-labels-idx1-ubyte.gz"] = gzip.compress(
            idx_header(0x801, count) + labels, mtime=0
        )
    return files


def _zeros_of(size_bytes: int, header: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = packer.compress(header)
    for _ in range(size_bytes // MEBIBYTE):
        packed += packer.compress(bytes(MEBIBYTE))
    return packed + packer.compress(bytes(size_bytes % MEBIBYTE)) + packer.flush()


_TRAIN, _LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"

_OTHER_IDX: dict[str, dict[str, Content]] = {
    "a bomb of 900 MB": {
        _TRAIN: lambda: _zeros_of(900_000_000, idx_header(0x803, 60, 5000, 3000)),
    },
    "4 GiB announced": {_TRAIN: gzip.compress(idx_header(0x803, 60, 8192, 8192))},
    "60 MB, the last byte missing": {
        _TRAIN: lambda: _zeros_of(59_999_999, idx_header(0x803, 60, 1000, 1000)),
    },
    "60 MB, one byte more": {
        _TRAIN: lambda: _zeros_of(60_000_001, idx_header(0x803, 60, 1000, 1000)),
    },
    "a name of 20 MB": {_TRAIN: lambda: b"\x1f\x8b\x08\x08" + bytes(6) + b"a" * 20_000_000},
    "100,000 empty parts": {_TRAIN: lambda: gzip.compress(b"") * 100_000},
    "more classes than names": {"class_names.txt": b"a\n"},
    "names of 100 MB": {"class_names.txt": Sparse(100_000_000)},
    "1 GB of labels": {_LABELS: lambda: _zeros_of(MEBIBYTE, idx_header(0x801, 1_000_000_000))},
    "empty images": {_TRAIN: gzip.compress(idx_header(0x803, 60, 0, 0))},
}
IDX: dict[str, Content] = {name: idx_files() | files for name, files in _OTHER_IDX.items()}


CRAFTED: dict[str, dict[str, Content]] = {
    "picture": PICTURES,
    "bundle": BUNDLES,
    "predictions": PREDICTIONS,
    "images": IMAGES,
    "idx": IDX,
}


def _damaged_bundle(rng: random.Random) -> Content:
    ways = damage.ANY_BYTES | damage.OF_BUNDLES | damage.OTHER_BUNDLES
    return lambda: rng.choice(tuple(ways.values()))(bundle(), rng)


def _damaged_arrays(arrays: dict[str, Any], rng: random.Random) -> Content:
    """Change the bytes of an .npz, the type or the shape of an array, or its method."""
    changed = dict(arrays)
    name = rng.choice(list(changed))
    array = changed[name]
    ways: tuple[Callable[[], Any], ...] = (
        lambda: array[: rng.randrange(len(array) + 1)] if array.ndim else np.array(7),
        lambda: array.astype(rng.choice(("S70", "U70"))) if array.dtype.kind != "U" else array,
        lambda: array.reshape(-1),
        lambda: array[np.newaxis],
        lambda: np.asfortranarray(np.tile(array, (3, 1))) if array.ndim else array,
        lambda: np.zeros(rng.choice(((0,), (0, 10**6), (3, 0, 2)))),
        lambda: np.array(rng.choice(("{}", "[]", "[" * 5000, '{"schema_version": 2}', "\ud800"))),
        lambda: np.array([1 + 2j]),
        lambda: np.array([({},)], [("a", "O")]) if rng.random() < 0.1 else np.zeros(3, ">f4"),
        lambda: array,
    )
    changed[name] = rng.choice(ways)()
    if rng.random() < 0.1:
        del changed[name]
    buffer = io.BytesIO()
    rng.choice((np.savez, np.savez_compressed))(buffer, **changed)
    data = buffer.getvalue()
    if rng.random() < 0.3:
        method = rng.choice((1, 6, 9, 12, 14, 93, 95, 97, 98, 99))
        data = data.replace(b"\x08\0\0\0\x21\0", struct.pack("<H", method) + b"\0\0\x21\0")
    for _ in range(rng.randrange(3)):
        if len(data) > 600:
            data = rng.choice(tuple(damage.ANY_BYTES.values()))(data, rng)
    return data


def _damaged_idx(rng: random.Random) -> Content:
    files = idx_files()
    name = rng.choice(list(files))
    data = files[name]
    way = rng.choice(tuple(damage.ANY_BYTES.values()))
    if rng.random() < 0.5:
        data = gzip.compress(way(gzip.decompress(data), rng), mtime=0)
    else:
        data = way(data, rng)
    if rng.random() < 0.2:
        data += rng.choice((gzip.compress(b""), data, b"\0" * 99, rng.randbytes(50)))
    return idx_files() | {name: data}


def damaged(kind: str, rng: random.Random) -> Content:
    """Return a damaged file of a kind."""
    if kind == "picture":
        return damaged_picture(rng)
    if kind == "bundle":
        return _damaged_bundle(rng)
    if kind == "idx":
        return _damaged_idx(rng)
    return _damaged_arrays(predictions() if kind == "predictions" else images(), rng)
