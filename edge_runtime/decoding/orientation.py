"""How a camera was held, from Exif or XMP. What is damaged says nothing: the picture stands."""

import re
import struct

_TAG = 0x0112  # Exif 2.3, section 4.6.4
_SHORT = 3
_ENTRY_BYTES = 12
_XMP = re.compile(rb"tiff:Orientation(?:=\"|>)([1-8])")


def exif_orientation(exif: bytes | memoryview) -> int:
    """Return the orientation in a block of Exif, 1 to 8; 1 where there is none that can be read.

    The block is a TIFF file: byte order, the number 42, and where the first directory lies.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(exif[:4]))
    if order is None or len(exif) < 8:
        return 1
    (start,) = struct.unpack_from(f"{order}I", exif, 4)
    if start + 2 > len(exif):
        return 1
    (count,) = struct.unpack_from(f"{order}H", exif, start)
    last = min(count, (len(exif) - start - 2) // _ENTRY_BYTES)
    for number in range(last):
        entry = struct.unpack_from(f"{order}HHIH", exif, start + 2 + number * _ENTRY_BYTES)
        tag, kind, values, value = entry
        if tag == _TAG:
            return value if kind == _SHORT and values == 1 and 1 <= value <= 8 else 1
    return 1


def xmp_orientation(xmp: bytes | memoryview) -> int:
    """Return the orientation that a block of XMP states, 1 to 8; 1 where it states none."""
    found = _XMP.search(xmp)
    return int(found[1]) if found else 1
