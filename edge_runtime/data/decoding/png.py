"""The chunks of a PNG (https://www.w3.org/TR/png-3/, section 5)."""

import io
import struct
import zlib
from collections.abc import Iterator

from PIL.PngImagePlugin import PngImageFile

from edge_runtime.data.decoding.layout import (
    LIMIT_PIXELS,
    LIMIT_SIDE,
    Layout,
    NoPictureError,
    append_part,
    joined,
)
from edge_runtime.errors import PictureError
from edge_runtime.files.reading import MEBIBYTE

_SIGNATURE_BYTES = 8
_HEADER = struct.Struct(">IIBBBBB")
_CRC_BYTES = 4
_PLAIN = struct.Struct(">8xI4sII4xB4xI4s")  # up to the first pixel
_END = b"\0\0\0\0IEND\xaeB`\x82"
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
_GREY, _PALETTE = 0, 3
_LAST_FILTER = 4

_OF_PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_KNOWN = b"cHRM gAMA iCCP sBIT sRGB bKGD hIST pHYs sPLT tIME tEXt zTXt iTXt eXIf acTL fcTL fdAT"
_DROPPED = {*_KNOWN.split(), b"cICP", b"mDCV", b"cLLI"}
_TEXTS = {b"tEXt", b"zTXt"}
_COLOURS = {b"PLTE", b"tRNS"}
_XMP = b"XML:com.adobe.xmp\0\0"  # and not compressed
_PROFILE = b"Raw profile type exif\0"

# 32 MiB in chunks of 2 KiB; libpng writes 8 KiB. The decoder needs 3 µs for each.
_MOST_CHUNKS = 16_384
# A palette of 256 colours takes 768; what is much longer would only be copied.
_MOST_COLOUR_BYTES = 64 * 1024
_MOST_PROFILE_BYTES = 256 * 1024
_SMALL_BYTES = 32 * MEBIBYTE
_PIECE_BYTES = 64 * 1024


def read_png(data: bytes) -> Layout:
    """Return what a PNG says of itself, without what says nothing about its pixels.

    Raises:
        NoPictureError: there is nothing behind its signature.
        PictureError: it is damaged, or has too many chunks.
    """
    return _read_plain(data) or _read_chunks(data)


def _read_plain(data: bytes) -> Layout | None:
    """Return what a small picture of one header, one chunk of pixels and the end says.

    Most small pictures are such, and what takes 9 µs by way of all chunks takes 1 here.
    """
    if len(data) < _PLAIN.size or not data.endswith(_END):
        return None
    header_bytes, header, width, height, interlaced, pixel_bytes, kind = _PLAIN.unpack_from(data)
    is_plain = header_bytes == _HEADER.size and header == b"IHDR" and kind == b"IDAT"
    if not is_plain or len(data) != _PLAIN.size + pixel_bytes + _CRC_BYTES + len(_END):
        return None
    if interlaced or 4 * width * height > _SMALL_BYTES:
        return None
    return Layout(PngImageFile, width, height, io.BytesIO(data))


def _read_chunks(data: bytes) -> Layout:
    parts, pixels = [(0, _SIGNATURE_BYTES)], []
    stated: dict[str, int] = {}
    for kind, start, end in _chunks(data):
        content = memoryview(data)[start + 8 : end - 4]
        if kind in _COLOURS and len(content) > _MOST_COLOUR_BYTES:
            raise PictureError(f"the picture is damaged (its {kind.decode()} is too long).")
        if kind in _OF_PIXELS:
            append_part(parts, start, end)
        elif kind not in _DROPPED:
            # What nobody knows may be one that was damaged, and so lost its name.
            checked, crc = memoryview(data)[start + 4 : end - 4], data[end - 4 : end]
            if zlib.crc32(checked) != int.from_bytes(crc, "big"):
                raise PictureError("the picture is damaged (a chunk has another checksum).")
        else:
            _note_orientation(stated, kind, content)
        if kind == b"IDAT":
            pixels.append((start + 8, end - 4))
    width, height, depth, colour, _, _, interlaced = _HEADER.unpack_from(data, 16)
    # Pillow keeps grey and palettes in a byte, all else in 4.
    decoded = width * height * (1 if colour in (_GREY, _PALETTE) and depth <= 8 else 4)
    is_large = decoded > _SMALL_BYTES and width * height <= LIMIT_PIXELS
    if is_large and max(width, height) <= LIMIT_SIDE and not interlaced:
        row_bytes = 1 + (width * depth * _SAMPLES.get(colour, 4) + 7) // 8
        _check_pixels(data, pixels, row_bytes, height)
    orientation = stated.get("exif", stated.get("profile")) or stated.get("xmp") or 1
    unchecked = decoded if interlaced else 0
    return Layout(PngImageFile, width, height, joined(data, parts), orientation, unchecked)


