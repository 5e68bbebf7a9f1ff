"""The layout of a picture file, and how much of what is too much."""

import bisect
import io
from itertools import accumulate
from typing import NamedTuple

from PIL.ImageFile import ImageFile

from edge_runtime.errors import PictureError
from edge_runtime.files.reading import MEBIBYTE

# The cameras of phones make up to 8,160 × 6,120 pixels. At 4 bytes each they take 200 MB, which a
# board of 512 MiB can spare once.
LIMIT_PIXELS = 50_000_000
LIMIT_SIDE = 65_535  # that of JPEG; each row of a decoded picture costs 8 bytes more
# What must be decoded as a whole before anything of it can be checked: an interlaced PNG, and the
# coefficients of a JPEG with several scans. 12 megapixels of the first in colour, and of the second
# with the usual halved colours 16.
_LIMIT_UNCHECKED_BYTES = 48 * MEBIBYTE


class NoPictureError(PictureError):
    """The bytes do not start like a picture."""


class Layout(NamedTuple):
    """What a picture file says of itself."""

    decoder: type[ImageFile]  # `Image.open` would try every format
    width: int  # in pixels, as the height
    height: int
    stream: io.BytesIO | io.BufferedReader  # the file without what says nothing about its pixels
    orientation: int = 1  # as Exif numbers it, 1 to 8; 1 is upright
    unchecked_bytes: int = 0  # the memory that it takes before the last of its bytes was checked


def refuse_unreasonable(layout: Layout) -> None:
    """Raise a `PictureError` where a picture has too many pixels, or takes too much memory."""
    if layout.width * layout.height > LIMIT_PIXELS:
        megapixels = layout.width * layout.height / 1e6
        raise PictureError(
            f"a picture may have up to {LIMIT_PIXELS / 1e6:.0f} megapixels, this one has "
            f"{layout.width} × {layout.height} = {megapixels:.0f}; scale it down first."
        )
    if max(layout.width, layout.height) > LIMIT_SIDE:
        raise PictureError(
            f"a picture may have up to {LIMIT_SIDE:,} pixels on a side, this one has "
            f"{layout.width} × {layout.height}; cut it first."
        )
    if layout.unchecked_bytes > _LIMIT_UNCHECKED_BYTES:
        kind = "an interlaced PNG" if layout.decoder.format == "PNG" else "a JPEG of several scans"
        raise PictureError(
            f'{kind} (as "progressive" pictures are) may take up to '
            f"{_LIMIT_UNCHECKED_BYTES // MEBIBYTE} MiB to decode, this one of {layout.width} × "
            f"{layout.height} takes {layout.unchecked_bytes // MEBIBYTE}; scale it down, or save "
            "it without that option."
        )


def joined(data: bytes, parts: list[tuple[int, int]]) -> io.BytesIO | io.BufferedReader:
    """Return parts of some bytes, from start to end each, as one file; they are not copied."""
    if len(parts) == 1 and parts[0][0] == 0:
        return io.BytesIO(data)  # what follows the end of a picture is not read
    return io.BufferedReader(_Joined(data, parts))


class _Joined(io.RawIOBase):
    def __init__(self, data: bytes, parts: list[tuple[int, int]]) -> None:
        self._parts = [memoryview(data)[start:end] for start, end in parts]
        self._ends = list(accumulate(map(len, self._parts)))
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._ends[-1]}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        number = bisect.bisect_right(self._ends, self._position)
        if number == len(self._ends):
            return 0
        part = self._parts[number]
        start = self._position - (self._ends[number] - len(part))
        found = part[start : start + len(buffer)]
        buffer[: len(found)] = found
        self._position += len(found)
        return len(found)


def append_part(parts: list[tuple[int, int]], start: int, end: int) -> None:
    """Add a part from start to end, to the last one where it follows that."""
    if parts and parts[-1][1] == start:
        parts[-1] = (parts[-1][0], end)
    else:
        parts.append((start, end))
