"""How a camera was held, from Exif or XMP. What is damaged says nothing: the picture stands."""

import re
import struct

_TAG = 0x0112  # Exif 2.3, section 4.6.4
# SHORT, as Exif demands, and the signed and the long numbers that some programs write instead.
_FORMATS = {3: "H", 4: "I", 8: "h", 9: "i"}
_ENTRY_BYTES = 12
_PREFIXES = re.compile(rb"(?:Exif\0\0){1,2}")  # of a JPEG's segment; some write it into a PNG, too
_XMP = re.compile(rb"tiff:Orientation(?:=\"|>)([1-8])")


def exif_orientation(exif: bytes | memoryview) -> int:
    """Return the orientation in a block of Exif, 1 to 8; 0 where there is none that can be read.

    The block is a TIFF file: byte order, the number 42, and where the first directory lies. A
    number that is no orientation counts as 1, since it was stated.
    """
    if prefixes := _PREFIXES.match(exif):
        exif = exif[prefixes.end() :]
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(exif[:4]))
    if order is None or len(exif) < 8:
        return 0
    (start,) = struct.unpack_from(f"{order}I", exif, 4)
    if start + 2 > len(exif):
        return 0
    (count,) = struct.unpack_from(f"{order}H", exif, start)
    last = min(count, (len(exif) - start - 2) // _ENTRY_BYTES)
    for number in range(last):
        entry = start + 2 + number * _ENTRY_BYTES
        tag, kind, values = struct.unpack_from(f"{order}HHI", exif, entry)
        if tag == _TAG:
            if kind not in _FORMATS or values != 1:
                return 1
            (value,) = struct.unpack_from(f"{order}{_FORMATS[kind]}", exif, entry + 8)
            return value if 1 <= value <= 8 else 1
    return 0


def profile_orientation(text: bytes) -> int:
    """Return the orientation in Exif as ImageMagick wrote it into texts of a PNG; 0 if none.

    After an empty line, the name of the profile and its length come hexadecimal digits.
    """
    digits = b"".join(text.split(b"\n")[3:])
    try:
        return exif_orientation(bytes.fromhex(digits.decode("ascii")))
    except ValueError:
        return 0


def xmp_orientation(xmp: bytes | memoryview) -> int:
    """Return the orientation that a block of XMP states, 1 to 8; 0 where it states none."""
    found = _XMP.search(xmp)
    return int(found[1]) if found else 0
