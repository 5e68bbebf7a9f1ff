"""What an .npz announces before it is unpacked, held against the one form that NumPy writes."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from edge_runtime.errors import ArraysError
from edge_runtime.files.reading import MEBIBYTE
from edge_runtime.files.zip_directory import DEFLATED, STORED, Entry

# Deflate cannot do better than 1032:1 (zlib's technical notes). Of what is stored here the 64
# hexadecimal digits of each image's hash pack 2:1 at best, while the answers to it, K floats of
# which most are 0, may go 1032:1: with the 1,000 classes of ImageNet 60:1 for the whole file.
_MOST_RATIO = 100
_FREE_BYTES = 32 * MEBIBYTE

# numpy.lib.format, version 1.0: what it writes for an array of numbers or text in C order.
_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = re.compile(
    rb"\{'descr': '([<|](?:b1|[iu][1248]|f[248]|[SU][1-9]\d{0,7}))', "
    rb"'fortran_order': False, 'shape': \(((?:\d{1,12}, )*(?:\d{1,12},?)?)\), \} *\n"
)
_MOST_DIMENSIONS = 32  # NumPy 1's own limit


def refuse_bomb(entries: list[Entry], limit_bytes: int) -> None:
    """Raise where the content has more bytes than allowed, or than honest arrays can pack to."""
    unpacked = sum(entry.size_bytes for entry in entries)
    packed = sum(entry.packed_bytes for entry in entries)
    if unpacked > limit_bytes:
        raise ArraysError(f"unpacked it is larger than {limit_bytes // MEBIBYTE} MiB")
    if unpacked > max(_FREE_BYTES, _MOST_RATIO * packed):
        raise ArraysError(f"its {packed:,} bytes would unpack to {unpacked:,}")
    for entry in entries:
        if entry.method not in (STORED, DEFLATED):
            raise ArraysError(f"its member {entry.name!r} is packed in another way than NumPy does")
        if entry.method == STORED and entry.packed_bytes != entry.size_bytes:
            raise ArraysError(f"its member {entry.name!r} has two sizes")


def in_order(entries: list[Entry], directory: int) -> Iterator[tuple[Entry, int]]:
    """Yield each member and where it must end: they follow one another without gap or overlap."""
    if not entries:
        raise ArraysError("it has no members")
    if len({entry.name for entry in entries}) < len(entries):
        raise ArraysError("it has two members of one name")
    ordered = sorted(entries, key=lambda entry: entry.offset)
    starts = [entry.offset for entry in ordered]
    if starts[0] != 0:
        raise ArraysError("it has something before its first member")
    yield from zip(ordered, [*starts[1:], directory], strict=True)


def parsed_header(start: bytes, name: str) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """Return dtype, shape and length of the header that an array's bytes start with."""
    length = int.from_bytes(start[8:10], "little")
    found = _HEADER.fullmatch(start[10 : 10 + length])
    if not start.startswith(_MAGIC) or found is None:
        raise ArraysError(f"its array '{name}' is not one of plain numbers or text")
    descr, sides = found[1].decode("ascii"), found[2].decode("ascii")
    shape = tuple(int(side) for side in sides.split(",") if side.strip())
    # A shape like (0, 10**12) is empty and must not pass for a product that fits.
    if len(shape) > _MOST_DIMENSIONS or max(shape, default=0) > 2**31 - 1:
        raise ArraysError(f"its array '{name}' has the shape ({sides})")
    return np.dtype(descr), shape, 10 + length
