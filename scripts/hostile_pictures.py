"""Pictures that are made to break a decoder, for `scripts/fuzz-readers`."""

import io
import random
import struct
import zlib
from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import damage
import numpy as np
from PIL import Image

MEBIBYTE = 2**20


class Sparse(NamedTuple):
    """A file of zeros behind its start, which takes no room on the disk."""

    size_bytes: int
    start: bytes = b""


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG."""
    crc = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)


def png(
    width: int,
    height: int,
    depth: int,
    colour: int,
    *,
    rows: bytes | None = None,
    interlaced: int = 0,
    extra: bytes = b"",
    cut: float = 1.0,
    last: int = 0,
) -> bytes:
    """Return a PNG of zeros; ``cut`` is the share of its rows, ``last`` the filter of the last."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row_bytes = 1 + (width * depth * samples + 7) // 8
    if rows is None:
        packer = zlib.compressobj(1)
        before = row_bytes * max(0, int(height * cut) - 1)
        content = b"".join(
            packer.compress(bytes(min(MEBIBYTE, before - at))) for at in range(0, before, MEBIBYTE)
        )
        content += packer.compress(bytes([last]) + bytes(row_bytes - 1)) + packer.flush()
    else:
        content = zlib.compress(rows)
    palette = chunk(b"PLTE", bytes(768)) if colour == 3 else b""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    body = chunk(b"IDAT", content)
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", header) + palette + extra + body + chunk(b"IEND", b"")


def jpeg(width: int, height: int, mode: str = "RGB", **options: Any) -> bytes:
    """Return a JPEG of a gradient."""
    small = Image.linear_gradient("L").convert(mode)
    buffer = io.BytesIO()
    small.resize((width, height), Image.Resampling.NEAREST).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def many_scans(scans: int, width: int, height: int) -> bytes:
    """Return a progressive JPEG whose last scan is there so many times more."""
    data = jpeg(width, height, progressive=True, quality=95)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * scans + b"\xff\xd9"


def other_frame(data: bytes, width: int, height: int) -> bytes:
    """Return a JPEG that announces another size."""
    place = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    return data[: place + 5] + struct.pack(">HH", height, width) + data[place + 9 :]


def exif(content: bytes) -> bytes:
    """Return an APP1 segment."""
    body = b"Exif\0\0" + content
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


def with_segments(data: bytes, segments: bytes) -> bytes:
    """Return a JPEG with segments behind its start."""
    return data[:2] + segments + data[2:]


ORIENTED = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"


def bmp(width: int, height: int, depth: int, compression: int, body: bytes) -> bytes:
    """Return a BMP."""
    colours = bytes(4 << depth) if depth <= 8 else b""
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, depth, compression, 0, 0, 0, 0, 0)
    start = 14 + len(header) + len(colours)
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + header + colours + body


LARGE = 8160, 6120
_COLOURS = {"1-bit": (1, 0), "grey": (8, 0), "16-bit": (16, 0), "RGB": (8, 2), "RGB16": (16, 2)}
_COLOURS |= {"palette": (8, 3), "LA": (8, 4), "LA16": (16, 4), "RGBA": (8, 6), "RGBA16": (16, 6)}

