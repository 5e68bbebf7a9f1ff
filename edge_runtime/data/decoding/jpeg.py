"""The segments of a JPEG (ITU-T T.81, annex B)."""

import re
from collections.abc import Iterator

from PIL.JpegImagePlugin import JpegImageFile

from edge_runtime.data.decoding.layout import Layout, append_part, joined
from edge_runtime.data.decoding.orientation import exif_orientation, xmp_orientation
from edge_runtime.errors import PictureError

_SOI, _EOI, _SOS, _DRI, _DNL = 0xD8, 0xD9, 0xDA, 0xDD, 0xDC
_TABLES = {0xDB, 0xC4, _DRI, _DNL}
_FRAMES = {0xC0, 0xC1, 0xC2}  # baseline, extended and progressive, with Huffman's code
_PROGRESSIVE = 0xC2
_OTHER_FRAMES = {0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)}
_APP1 = 0xE1
_OF_COLOURS = {0xE0: b"JFIF", 0xEE: b"Adobe"}  # segments that say what the colours are
_WITHOUT_LENGTH = {0x00, 0x01, *range(0xD0, 0xD8), _SOI}
# Within the pixels a 0xFF is followed by 0, or by the number of a restart.
_NEXT_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"

_MOST_SEGMENTS = 4096
# All tables that a scan can use take 2.8 KB; programs that choose Huffman's code write a part of
# them anew before each scan.
_MOST_TABLE_BYTES = 512 * 1024
# Encoders write 1 to 12 scans (libjpeg 10, mozjpeg up to 12). The decoder goes over all pixels in
# each: 20 scans of 50 megapixels take as long as 1,000 of one.
_MOST_SCANS = 100
_MOST_SCANNED_PIXELS = 1_000_000_000
_BLOCK_BYTES = 64 * 2


def read_jpeg(data: bytes) -> Layout:
    """Return what a JPEG says of itself, without what says nothing about its pixels.

    Raises:
        PictureError: it is damaged, is of a rare kind, or has too many scans or segments.
    """
    parts, scans, table_bytes, exif, xmp = [(0, 2)], 0, 0, None, 0
    frame: tuple[int, bytes] | None = None
    is_split = False
    for marker, start, end in _segments(data):
        if marker in _FRAMES:
            if frame is not None:
                raise PictureError("the picture is damaged (it has two frames).")
            frame = marker, data[start + 4 : end]
        elif marker in _OTHER_FRAMES:
            raise PictureError("a lossless or arithmetic JPEG cannot be read; save it as PNG.")
        elif marker == _SOS:
            scans += 1
            is_split |= frame is not None and data[start + 4 : start + 5] != frame[1][5:6]
        elif marker in _TABLES:
            table_bytes += end - start
        elif marker == _APP1 and not scans and exif is None and _starts(data, start, _EXIF):
            exif = exif_orientation(data[start + 4 : end])
        elif marker == _APP1 and not scans and not xmp and _starts(data, start, _XMP):
            xmp = xmp_orientation(data[start + 4 : end])
        of_colours = marker in _OF_COLOURS and _starts(data, start, _OF_COLOURS[marker])
        if of_colours or marker in _FRAMES | _TABLES | {_SOS, _EOI}:
            append_part(parts, start, end)
    if frame is None or len(frame[1]) < 6:
        raise PictureError("the picture is damaged (it has no frame).")
    if table_bytes > _MOST_TABLE_BYTES:
        raise PictureError(
            f"a JPEG may have up to {_MOST_TABLE_BYTES // 1024} KiB of tables; save it again."
        )
    height, width = int.from_bytes(frame[1][1:3], "big"), int.from_bytes(frame[1][3:5], "big")
    if scans > _MOST_SCANS or scans * width * height > _MOST_SCANNED_PIXELS:
        raise PictureError(
            f"it has {scans} scans of {width} × {height} pixels, which takes too long; save it as "
            "another picture program does."
        )
    # A scan of some of the colours only makes the decoder keep all coefficients, too.
    several = frame[0] == _PROGRESSIVE or scans > 1 or is_split
    unchecked = _coefficient_bytes(width, height, frame[1]) if several else 0
    return Layout(JpegImageFile, width, height, joined(data, parts), exif or xmp or 1, unchecked)


def _starts(data: bytes, segment: int, name: bytes) -> bool:
    return data.startswith(name, segment + 4)


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the marker, the start and the end of each segment, a scan with its pixels."""
    position, count = 2, 0
    while (position := data.find(b"\xff", position)) >= 0 and position + 1 < len(data):
        marker, count = data[position + 1], count + 1
        if count > _MOST_SEGMENTS:
            raise PictureError(f"a JPEG may have up to {_MOST_SEGMENTS:,} segments; save it again.")
        if marker == 0xFF:
            position += 1
            continue
        if marker == _EOI:
            yield marker, position, position + 2
            return
        if marker in _WITHOUT_LENGTH:
            position += 2
            continue
        end = position + 2 + max(2, int.from_bytes(data[position + 2 : position + 4], "big"))
        if marker == _SOS:
            found = _NEXT_MARKER.search(data, end)
            end = found.start() if found else len(data)
        yield marker, position, min(end, len(data))
        position = end


def _coefficient_bytes(width: int, height: int, frame: bytes) -> int:
    """Return what the coefficients of all components take: 64 of 2 bytes for each block."""
    factors = [(byte >> 4 or 1, byte & 15 or 1) for byte in frame[7::3]]
    widest = max((across for across, _ in factors), default=1)
    highest = max((down for _, down in factors), default=1)
    columns, rows = -(-width // (8 * widest)), -(-height // (8 * highest))
    return sum(columns * across * rows * down * _BLOCK_BYTES for across, down in factors)
