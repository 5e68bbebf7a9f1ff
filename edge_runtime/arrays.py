"""Arrays from an .npz that anybody may have made or damaged."""

import contextlib
import io
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from edge_runtime.files import MEBIBYTE

# What NumPy, zipfile and json raise over damaged bytes; RuntimeError is "encrypted" or "a zip file
# of a later version".
DAMAGE = (
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


@contextlib.contextmanager
def open_arrays(data: bytes, *, limit_bytes: int) -> Iterator[Any]:
    """Open the arrays in the bytes of an .npz; each is unpacked when it is asked for by its name.

    Nothing is unpickled.

    Args:
        data: the whole file.
        limit_bytes: how many bytes all members together may take when they are unpacked.

    Raises:
        DAMAGE: one of these, here or where an array is asked for: the bytes are no .npz, or they
            unpack to more than the limit.
    """
    _refuse_bomb(data, limit_bytes)
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        yield arrays


def _refuse_bomb(data: bytes, limit_bytes: int) -> None:
    """Raise unless the unpacked members keep the limit too: a few MiB may hold 4 GiB of zeros."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > limit_bytes:
        raise ValueError(f"unpacked it is larger than {limit_bytes // MEBIBYTE} MiB")
