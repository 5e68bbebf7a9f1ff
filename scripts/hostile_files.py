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
from functools import cache, partial
from pathlib import Path
from typing import Any

import damage
import numpy as np
from bundles import edited, rehashed, sealed, tiny_bundle
from PIL import Image

from edge_runtime.data.datasets import DatasetSpec, load_dataset
from edge_runtime.data.datasets.stored import stored_images
from edge_runtime.data.predictions import SCHEMA_VERSION
from edge_runtime.models.bundle.archive import pack, unpack
from edge_runtime.models.bundle.members import MANIFEST

ROOT = Path(__file__).resolve().parent.parent
Writer = Callable[[Path], None]
MEBIBYTE = 2**20

SUFFIXES = {
    "picture": ".img",
    "bundle": ".edge.zip",
    "predictions": ".predictions.npz",
    "images": ".images.npz",
    "idx": "",
}


def _bytes(make: Callable[[], bytes]) -> Writer:
    return lambda path: path.write_bytes(make()) and None


def _sparse(size_bytes: int, start: bytes = b"") -> Writer:
    def write(path: Path) -> None:
        with path.open("wb") as file:
            file.write(start)
            file.truncate(size_bytes)

    return write


# Pictures.


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG."""
    crc = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)


def png(
    width: int,
    height: int,
    depth: int,
    colour: int,
    *,
    rows: bytes | None = None,
    interlaced: int = 0,
    extra: bytes = b"",
    cut: float = 1.0,
    last: int = 0,
) -> bytes:
    """Return a PNG of zeros; ``cut`` is the share of its rows, ``last`` the filter of the last."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row_bytes = 1 + (width * depth * samples + 7) // 8
    if rows is None:
        packer = zlib.compressobj(1)
        before = row_bytes * max(0, int(height * cut) - 1)
        content = b"".join(
            packer.compress(bytes(min(MEBIBYTE, before - at))) for at in range(0, before, MEBIBYTE)
        )
        content += packer.compress(bytes([last]) + bytes(row_bytes - 1)) + packer.flush()
    else:
        content = zlib.compress(rows)
    palette = chunk(b"PLTE", bytes(768)) if colour == 3 else b""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    body = chunk(b"IDAT", content)
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", header) + palette + extra + body + chunk(b"IEND", b"")


def jpeg(width: int, height: int, mode: str = "RGB", **options: Any) -> bytes:
    """Return a JPEG of a gradient."""
    small = Image.linear_gradient("L").convert(mode)
    buffer = io.BytesIO()
    small.resize((width, height), Image.Resampling.NEAREST).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def many_scans(scans: int, width: int, height: int) -> bytes:
    """Return a progressive JPEG whose last scan is there so many times more."""
    data = jpeg(width, height, progressive=True, quality=95)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * scans + b"\xff\xd9"


def other_frame(data: bytes, width: int, height: int) -> bytes:
    """Return a JPEG that announces another size."""
    place = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    return data[: place + 5] + struct.pack(">HH", height, width) + data[place + 9 :]


def exif(content: bytes) -> bytes:
    """Return an APP1 segment."""
    body = b"Exif\0\0" + content
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


def with_segments(data: bytes, segments: bytes) -> bytes:
    """Return a JPEG with segments behind its start."""
    return data[:2] + segments + data[2:]


ORIENTED = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"


def bmp(width: int, height: int, depth: int, compression: int, body: bytes) -> bytes:
    """Return a BMP."""
    colours = bytes(4 << depth) if depth <= 8 else b""
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, depth, compression, 0, 0, 0, 0, 0)
    start = 14 + len(header) + len(colours)
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + header + colours + body


LARGE = 8160, 6120
_COLOURS = {"1-bit": (1, 0), "grey": (8, 0), "16-bit": (16, 0), "RGB": (8, 2), "RGB16": (16, 2)}
_COLOURS |= {"palette": (8, 3), "LA": (8, 4), "LA16": (16, 4), "RGBA": (8, 6), "RGBA16": (16, 6)}