PICTURES: dict[str, Callable[[], bytes] | Sparse] = {
    "1 × 40,000,000": lambda: png(1, 40_000_000, 8, 0, rows=bytes(80_000_000)),
    "40,000,000 × 1": lambda: png(40_000_000, 1, 8, 0),
    "two headers": lambda: png(
        30, 40, 8, 0, extra=chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 6_100_807, 8, 0, 0, 0, 0))
    ),
    "1 × 65,535": lambda: png(1, 65_535, 8, 6),
    "65,535 × 760": lambda: png(65_535, 760, 8, 2),
    "760 × 65,535": lambda: png(760, 65_535, 8, 2),
    **{f"large {name}": partial(png, *LARGE, *kind) for name, kind in _COLOURS.items()},
    **{
        f"large {name}, last row cut": partial(png, *LARGE, *kind, cut=0.99)
        for name, kind in _COLOURS.items()
    },
    "large, last filter": partial(png, *LARGE, 8, 2, last=9),
    "large, transparent colour": partial(png, *LARGE, 8, 2, extra=chunk(b"tRNS", bytes(6))),
    "large, turned": partial(png, *LARGE, 8, 2, extra=chunk(b"eXIf", ORIENTED)),
    "large, interlaced": partial(png, *LARGE, 8, 2, interlaced=1),
    "12 megapixels, interlaced": partial(png, 4000, 3000, 8, 6, interlaced=1),
    "100 megapixels": partial(png, 10_000, 10_000, 1, 0),
    "a million texts": lambda: png(8, 8, 8, 0, extra=chunk(b"tEXt", b"a\0") * 1_000_000),
    "a million chunks": lambda: png(8, 8, 8, 0, extra=chunk(b"abCd", b"") * 1_000_000),
    **{
        f"{kind} of 70 MiB": lambda kind=kind: png(
            8,
            8,
            8,
            0,
            extra=chunk(kind.encode(), b"icc\0\0" + zlib.compress(bytes(70 * MEBIBYTE), 1)),
        )
        for kind in ("zTXt", "iTXt", "iCCP")
    },
    "bad Exif": lambda: png(8, 8, 8, 0, extra=chunk(b"eXIf", b"Exif\0\0MM\0*\xff\xff")),
    "bad animation": lambda: png(8, 8, 8, 0, extra=chunk(b"acTL", b"\xff" * 8)),
    "32 MiB behind a PNG": Sparse(32 * MEBIBYTE, png(8, 8, 8, 0)),
    "33 MiB of nothing": Sparse(33 * MEBIBYTE),
    **{
        f"32 MiB of nothing behind {start!r}": Sparse(32 * MEBIBYTE, start)
        for start in (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\xff\xd8\xff\xda\0\x08", b"BM")
    },
    "1,000 scans": lambda: many_scans(1000, 1024, 1024),
    "90 scans": lambda: many_scans(80, 1024, 1024),
    "90 scans, 10 megapixels": lambda: many_scans(80, 3200, 3200),
    "large JPEG": lambda: jpeg(*LARGE),
    "large JPEG, turned": lambda: with_segments(jpeg(*LARGE), exif(ORIENTED)),
    "large JPEG, grey": lambda: jpeg(*LARGE, "L"),
    "large JPEG, CMYK": lambda: jpeg(*LARGE, "CMYK"),
    "large JPEG, cut": lambda: jpeg(*LARGE)[:-20_000],
    "large JPEG, progressive": lambda: jpeg(*LARGE, progressive=True),
    "16 megapixels, progressive": lambda: jpeg(4600, 3500, progressive=True),
    "16 megapixels, progressive, cut": lambda: jpeg(4600, 3500, progressive=True)[:-999],
    "8 megapixels, 4:4:4, progressive": lambda: jpeg(3200, 2600, progressive=True, subsampling=0),
    "6 megapixels, CMYK, progressive": lambda: jpeg(
        2800, 2200, "CMYK", progressive=True, subsampling=0
    ),
    "a JPEG says 65,535 × 65,535": lambda: other_frame(jpeg(64, 64), 65_535, 65_535),
    "a small JPEG says it is large": lambda: other_frame(jpeg(64, 64), *LARGE),
    "a small progressive JPEG says it is large": lambda: other_frame(
        jpeg(64, 64, progressive=True), 4600, 3500
    ),
    "a million comments": lambda: with_segments(jpeg(64, 64), b"\xff\xfe\0\x02" * 1_000_000),
    "4 million filling bytes": lambda: with_segments(jpeg(64, 64), b"\xff" * 4_000_000),
    "4 million starts": lambda: with_segments(jpeg(64, 64), b"\xff\xd8" * 4_000_000),
    "4 million restarts": lambda: jpeg(64, 64)[:-2] + b"\xff\xd0" * 4_000_000 + b"\xff\xd9",
    "bad Exif of a JPEG": lambda: with_segments(jpeg(64, 64), exif(b"MM\0*\xff\xff\xff")),
    "bad MPO": lambda: with_segments(jpeg(64, 64), b"\xff\xe2\0\x10MPF\0II*\0\x08\0\0\0\xff\xff"),
    "large BMP": lambda: bmp(8160, 6120, 1, 0, bytes(1020 * 6120)),
    "large BMP of bytes": lambda: bmp(5600, 5600, 8, 0, bytes(5600 * 5600)),
    "large BMP of colours": lambda: bmp(3200, 3200, 24, 0, bytes(9600 * 3200)),
    "BMP of runs of one": lambda: bmp(4000, 1000, 8, 1, b"\x01\x00" * 262_000),
    "BMP of 4 million runs": lambda: bmp(4000, 1000, 8, 1, b"\x01\x00" * 4_000_000),
    "BMP of jumps": lambda: bmp(65_535, 60, 8, 1, b"\0\x02\xff\xff" * 60_000),
    "BMP of jumps in a large one": lambda: bmp(65_535, 760, 8, 1, b"\0\x02\xff\xff" * 99),
}


