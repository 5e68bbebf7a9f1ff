"""A bounds-checked reader of FlatBuffers, the encoding of .tflite files.

Layout: https://flatbuffers.dev/internals/. Nothing in the bytes is trusted. Every offset is checked
before it is followed and every length before anything is allocated. Alignment is checked too, since
the runtimes read the same fields with plain loads, which fault on some ARM boards.
"""

import struct
from typing import Any, Literal, NamedTuple

from edge_runtime.errors import ModelError

IntegerFormat = Literal["b", "B", "H", "i", "I", "q", "Q"]

_SIZES: dict[str, int] = {"b": 1, "B": 1, "H": 2, "i": 4, "I": 4, "f": 4, "q": 8, "Q": 8}

# The entries of a vector may all point at one table, whose entries may again all point at one: a
# small file can then ask for endless reading. An honest file is read about once, and its smallest
# table takes 8 bytes with the offset that leads to it, so 16 times its size is always enough.
_READ_AGAIN = 16
_COST_OF_TABLE = 128
_COST_OF_VECTOR = 16
_MOST_TO_READ = 64 * 1024 * 1024


def damaged(what: str) -> ModelError:
    """Return the error for a file that breaks the format: ``what`` says where and how."""
    return ModelError(f"the model file is damaged: {what}. Copy it again, or convert it again.")


class Span(NamedTuple):
    """A stretch of bytes that was checked to lie in the file."""

    start: int
    length: int


class FlatBuffer:
    """A whole file that claims to be a FlatBuffer; its bytes are never copied."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._allowance = min(_READ_AGAIN * len(data), _MOST_TO_READ)

    def root(self) -> "Table":
        """Return the table that the file starts with."""
        return Table(self, self.follow(0))

    def spend(self, cost: int) -> None:
        """Count reading against what an honest file of this size can need."""
        self._allowance -= cost
        if self._allowance < 0:
            raise damaged("its parts refer to one another far more often than in a real model")

    def check(self, start: int, length: int) -> None:
        """Refuse a stretch that does not lie in the file."""
        if start < 0 or start + length > len(self.data):
            raise damaged(
                f"it refers to bytes {start} to {start + length}, and has {len(self.data)} bytes"
            )

    def integer(self, position: int, layout: IntegerFormat) -> int:
        """Return the little-endian integer at ``position``."""
        size = _SIZES[layout]
        self.check(position, size)
        if position % size:
            raise damaged(f"the number at byte {position} is not aligned to {size} bytes")
        value: int = struct.unpack_from("<" + layout, self.data, position)[0]
        return value

    def follow(self, position: int) -> int:
        """Return where the offset at ``position`` leads."""
        offset = self.integer(position, "I")
        if offset == 0:
            raise damaged(f"the offset at byte {position} leads nowhere")
        return position + offset

    def vector(self, position: int, item_size: int) -> Span:
        """Return the items of the vector whose length is at ``position``, as bytes."""
        span = Span(position + 4, self.integer(position, "I") * item_size)
        self.check(*span)
        if span.start % item_size and span.length:
            raise damaged(f"the list at byte {position} is not aligned to {item_size} bytes")
        return span


class Table:
    """The table at a position of a FlatBuffer: fields by slot, each of which may be absent."""

    __slots__ = ("_buffer", "_position", "_size", "_vtable", "_vtable_size")

    def __init__(self, buffer: FlatBuffer, position: int) -> None:
        buffer.spend(_COST_OF_TABLE)
        self._buffer = buffer
        self._position = position
        self._vtable = position - buffer.integer(position, "i")
        self._vtable_size = buffer.integer(self._vtable, "H")
        self._size = buffer.integer(self._vtable + 2, "H")
        if self._vtable_size < 4 or self._size < 4:
            raise damaged(f"the table at byte {position} is too short")
        buffer.check(self._vtable, self._vtable_size)
        buffer.check(position, self._size)

    def integer(self, slot: int, layout: IntegerFormat, default: int = 0) -> int:
        """Return an integer field, or ``default`` where it is absent."""
        position = self._find(slot, _SIZES[layout])
        return default if position is None else self._buffer.integer(position, layout)

    def text(self, slot: int) -> str | None:
        """Return a string field. Bytes that are not UTF-8 come out as U+FFFD."""
        buffer, position = self._buffer, self._find(slot, 4)
        if position is None:
            return None
        start, length = buffer.vector(buffer.follow(position), 1)
        buffer.check(start, length + 1)
        if buffer.data[start + length] != 0:
            raise damaged(f"the text at byte {start} has no end")
        buffer.spend(_COST_OF_VECTOR + length)
        return buffer.data[start : start + length].decode("utf-8", errors="replace")

    def check_vectors(self, *slots: int, item_size: int = 4) -> None:
        """Refuse vector fields that do not lie in the file, whatever they hold."""
        for slot in slots:
            self.span(slot, item_size)

    def table(self, slot: int) -> "Table | None":
        """Return a table field."""
        position = self._find(slot, 4)
        return None if position is None else Table(self._buffer, self._buffer.follow(position))

    def tables(self, slot: int) -> tuple["Table", ...]:
        """Return a vector of tables; empty where it is absent."""
        buffer = self._buffer
        start, length = self.span(slot, 4) or Span(0, 0)
        return tuple(
            Table(buffer, buffer.follow(entry)) for entry in range(start, start + length, 4)
        )

    def integers(self, slot: int, layout: IntegerFormat) -> tuple[int, ...]:
        """Return a vector of integers; empty where it is absent."""
        return self._numbers(slot, layout)

    def floats(self, slot: int) -> tuple[float, ...]:
        """Return a vector of float32; empty where it is absent."""
        return self._numbers(slot, "f")

    def span(self, slot: int, item_size: int = 1) -> Span | None:
        """Return where the items of a vector field lie, without reading them."""
        position = self._find(slot, 4)
        if position is None:
            return None
        self._buffer.spend(_COST_OF_VECTOR)
        return self._buffer.vector(self._buffer.follow(position), item_size)

    def _find(self, slot: int, size: int) -> int | None:
        """Return where a field of ``size`` bytes lies, or None where it is absent."""
        entry = 4 + 2 * slot
        if entry + 2 > self._vtable_size:
            return None
        offset = self._buffer.integer(self._vtable + entry, "H")
        if offset == 0:
            return None
        if offset < 4 or offset + size > self._size:
            raise damaged(f"field {slot} of the table at byte {self._position} lies outside it")
        return self._position + offset

    def _numbers(self, slot: int, layout: str) -> tuple[Any, ...]:
        span = self.span(slot, _SIZES[layout]) or Span(0, 0)
        self._buffer.spend(span.length)
        count = span.length // _SIZES[layout]
        return struct.unpack_from(f"<{count}{layout}", self._buffer.data, span.start)
