"""The list of members at the end of a zip archive, read strictly and before anything else.

Python's own reader takes archives with bytes in front, members that overlap and sizes that lie, and
raises a dozen kinds of errors. This one knows what `zipfile` and `numpy.savez` write for archives
of less than 4 GiB, and raises `ValueError` alone.

Layout: APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (central) and 4.3.16 (end).
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from edge_runtime.files.reading import read_exactly

LOCAL = struct.Struct("<4s5H3I2H")
CENTRAL = struct.Struct("<4s6H3I5H2I")
END = struct.Struct("<4s4H2IH")
STORED, DEFLATED = 0, 8

# Ours have five members at most, a checkpoint one for each weight of a network.
_MOST_MEMBERS = 10_000
_MOST_DIRECTORY_BYTES = 1024 * 1024
_ENCRYPTED = 1


class Entry(NamedTuple):
    """What the archive says of one member."""

    name: str
    method: int  # `STORED`, `DEFLATED` or another one
    crc: int  # CRC-32 of its content
    packed_bytes: int
    size_bytes: int  # of its content
    offset: int  # where its local header starts


def read_directory(stream: BinaryIO, *, comment_bytes: int = 0) -> tuple[list[Entry], int]:
    """Return the members of an archive in the order of the list, and where that list starts.

    Args:
        stream: the archive, from which only the list is read.
        comment_bytes: how long the archive's comment must be.

    Raises:
        ValueError: it is no such archive.
    """
    size = stream.seek(0, 2)
    tail = END.size + comment_bytes
    if size < tail:
        raise ValueError("it is too short for an archive")
    stream.seek(size - tail)
    end = END.unpack(read_exactly(stream, END.size))
    signature, disk, first_disk, count_here, count, directory_bytes, start, comment = end
    if signature != b"PK\5\6" or comment != comment_bytes:
        raise ValueError("the list of its members is not at its end")
    if disk or first_disk or count_here != count or start + directory_bytes + tail != size:
        raise ValueError("the list of its members lies elsewhere than it says")
    if count > _MOST_MEMBERS or directory_bytes > _MOST_DIRECTORY_BYTES:
        raise ValueError(f"it has {count:,} members")
    stream.seek(start)
    return list(_entries(read_exactly(stream, directory_bytes), count)), start


def _entries(directory: bytes, count: int) -> Iterator[Entry]:
    position = 0
    for _ in range(count):
        fixed = directory[position : position + CENTRAL.size]
        if len(fixed) < CENTRAL.size or not fixed.startswith(b"PK\1\2"):
            raise ValueError("the list of its members is damaged")
        _, _, _, flags, method, _, _, crc, packed, size, *rest = CENTRAL.unpack(fixed)
        name_bytes, extra_bytes, comment_bytes, _, _, _, offset = rest
        position += CENTRAL.size
        name = directory[position : position + name_bytes].decode("utf-8", errors="replace")
        position += name_bytes + extra_bytes + comment_bytes
        if flags & _ENCRYPTED:
            raise ValueError(f"its member {name!r} is encrypted")
        yield Entry(name, method, crc, packed, size, offset)
    if position != len(directory):
        raise ValueError("the list of its members is damaged")
