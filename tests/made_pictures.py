"""Pictures as bytes: of one colour, of noise, and PNGs of which every field is chosen."""

import io
import struct
import zlib

import numpy as np


def encoded(image, file_format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def raw_png(width, height, *, depth, colour, rows, extra=b""):
    """A PNG with exactly these header fields, whatever its rows hold."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(rows, 1))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + body + chunk(b"IEND", b"")


def noise(height, width, *channels, seed=0):
    values = np.random.default_rng(seed).integers(0, 256, (height, width, *channels))
    return values.astype(np.uint8)
