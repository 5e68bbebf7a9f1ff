"""Arrays from an .npz that anybody may have made or damaged.

NumPy's own reader can raise what `ast`, `tokenize`, `zipfile`, `zlib`, `bz2`, `lzma` and `pickle`
raise, and unpacks before it looks. This one knows the one form that `numpy.savez` and
`numpy.savez_compressed` write, and raises `ArraysError` for all else. Whatever an archive announces
is checked before anything is unpacked, and `ArrayFile.verify` goes through the content in pieces,
so that what is refused in the end took a few MiB.
"""

import io
import math
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.npz_headers import in_order, parsed_header, refuse_bomb
from edge_runtime.errors import ArraysError
from edge_runtime.files.documents import DOCUMENT_LIMIT_BYTES, parse_object
from edge_runtime.files.reading import MEBIBYTE, read_exactly
from edge_runtime.files.zip_directory import DEFLATED, LOCAL, Entry, read_directory

Check = Callable[[NDArray[Any]], None]

_PIECE_BYTES = MEBIBYTE
_INPUT_BYTES = 64 * 1024
_LOCAL_EXTRA_BYTES = 20  # the sizes in 64 bits, which savez always writes
_MOST_HEADER_BYTES = 1024
_NAME = re.compile(r"\w{1,64}\.npy", re.ASCII)


@dataclass(frozen=True)
class _Member:
    """An array in the archive, nothing of which is unpacked yet."""

    entry: Entry
    content: int  # where its packed bytes start
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    header_bytes: int  # what comes before the elements