PICTURES: dict[str, Writer] = {
    "1 × 40,000,000": _bytes(lambda: png(1, 40_000_000, 8, 0, rows=bytes(80_000_000))),
    "40,000,000 × 1": _bytes(lambda: png(40_000_000, 1, 8, 0)),
    "two headers": _bytes(
        lambda: png(
            30, 40, 8, 0, extra=chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 6_100_807, 8, 0, 0, 0, 0))
        )
    ),
    "1 × 65,535": _bytes(lambda: png(1, 65_535, 8, 6)),
    "65,535 × 760": _bytes(lambda: png(65_535, 760, 8, 2)),
    "760 × 65,535": _bytes(lambda: png(760, 65_535, 8, 2)),
    **{f"large {name}": _bytes(partial(png, *LARGE, *kind)) for name, kind in _COLOURS.items()},
    **{
        f"large {name}, last row cut": _bytes(partial(png, *LARGE, *kind, cut=0.99))
        for name, kind in _COLOURS.items()
    },
    "large, last filter": _bytes(partial(png, *LARGE, 8, 2, last=9)),
    "large, transparent colour": _bytes(partial(png, *LARGE, 8, 2, extra=chunk(b"tRNS", bytes(6)))),
    "large, turned": _bytes(partial(png, *LARGE, 8, 2, extra=chunk(b"eXIf", ORIENTED))),
    "large, interlaced": _bytes(partial(png, *LARGE, 8, 2, interlaced=1)),
    "12 megapixels, interlaced": _bytes(partial(png, 4000, 3000, 8, 6, interlaced=1)),
    "100 megapixels": _bytes(partial(png, 10_000, 10_000, 1, 0)),
    "a million texts": _bytes(lambda: png(8, 8, 8, 0, extra=chunk(b"tEXt", b"a\0") * 1_000_000)),
    "a million chunks": _bytes(lambda: png(8, 8, 8, 0, extra=chunk(b"abCd", b"") * 1_000_000)),
    **{
        f"{kind} of 70 MiB": _bytes(
            lambda kind=kind: png(
                8,
                8,
                8,
                0,
                extra=chunk(kind.encode(), b"icc\0\0" + zlib.compress(bytes(70 * MEBIBYTE), 1)),
            )
        )
        for kind in ("zTXt", "iTXt", "iCCP")
    },
    "bad Exif": _bytes(lambda: png(8, 8, 8, 0, extra=chunk(b"eXIf", b"Exif\0\0MM\0*\xff\xff"))),
    "bad animation": _bytes(lambda: png(8, 8, 8, 0, extra=chunk(b"acTL", b"\xff" * 8))),
    "32 MiB behind a PNG": lambda path: _sparse(32 * MEBIBYTE, png(8, 8, 8, 0))(path),
    "33 MiB of nothing": _sparse(33 * MEBIBYTE),
    **{
        f"32 MiB of nothing behind {start!r}": _sparse(32 * MEBIBYTE, start)
        for start in (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\xff\xd8\xff\xda\0\x08", b"BM")
    },
    "1,000 scans": _bytes(lambda: many_scans(1000, 1024, 1024)),
    "90 scans": _bytes(lambda: many_scans(80, 1024, 1024)),
    "90 scans, 10 megapixels": _bytes(lambda: many_scans(80, 3200, 3200)),
    "large JPEG": _bytes(lambda: jpeg(*LARGE)),
    "large JPEG, turned": _bytes(lambda: with_segments(jpeg(*LARGE), exif(ORIENTED))),
    "large JPEG, grey": _bytes(lambda: jpeg(*LARGE, "L")),
    "large JPEG, CMYK": _bytes(lambda: jpeg(*LARGE, "CMYK")),
    "large JPEG, cut": _bytes(lambda: jpeg(*LARGE)[:-20_000]),
    "large JPEG, progressive": _bytes(lambda: jpeg(*LARGE, progressive=True)),
    "16 megapixels, progressive": _bytes(lambda: jpeg(4600, 3500, progressive=True)),
    "16 megapixels, progressive, cut": _bytes(lambda: jpeg(4600, 3500, progressive=True)[:-999]),
    "8 megapixels, 4:4:4, progressive": _bytes(
        lambda: jpeg(3200, 2600, progressive=True, subsampling=0)
    ),
    "6 megapixels, CMYK, progressive": _bytes(
        lambda: jpeg(2800, 2200, "CMYK", progressive=True, subsampling=0)
    ),
    "a JPEG says 65,535 × 65,535": _bytes(lambda: other_frame(jpeg(64, 64), 65_535, 65_535)),
    "a small JPEG says it is large": _bytes(lambda: other_frame(jpeg(64, 64), *LARGE)),
    "a small progressive JPEG says it is large": _bytes(
        lambda: other_frame(jpeg(64, 64, progressive=True), 4600, 3500)
    ),
    "a million comments": _bytes(
        lambda: with_segments(jpeg(64, 64), b"\xff\xfe\0\x02" * 1_000_000)
    ),
    "4 million filling bytes": _bytes(lambda: with_segments(jpeg(64, 64), b"\xff" * 4_000_000)),
    "4 million starts": _bytes(lambda: with_segments(jpeg(64, 64), b"\xff\xd8" * 4_000_000)),
    "4 million restarts": _bytes(lambda: jpeg(64, 64)[:-2] + b"\xff\xd0" * 4_000_000 + b"\xff\xd9"),
    "bad Exif of a JPEG": _bytes(lambda: with_segments(jpeg(64, 64), exif(b"MM\0*\xff\xff\xff"))),
    "bad MPO": _bytes(
        lambda: with_segments(jpeg(64, 64), b"\xff\xe2\0\x10MPF\0II*\0\x08\0\0\0\xff\xff")
    ),
    "large BMP": _bytes(lambda: bmp(8160, 6120, 1, 0, bytes(1020 * 6120))),
    "large BMP of bytes": _bytes(lambda: bmp(5600, 5600, 8, 0, bytes(5600 * 5600))),
    "large BMP of colours": _bytes(lambda: bmp(3200, 3200, 24, 0, bytes(9600 * 3200))),
    "BMP of runs of one": _bytes(lambda: bmp(4000, 1000, 8, 1, b"\x01\x00" * 262_000)),
    "BMP of 4 million runs": _bytes(lambda: bmp(4000, 1000, 8, 1, b"\x01\x00" * 4_000_000)),
    "BMP of jumps": _bytes(lambda: bmp(65_535, 60, 8, 1, b"\0\x02\xff\xff" * 60_000)),
    "BMP of jumps in a large one": _bytes(lambda: bmp(65_535, 760, 8, 1, b"\0\x02\xff\xff" * 99)),
}


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


