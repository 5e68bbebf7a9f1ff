"""Reading under a size cap, and hashing."""

import contextlib
import errno
import importlib
import os
import select
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

# hashlib loads OpenSSL, 3.6 MiB of memory, which pays for much data only. Python's own `random`
# takes the lean module by the same means.
_lean: Any = None
with contextlib.suppress(ImportError):  # another Python may be built without it
    _lean = importlib.import_module("_sha2" if sys.version_info >= (3, 12) else "_sha256")

MEBIBYTE = 1024 * 1024
CHUNK_BYTES = MEBIBYTE
_PIECE_BYTES = 64 * 1024
# Whoever fills a pipe may decode or download before; who does not in so long never will.
_PIPE_PATIENCE_S = 10


def expanded(path: str | Path) -> Path:
    """Return a path with its `~` followed; that of an unknown user stays, and is not found."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path.expanduser raises RuntimeError


def resolved(path: str | Path) -> Path:
    """Return a path as an absolute one, with `~` and links followed as far as they lead.

    Where links make a loop `Path.resolve` raises RuntimeError; here whoever opens the path finds
    that out.
    """
    return Path(os.path.realpath(expanded(path)))


def sha256(data: bytes | memoryview) -> str:
    """Return the SHA-256 of ``data`` as 64 hexadecimal digits."""
    if len(data) < MEBIBYTE and _lean is not None:
        return str(_lean.sha256(data).hexdigest())
    import hashlib

    return hashlib.sha256(data).hexdigest()


def cache_folder() -> Path:
    """Return where this toolkit keeps what it can make again: `$XDG_CACHE_HOME/fmnist-edge`.

    Raises:
        RuntimeError: there is no home folder.
    """
    root = os.environ.get("XDG_CACHE_HOME", "")
    # The specification: a relative path is to be ignored.
    base = Path(root) if Path(root).is_absolute() else Path("~").expanduser() / ".cache"
    return base / "fmnist-edge"


def read_text(path: Path, *, limit_bytes: int = MEBIBYTE) -> str:
    """Return the text of a small file, UTF-8 with or without a byte order mark.

    Raises:
        ValueError: it is no UTF-8, or larger than the limit.
        OSError: as in `read_capped`.
    """
    return read_capped(path, limit_bytes=limit_bytes).decode("utf-8-sig")


@contextlib.contextmanager
def open_regular(path: Path, *, limit_bytes: int) -> Iterator[BinaryIO]:
    """Open a regular file to read, refusing one of more than ``limit_bytes`` before it is read.

    Raises:
        ValueError: the file is larger than the limit.
        OSError: it is a folder, a pipe or a device, or cannot be opened.
    """
    with _opened(path) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is a pipe, not a file", str(path))
        if status.st_size > limit_bytes:
            raise _too_large(limit_bytes)
        yield file


def read_capped(path: Path, *, limit_bytes: int) -> bytes:
    """Read a file or a pipe once, refusing more than ``limit_bytes``, also where it grows.

    Raises:
        ValueError: there are more bytes than the limit.
        OSError: it is a folder or a device, cannot be read, or nothing comes out of the pipe.
    """
    with _opened(path) as file:
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return read_rest(file, limit_bytes=limit_bytes)
        return _read_all(lambda count: _read_soon(file, count), limit_bytes)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file or a pipe to read; a pipe that nobody writes to is not waited for."""
    with open(path, "rb", buffering=0, opener=_without_waiting) as file:
        mode = os.fstat(file.fileno()).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise OSError(errno.EINVAL, "it is a device, not a file", str(path))
        yield file


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def read_rest(file: BinaryIO, *, limit_bytes: int) -> bytes:
    """Read an open file from its start to its end, refusing more than ``limit_bytes``.

    Raises:
        ValueError: there are more bytes than the limit.
        OSError: it cannot be read.
    """
    size = os.fstat(file.fileno()).st_size
    if size > limit_bytes:
        raise _too_large(limit_bytes)
    file.seek(0)
    # In one piece where the size holds, so that large files are not in memory twice.
    return _read_all(file.read, limit_bytes, first_bytes=max(size, _PIECE_BYTES))


def _read_all(
    read: Callable[[int], bytes], limit_bytes: int, *, first_bytes: int = _PIECE_BYTES
) -> bytes:
    chunks, left, most = [], limit_bytes + 1, first_bytes
    while left and (chunk := read(min(left, most))):
        chunks.append(chunk)
        left -= len(chunk)
        most = _PIECE_BYTES  # of what has come since
    if not left:
        raise _too_large(limit_bytes)
    return b"".join(chunks)  # a single one is not copied


def read_exactly(file: BinaryIO, count: int) -> bytes:
    """Read so many bytes, fewer only where the file ends; a single read may return less."""
    data = file.read(count)
    while len(data) < count and (more := file.read(count - len(data))):
        data += more
    return data


def hash_of_file(path: Path, *, limit_bytes: int) -> str:
    """Return the SHA-256 of a regular file, which is never in memory as a whole.

    Raises:
        ValueError: the file is larger than the limit.
        OSError: it is a folder, a pipe or a device, or cannot be read.
    """
    with open_regular(path, limit_bytes=limit_bytes) as file:
        return hash_of_open(file)


def hash_of_open(file: BinaryIO) -> str:
    """Return the SHA-256 of the rest of an open file, which is never in memory as a whole."""
    import hashlib

    digest = hashlib.sha256()
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


def _too_large(limit_bytes: int) -> ValueError:
    return ValueError(f"it is larger than {limit_bytes // MEBIBYTE} MiB")


def _read_soon(pipe: BinaryIO, size_bytes: int) -> bytes:
    """Read what there is, b"" at the end; a pipe in which nothing comes is an error."""
    watch = select.poll()
    watch.register(pipe, select.POLLIN)
    while watch.poll(_PIPE_PATIENCE_S * 1000):
        with contextlib.suppress(BlockingIOError):
            return os.read(pipe.fileno(), size_bytes)
    raise TimeoutError(
        errno.ETIMEDOUT, f"nothing came out of this pipe for {_PIPE_PATIENCE_S} s", pipe.name
    )
