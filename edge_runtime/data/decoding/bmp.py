"""The header of a BMP (BITMAPFILEHEADER and BITMAPINFOHEADER of the Windows API)."""

import io
import struct

from PIL.BmpImagePlugin import BmpImageFile

from edge_runtime.data.decoding.layout import LIMIT_PIXELS, Layout, NoPictureError
from edge_runtime.errors import PictureError
from edge_runtime.files.reading import MEBIBYTE

_CORE_BYTES = 12  # of OS/2
_INFO_BYTES = 40
_RUN_LENGTHS = (1, 2)
# Pillow decodes run lengths in Python: 1 MiB takes a second.
_MOST_RUN_LENGTH_BYTES = MEBIBYTE // 2
_MOST_RUN_LENGTH_PIXELS = 4_000_000


def read_bmp(data: bytes) -> Layout:
    """Return what a BMP says of itself.

    Raises:
        NoPictureError: it has no header.
        PictureError: it is cut, or is a large one with run lengths.
    """
    if len(data) < 14 + _CORE_BYTES:
        raise NoPictureError("a BMP without a header")
    pixels, header_bytes = struct.unpack_from("<II", data, 10)
    if header_bytes == _CORE_BYTES:
        width, height, _, depth = struct.unpack_from("<4H", data, 18)
        compression = 0
    elif header_bytes >= _INFO_BYTES and len(data) >= 14 + _INFO_BYTES:
        width, height, _, depth, compression = struct.unpack_from("<iiHHI", data, 18)
    else:
        raise NoPictureError("a BMP of an unknown kind")
    width, height = abs(width), abs(height)  # rows from top to bottom have a negative height
    if compression in _RUN_LENGTHS:
        if len(data) > _MOST_RUN_LENGTH_BYTES or width * height > _MOST_RUN_LENGTH_PIXELS:
            raise PictureError("a BMP with run lengths may have up to 0.5 MiB; save it as PNG.")
    elif width * height <= LIMIT_PIXELS:
        row_bytes = (width * depth + 31) // 32 * 4
        last_bytes = (width * depth + 7) // 8  # some programs do not fill up the last row
        if pixels + row_bytes * (height - 1) + last_bytes > len(data):
            raise PictureError("the picture is damaged (it ends before its last row).")
    return Layout(BmpImageFile, width, height, io.BytesIO(data))