@cache
def real_pictures() -> list[bytes]:
    """Return small pictures of all kinds."""
    rng = np.random.default_rng(0)
    colours = Image.fromarray(rng.integers(0, 256, (40, 30, 4)).astype(np.uint8))
    found = []
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        image = colours.convert("RGB" if mode in ("P", "I;16") else mode)
        image = image.convert("P") if mode == "P" else image
        if mode == "I;16":
            image = Image.fromarray(rng.integers(0, 65536, (40, 30)).astype(np.uint16))
        for file_format in ("PNG", "BMP"):
            if file_format == "PNG" or mode in ("1", "L", "P", "RGB"):
                buffer = io.BytesIO()
                image.save(buffer, file_format)
                found.append(buffer.getvalue())
    found += [
        jpeg(40, 30, mode, **options)
        for mode in ("L", "RGB", "CMYK")
        for options in ({}, {"progressive": True})
    ]
    found += [
        with_segments(jpeg(40, 30), exif(ORIENTED)),
        png(40, 30, 8, 2, extra=chunk(b"eXIf", ORIENTED)),
    ]
    found.append(bmp(40, 30, 8, 1, b"\x28\x07\0\0" * 30 + b"\0\1"))
    return found


_CHUNK_NAMES = (
    b"zTXt iTXt tEXt iCCP eXIf tRNS PLTE acTL fcTL fdAT gAMA cHRM pHYs sRGB ABCD IHDR IDAT".split()
)


def _other_chunks(data: bytes, rng: random.Random) -> bytes:
    """Change, repeat, drop or exchange the chunks of a PNG, with checksums that fit."""
    chunks, position = [], 8
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        chunks.append((kind, data[position + 8 : position + 8 + length]))
        position += 12 + length
    place = rng.randrange(len(chunks))
    kind, content = chunks[place]
    way = rng.randrange(5)
    if way == 0 and content:
        changed = bytearray(content)
        changed[rng.randrange(len(content))] = rng.choice((0, 1, 2, 3, 4, 16, 127, 128, 255))
        chunks[place] = kind, bytes(changed)
    elif way == 1:
        chunks.insert(rng.randrange(len(chunks) + 1), chunks[place])
    elif way == 2:
        del chunks[place]
    elif way == 3:
        packed = b"a\0\0" + zlib.compress(bytes(9999))
        extra = rng.choice((b"", rng.randbytes(rng.randrange(300)), ORIENTED, packed))
        chunks.insert(rng.randrange(1, len(chunks) + 1), (rng.choice(_CHUNK_NAMES), extra))
    else:
        rng.shuffle(chunks)
    return data[:8] + b"".join(chunk(*one) for one in chunks)


def _other_segments(data: bytes, rng: random.Random) -> bytes:
    """Insert a segment into a JPEG, or change one byte of its tables, frame or scan header."""
    marks = [
        place for place in range(2, len(data) - 4) if data[place] == 0xFF and data[place + 1] > 0xBF
    ]
    place = rng.choice(marks or [2])
    if rng.random() < 0.5:
        changed = bytearray(data)
        changed[min(place + rng.randrange(20), len(data) - 1)] = rng.choice(
            (0, 1, 2, 4, 8, 17, 63, 127, 255)
        )
        return bytes(changed)
    bodies = (
        *(b"Exif\0\0" + rng.randbytes(60), b"MPF\0" + rng.randbytes(40)),
        *(b"ICC_PROFILE\0\1\1", b"JFIF\0", b"Adobe", rng.randbytes(30)),
    )
    body = rng.choice(bodies)
    marker = bytes([0xFF, rng.choice(b"\xe0\xe1\xe2\xee\xfe\xc0\xc2\xc4\xda\xdb\xdd\xd8\xd9")])
    length = struct.pack(">H", rng.choice((len(body) + 2, 0, 65_535)))
    return data[:place] + marker + length + body + data[place:]


def damaged_picture(rng: random.Random) -> bytes:
    """Return a real picture, damaged."""
    data = rng.choice(real_pictures())
    structural = {b"\x89": _other_chunks, b"\xff": _other_segments}.get(data[:1])
    for _ in range(rng.choice((1, 1, 2, 4))):
        if structural and rng.random() < 0.6:
            data = structural(data, rng)
        else:
            head = rng.choice((64, len(data)))
            data = rng.choice(tuple(damage.ANY_BYTES.values()))(data[:head], rng) + data[head:]
        if len(data) < 64:
            break
    return data