def _note_orientation(stated: dict[str, int], kind: bytes, content: memoryview) -> None:
    """Note what a chunk says about how the camera was held; the first of its kind counts."""
    # Here, since a plain picture should not wait for what compiles patterns.
    from edge_runtime.data.decoding.orientation import (
        exif_orientation,
        profile_orientation,
        xmp_orientation,
    )

    if kind == b"eXIf" and "exif" not in stated:
        stated["exif"] = exif_orientation(content)
    elif kind == b"iTXt" and not stated.get("xmp") and content[: len(_XMP)] == _XMP:
        stated["xmp"] = xmp_orientation(content)
    elif kind in _TEXTS and "profile" not in stated and content[: len(_PROFILE)] == _PROFILE:
        stated["profile"] = profile_orientation(_text(kind, content[len(_PROFILE) :]))


def _text(kind: bytes, content: memoryview) -> bytes:
    """Return the first bytes of a text, which a zTXt has compressed after the number 0."""
    if kind == b"tEXt":
        return bytes(content[:_MOST_PROFILE_BYTES])
    try:
        return zlib.decompressobj().decompress(content[1:], _MOST_PROFILE_BYTES)
    except zlib.error:
        return b""


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind, the start and the end of each chunk; the last may be cut."""
    position, count = _SIGNATURE_BYTES, 0
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = min(position + 12 + length, len(data))
        if count == 0 and (kind != b"IHDR" or length != _HEADER.size):
            break
        if not kind.isalpha():
            raise PictureError("the picture is damaged (a chunk has no name).")
        if count and kind == b"IHDR":
            raise PictureError("the picture is damaged (it has two headers).")
        count += 1
        if count > _MOST_CHUNKS:
            raise PictureError(f"a PNG may have up to {_MOST_CHUNKS:,} chunks; save it again.")
        yield kind, position, end
        if kind == b"IEND":
            return
        position = end
    if count == 0:
        raise NoPictureError("a PNG without a header")


def _check_pixels(data: bytes, parts: list[tuple[int, int]], row_bytes: int, rows: int) -> None:
    """Unpack the pixels of a large picture once, keeping none: a cut one is refused for nothing.

    Raises:
        PictureError: there are fewer pixels than announced, or the packed bytes are damaged.
    """
    unpack, got, expected = zlib.decompressobj(), 0, row_bytes * rows
    for start, end in parts:
        for position in range(start, end, _PIECE_BYTES):
            waiting: bytes | memoryview
            waiting = memoryview(data)[position : min(position + _PIECE_BYTES, end)]
            while len(waiting) and got < expected and not unpack.eof:
                try:
                    piece = unpack.decompress(waiting, MEBIBYTE)
                except zlib.error as error:
                    raise PictureError(f"the picture is damaged ({error}).") from error
                # Each row starts with the number of its filter.
                if max(piece[-got % row_bytes :: row_bytes], default=0) > _LAST_FILTER:
                    raise PictureError("the picture is damaged (a row has no such filter).")
                got, waiting = got + len(piece), unpack.unconsumed_tail
    if got < expected - row_bytes:  # what zlib holds back is less than a row of a large picture
        raise PictureError("the picture is damaged (it ends before its last row).")