class ArrayFile:
    """The arrays in an .npz; what it announces has been checked, and nothing is unpacked.

    Args:
        source: the archive, which must stay open, or its bytes.
        limit_bytes: how many bytes all arrays together may take.

    Raises:
        ArraysError: it is no .npz as NumPy writes it, or unpacks to more than the limit. Methods
            that take a name raise it where there is no array of that name.
        OSError: the archive cannot be read.
    """

    def __init__(self, source: BinaryIO | bytes, *, limit_bytes: int) -> None:
        self._stream = io.BytesIO(source) if isinstance(source, bytes) else source
        try:
            entries, start = read_directory(self._stream)
        except ValueError as error:
            raise ArraysError(str(error)) from error
        refuse_bomb(entries, limit_bytes)
        self._members = {
            entry.name.removesuffix(".npy"): self._member(entry, end)
            for entry, end in in_order(entries, start)
        }

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape that an array has."""
        return self._named(name).shape

    def dtype(self, name: str) -> np.dtype[Any]:
        """Return the type of an array's elements."""
        return self._named(name).dtype

    def verify(self, checks: Mapping[str, Check] | None = None) -> None:
        """Unpack everything once in pieces, hold it against its checksums, and keep nothing.

        Args:
            checks: by the name of an array what is called with some of its rows, (n, ...), and
                raises what is wrong with them.

        Raises:
            ArraysError: the content is damaged.
        """
        for name, member in self._members.items():
            check = (checks or {}).get(name)
            if check is None:
                for _ in self._pieces(member):
                    pass
            else:
                for rows in self._rows(member):
                    check(rows)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Unpack an array.

        Raises:
            ArraysError: it is damaged, or memory does not suffice.
        """
        member = self._named(name)
        try:
            return filled(self._pieces(member), member.dtype, member.shape)
        except ArraysError:
            raise
        except (ValueError, MemoryError) as error:  # ValueError: 32 bits cannot address it
            raise ArraysError("memory does not suffice for its arrays") from error

    def header(self) -> dict[str, Any]:
        """Return the JSON object that was stored as a text named "header".

        Raises:
            ValueError: there is none, it is something else, or is too long.
        """
        return parse_object(self.text("header", limit_bytes=DOCUMENT_LIMIT_BYTES // 4))

    def text(self, name: str, *, limit_bytes: int) -> str:
        """Return a text that was stored as an array without dimensions.

        Raises:
            ArraysError: it is something else, or is too long.
        """
        member = self._named(name)
        if member.shape != () or member.dtype.kind != "U":
            raise ArraysError(f"its '{name}' is no text")
        if member.dtype.itemsize > 4 * limit_bytes:
            raise ArraysError(f"its '{name}' is longer than {limit_bytes:,} characters")
        try:
            return str(self[name])
        except (ValueError, SystemError) as error:  # a number that is no character
            raise ArraysError(f"its '{name}' is no text") from error

    def _named(self, name: str) -> _Member:
        if name not in self._members:
            raise ArraysError(f"it has no array '{name}'")
        return self._members[name]

    def _member(self, entry: Entry, end: int) -> _Member:
        """Read a member's headers; its packed bytes must reach exactly to ``end``."""
        if not _NAME.fullmatch(entry.name):
            raise ArraysError(f"it has a member {entry.name!r}")
        self._stream.seek(entry.offset)
        local = read_exactly(self._stream, LOCAL.size + len(entry.name) + _LOCAL_EXTRA_BYTES)
        if len(local) < LOCAL.size or not local.startswith(b"PK\3\4"):
            raise ArraysError(f"its member '{entry.name}' is not where it should be")
        _, _, flags, method, *_, name_bytes, extra_bytes = LOCAL.unpack_from(local)
        name = local[LOCAL.size : LOCAL.size + name_bytes]
        content = entry.offset + LOCAL.size + name_bytes + extra_bytes
        fits = extra_bytes <= _LOCAL_EXTRA_BYTES and content + entry.packed_bytes == end
        if flags or method != entry.method or name != entry.name.encode("ascii") or not fits:
            raise ArraysError(f"its member '{entry.name}' is stored in another way than NumPy does")
        pieces = self._unpacked(entry, content, most_bytes=_MOST_HEADER_BYTES)
        start = beginning(pieces, _MOST_HEADER_BYTES)
        dtype, shape, header_bytes = parsed_header(start, entry.name)
        announced = header_bytes + dtype.itemsize * math.prod(shape)
        if announced != entry.size_bytes:
            raise ArraysError(
                f"its array '{entry.name}' announces {announced:,} bytes and has "
                f"{entry.size_bytes:,}"
            )
        return _Member(entry, content, dtype, shape, header_bytes)

    def _rows(self, member: _Member) -> Iterator[NDArray[Any]]:
        """Yield some rows after the other, as many as are whole in a piece."""
        row_shape = member.shape[1:]
        row_bytes = max(1, member.dtype.itemsize * math.prod(row_shape))
        waiting = bytearray()
        for piece in self._pieces(member):
            waiting += piece
            count = len(waiting) // row_bytes
            whole = bytes(waiting[: count * row_bytes])
            del waiting[: count * row_bytes]
            yield np.frombuffer(whole, member.dtype).reshape(count, *row_shape)

    def _pieces(self, member: _Member) -> Iterator[bytes]:
        """Yield the bytes of the elements."""
        return behind(self._unpacked(member.entry, member.content), member.header_bytes)

    def _unpacked(
        self, entry: Entry, content: int, *, most_bytes: int = _PIECE_BYTES
    ) -> Iterator[bytes]:
        """Yield the content of a member, which is as long as announced and has its checksum."""
        unpack = zlib.decompressobj(-15) if entry.method == DEFLATED else None
        crc, size, left, waiting = 0, 0, entry.packed_bytes, b""
        while True:
            if left and not waiting:
                self._stream.seek(content + entry.packed_bytes - left)
                waiting = read_exactly(self._stream, min(left, _INPUT_BYTES))
                left -= len(waiting)
            try:
                # What is unpacked already may still be waiting in there when all input is.
                piece = unpack.decompress(waiting, most_bytes) if unpack else waiting
            except zlib.error as error:
                raise ArraysError(f"its member '{entry.name}' is damaged") from error
            waiting = unpack.unconsumed_tail if unpack else b""
            if not piece and not waiting:
                break
            crc, size = zlib.crc32(piece, crc), size + len(piece)
            if size > entry.size_bytes:
                break
            yield piece
        is_whole = unpack is None or (unpack.eof and not unpack.unused_data)
        if size != entry.size_bytes or crc != entry.crc or left or not is_whole:
            raise ArraysError(f"its member '{entry.name}' is damaged")


def npz_bytes(arrays: Mapping[str, Any], *, compressed: bool = True) -> bytes:
    """Return an .npz of arrays; the same arrays, the same bytes."""
    buffer = io.BytesIO()
    ordered: dict[str, Any] = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    (np.savez_compressed if compressed else np.savez)(buffer, **ordered)
    return buffer.getvalue()


def beginning(pieces: Iterable[bytes], size_bytes: int) -> bytes:
    """Return the first bytes of what comes in pieces, and take no more of those than needed."""
    start = b""
    for piece in pieces:
        start += piece
        if len(start) >= size_bytes:
            break
    return start[:size_bytes]


def behind(pieces: Iterable[bytes], header_bytes: int) -> Iterator[bytes]:
    """Yield what comes in pieces without the header that it starts with."""
    for piece in pieces:
        yield piece[header_bytes:]
        header_bytes = max(0, header_bytes - len(piece))


def filled(pieces: Iterable[bytes], dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return an array whose bytes come in pieces, as many as it has."""
    array = np.empty(math.prod(shape), dtype)
    place, start = array.view(np.uint8), 0
    for piece in pieces:
        place[start : start + len(piece)] = np.frombuffer(piece, np.uint8)
        start += len(piece)
    return array.reshape(shape)