BUNDLES: dict[str, Writer] = {
    "700 MB of garbage": _sparse(700_000_000),
    "250 MB of garbage": _sparse(250_000_000),
    "200 MB in front": _bytes(lambda: sealed(bytes(200_000_000) + bundle())),
    "model padded by 300 MB": _bytes(
        lambda: rehashed_unlimited(unpack(bundle())["model.tflite"] + bytes(300_000_000))
    ),
    "model padded by 200 MB, wrong hash": _bytes(
        lambda: pack({**unpack(bundle()), "model.tflite": bytes(200_000_000)})
    ),
    "golden vectors of 50 MB": _bytes(_golden_bomb),
    "8 MB of lists": _bytes(lambda: _long_manifest("[]", 2_500_000)),
    "390,000 lists": _bytes(lambda: _long_manifest("[]", 195_000)),
    "8 MB of numbers": _bytes(lambda: _long_manifest("0", 4_000_000)),
    "brackets in brackets": _bytes(lambda: _manifest(b"[" * 1_000_000)),
    "a number of a million digits": _bytes(lambda: _manifest(b'{"a":' + b"9" * 1_000_000 + b"}")),
    "no metrics": _bytes(lambda: edited(bundle(), lambda document: document.pop("metrics"))),
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


PREDICTIONS: dict[str, Writer] = {
    "a bomb of 264 MB": _bytes(lambda: _zeros(1_500_000)),
    "a bomb of 31 MB": _bytes(lambda: _zeros(180_000)),
    "the last of 200,000 is NaN": _bytes(lambda: _predictions(200_000, float("nan"))),
    "5 GB of nothing": _sparse(5_000_000_000),
    "3 GB of nothing": _sparse(3_000_000_000),
    "lzma": _bytes(lambda: _member(_npy(b"{}"), zipfile.ZIP_LZMA)),
    "bad lzma": _bytes(
        lambda: _member(b"x" * 500, zipfile.ZIP_LZMA).replace(b"\x09\x04", b"\xff\xff")
    ),
    "bz2": _bytes(lambda: _member(_npy(b"{}"), zipfile.ZIP_BZIP2)),
    "brackets in a header": _bytes(lambda: _member(_npy(b"(" * 100))),
    "tokens in a header": _bytes(lambda: _member(_npy(b"  a\n b\n  '''"))),
    "a shape of 10^18": _bytes(
        lambda: _member(
            _npy(b"{'descr': '|u1', 'fortran_order': False, 'shape': (" + b"9" * 18 + b",), }")
        )
    ),
    "a text of 400 MB": _bytes(
        lambda: _member(_npy(b"{'descr': '<U99999999', 'fortran_order': False, 'shape': (), }"))
    ),
    "8 MB of lists": _bytes(lambda: _header('{"a":[' + "[]," * 1_000_000 + "0]}")),
    "deep header": _bytes(lambda: _header("[" * 1_000_000)),
    "a raw lzma file": _bytes(lambda: lzma.compress(bytes(1000))),
    "a raw bz2 file": _bytes(lambda: bz2.compress(bytes(1000))),
}


@cache
def images() -> dict[str, Any]:
    """Return the arrays of real stored images."""
    with np.load(io.BytesIO(stored_images(load_dataset(DatasetSpec(test_size=100))))) as arrays:
        return dict(arrays)


IMAGES: dict[str, Writer] = {
    "a bomb of 1 GB": _bytes(
        lambda: npz_of(
            **images()
            | {
                "images": np.zeros((1_300_000, 28, 28, 1), np.uint8),
                "labels": np.zeros(1_300_000, int),
            }
        )
    ),
    "labels of another length": _bytes(lambda: npz_of(**images() | {"labels": np.zeros(9, int)})),
    "30 MB, the last label is no class": _bytes(
        lambda: npz_of(
            **images()
            | {
                "images": np.zeros((30_000, 28, 28, 1), np.uint8),
                "labels": np.r_[np.zeros(29_999, int), 99],
            }
        )
    ),
}


# IDX.


def idx_header(magic: int, *shape: int) -> bytes:
    """Return what an IDX file starts with."""
    return struct.pack(f">{1 + len(shape)}I", magic, *shape)


def idx_files() -> dict[str, bytes]:
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


def idx_folder(files: dict[str, bytes | Writer]) -> Writer:
    """Return what writes real files with some others."""

    def write(path: Path) -> None:
        path.mkdir()
        for name, content in {**idx_files(), **files}.items():
            if callable(content):
                content(path / name)
            else:
                (path / name).write_bytes(content)

    return write


def _zeros_of(size_bytes: int, header: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = packer.compress(header)
    for _ in range(size_bytes // MEBIBYTE):
        packed += packer.compress(bytes(MEBIBYTE))
    return packed + packer.compress(bytes(size_bytes % MEBIBYTE)) + packer.flush()


_TRAIN, _LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"

IDX: dict[str, Writer] = {
    "a bomb of 900 MB": idx_folder(
        {
            _TRAIN: lambda path: (
                path.write_bytes(_zeros_of(900_000_000, idx_header(0x803, 60, 5000, 3000))) and None
            )
        }
    ),
    "4 GiB announced": idx_folder({_TRAIN: gzip.compress(idx_header(0x803, 60, 8192, 8192))}),
    "60 MB, the last byte missing": idx_folder(
        {
            _TRAIN: lambda path: (
                path.write_bytes(_zeros_of(59_999_999, idx_header(0x803, 60, 1000, 1000))) and None
            )
        }
    ),
    "60 MB, one byte more": idx_folder(
        {
            _TRAIN: lambda path: (
                path.write_bytes(_zeros_of(60_000_001, idx_header(0x803, 60, 1000, 1000))) and None
            )
        }
    ),
    "a name of 20 MB": idx_folder({_TRAIN: b"\x1f\x8b\x08\x08" + bytes(6) + b"a" * 20_000_000}),
    "100,000 empty parts": idx_folder({_TRAIN: gzip.compress(b"") * 100_000}),
    "more classes than names": idx_folder({"class_names.txt": b"a\n"}),
    "names of 100 MB": idx_folder({"class_names.txt": _sparse(100_000_000)}),
    "1 GB of labels": idx_folder(
        {
            _LABELS: lambda path: (
                path.write_bytes(_zeros_of(MEBIBYTE, idx_header(0x801, 1_000_000_000))) and None
            )
        }
    ),
    "empty images": idx_folder({_TRAIN: gzip.compress(idx_header(0x803, 60, 0, 0))}),
}


CRAFTED: dict[str, dict[str, Writer]] = {
    "picture": PICTURES,
    "bundle": BUNDLES,
    "predictions": PREDICTIONS,
    "images": IMAGES,
    "idx": IDX,
}


# Real files, damaged.


@cache
def real_pictures() -> list[bytes]:
    """Return small pictures of all kinds."""
    rng = np.random.default_rng(0)
    colours = Image.fromarray(rng.integers(0, 256, (40, 30, 4)).astype(np.uint8))
    found = []
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        image = colours.convert("RGB" if mode in ("P", "I;16") else mode)
        image = image.convert("P") if mode == "P" else image
        if mode == "I;16":
            image = Image.fromarray(rng.integers(0, 65536, (40, 30)).astype(np.uint16))
        for file_format in ("PNG", "BMP"):
            if file_format == "PNG" or mode in ("1", "L", "P", "RGB"):
                buffer = io.BytesIO()
                image.save(buffer, file_format)
                found.append(buffer.getvalue())
    found += [
        jpeg(40, 30, mode, **options)
        for mode in ("L", "RGB", "CMYK")
        for options in ({}, {"progressive": True})
    ]
    found += [
        with_segments(jpeg(40, 30), exif(ORIENTED)),
        png(40, 30, 8, 2, extra=chunk(b"eXIf", ORIENTED)),
    ]
    found.append(bmp(40, 30, 8, 1, b"\x28\x07\0\0" * 30 + b"\0\1"))
    return found


def _other_chunks(data: bytes, rng: random.Random) -> bytes:
    """Change, repeat, drop or exchange the chunks of a PNG, with checksums that fit."""
    chunks, position = [], 8
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        chunks.append((kind, data[position + 8 : position + 8 + length]))
        position += 12 + length
    place = rng.randrange(len(chunks))
    kind, content = chunks[place]
    way = rng.randrange(5)
    if way == 0 and content:
        changed = bytearray(content)
        changed[rng.randrange(len(content))] = rng.choice((0, 1, 2, 3, 4, 16, 127, 128, 255))
        chunks[place] = kind, bytes(changed)
    elif way == 1:
        chunks.insert(rng.randrange(len(chunks) + 1), chunks[place])
    elif way == 2:
        del chunks[place]
    elif way == 3:
        names = (
            b"zTXt",
            b"iTXt",
            b"tEXt",
            b"iCCP",
            b"eXIf",
            b"tRNS",
            b"PLTE",
            b"acTL",
            b"fcTL",
            b"fdAT",
        )
        names += (b"gAMA", b"cHRM", b"pHYs", b"sRGB", b"ABCD", b"IHDR", b"IDAT")
        extra = rng.choice(
            (
                b"",
                rng.randbytes(rng.randrange(300)),
                ORIENTED,
                b"a\0\0" + zlib.compress(bytes(9999)),
            )
        )
        chunks.insert(rng.randrange(1, len(chunks) + 1), (rng.choice(names), extra))
    else:
        rng.shuffle(chunks)
    return data[:8] + b"".join(chunk(*one) for one in chunks)


def _other_segments(data: bytes, rng: random.Random) -> bytes:
    """Insert a segment into a JPEG, or change one byte of its tables, frame or scan header."""
    marks = [
        place for place in range(2, len(data) - 4) if data[place] == 0xFF and data[place + 1] > 0xBF
    ]
    place = rng.choice(marks or [2])
    if rng.random() < 0.5:
        changed = bytearray(data)
        changed[min(place + rng.randrange(20), len(data) - 1)] = rng.choice(
            (0, 1, 2, 4, 8, 17, 63, 127, 255)
        )
        return bytes(changed)
    body = rng.choice(
        (
            b"Exif\0\0" + rng.randbytes(60),
            b"MPF\0" + rng.randbytes(40),
            b"ICC_PROFILE\0\1\1",
            b"JFIF\0",
            b"Adobe",
            rng.randbytes(30),
        )
    )
    marker = rng.choice(
        (0xE0, 0xE1, 0xE2, 0xEE, 0xFE, 0xC0, 0xC2, 0xC4, 0xDA, 0xDB, 0xDD, 0xD8, 0xD9)
    )
    return (
        data[:place]
        + bytes([0xFF, marker])
        + struct.pack(">H", rng.choice((len(body) + 2, 0, 65_535)))
        + body
        + data[place:]
    )


def _damaged_picture(rng: random.Random) -> Writer:
    data = rng.choice(real_pictures())
    structural = {b"\x89": _other_chunks, b"\xff": _other_segments}.get(data[:1])
    for _ in range(rng.choice((1, 1, 2, 4))):
        if structural and rng.random() < 0.6:
            data = structural(data, rng)
        else:
            head = rng.choice((64, len(data)))
            data = rng.choice(tuple(damage.ANY_BYTES.values()))(data[:head], rng) + data[head:]
        if len(data) < 64:
            break
    return _bytes(lambda: data)


def _damaged_bundle(rng: random.Random) -> Writer:
    ways = damage.ANY_BYTES | damage.OF_BUNDLES | damage.OTHER_BUNDLES
    return _bytes(lambda: rng.choice(tuple(ways.values()))(bundle(), rng))


def _damaged_arrays(arrays: dict[str, Any], rng: random.Random) -> Writer:
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
    return _bytes(lambda: data)


def _damaged_idx(rng: random.Random) -> Writer:
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
    return idx_folder({name: data})


def damaged(kind: str, rng: random.Random) -> Writer:
    """Return what writes a damaged file of a kind."""
    if kind == "picture":
        return _damaged_picture(rng)
    if kind == "bundle":
        return _damaged_bundle(rng)
    if kind == "idx":
        return _damaged_idx(rng)
    return _damaged_arrays(predictions() if kind == "predictions" else images(), rng)
