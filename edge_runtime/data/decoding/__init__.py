"""What a picture file says of itself, read before a decoder sees it.

A decoder believes a file: it sets aside what a header of 20 bytes announces, unpacks texts and
profiles that nobody looks at, and goes over all pixels once for each scan. So the structure of the
file is read here first. What would take too much is refused, and the decoder gets the parts that
make up the pixels and nothing else: no Exif, no colour profile, no text, no further frames.
"""

from collections.abc import Callable

from edge_runtime.data.decoding.layout import (
    LIMIT_PIXELS,
    LIMIT_SIDE,
    Format,
    Layout,
    NoPictureError,
    refuse_unreasonable,
)
from edge_runtime.data.decoding.png import read_png
from edge_runtime.data.decoding.reduction import MOST_PIXELS, draft_divisor, upright

__all__ = [
    "LIMIT_PIXELS",
    "LIMIT_SIDE",
    "MOST_PIXELS",
    "Format",
    "Layout",
    "NoPictureError",
    "draft_divisor",
    "read_layout",
    "upright",
]


def read_layout(data: bytes) -> Layout:
    """Return what the bytes of a picture file say, in a form that is safe to decode.

    Raises:
        NoPictureError: it is neither a PNG nor a JPEG nor a BMP.
        PictureError: it is damaged, or would take too much memory or time.
    """
    layout = _reader(data)(data)
    refuse_unreasonable(layout)
    return layout


def _reader(data: bytes) -> Callable[[bytes], Layout]:
    """Return what reads such a file; for other formats than PNG it is imported if needed."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return read_png
    if data.startswith(b"\xff\xd8\xff"):
        from edge_runtime.data.decoding.jpeg import read_jpeg

        return read_jpeg
    if data.startswith(b"BM"):
        from edge_runtime.data.decoding.bmp import read_bmp

        return read_bmp
    raise NoPictureError("not a PNG, JPEG or BMP")
