"""Reading under a size cap, hashing, and writing so that a file appears whole or not at all."""

import contextlib
import errno
import importlib
import json
import os
import select
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from edge_runtime.locks import folder_lock, is_at, lock
from edge_runtime.wording import json_escaped

# hashlib loads OpenSSL, 3.6 MiB of memory, which pays for much data only. Python's own `random`
# takes the lean module by the same means.
_lean: Any = None
with contextlib.suppress(ImportError):  # another Python may be built without it
    _lean = importlib.import_module("_sha2" if sys.version_info >= (3, 12) else "_sha256")

MEBIBYTE = 1024 * 1024
CHUNK_BYTES = MEBIBYTE
# Whoever fills a pipe may decode or download before; who does not in so long never will.
_PIPE_PATIENCE_S = 10


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
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is a pipe, not a file", str(path))
        _refuse_larger(file, limit_bytes)
        yield file


def read_capped(path: Path, *, limit_bytes: int) -> bytes:
    """Read a file or a pipe once, refusing more than ``limit_bytes``, also where it grows.

    Raises:
        ValueError: there are more bytes than the limit.
        OSError: it is a folder or a device, cannot be read, or nothing comes out of the pipe.
    """
    with _opened(path) as file:
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            _refuse_larger(file, limit_bytes)
            return read_rest(file, limit_bytes=limit_bytes)
        return _read_pipe(file.fileno(), path, limit_bytes)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file or a pipe to read; a pipe that nobody writes to is not waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, descriptor)
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise OSError(errno.EINVAL, "it is a device, not a file", str(path))
        stack.pop_all()
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            yield file


def _refuse_larger(file: BinaryIO, limit_bytes: int) -> None:
    if os.fstat(file.fileno()).st_size > limit_bytes:
        raise _too_large(limit_bytes)


def _read_pipe(descriptor: int, path: Path, limit_bytes: int) -> bytes:
    chunks, left = [], limit_bytes + 1
    while left and (chunk := _read_soon(descriptor, min(left, CHUNK_BYTES), path)):
        chunks.append(chunk)
        left -= len(chunk)
    if not left:
        raise _too_large(limit_bytes)
    return b"".join(chunks)


def read_rest(file: BinaryIO, *, limit_bytes: int) -> bytes:
    """Read an open file from its start to its end, refusing more than ``limit_bytes``.

    Raises:
        ValueError: there are more bytes than the limit.
        OSError: it cannot be read.
    """
    file.seek(0)
    # In one piece where the size holds, so that large files are not in memory twice.
    chunks = [read_exactly(file, min(os.fstat(file.fileno()).st_size, limit_bytes))]
    left = limit_bytes + 1 - len(chunks[0])
    while left and (chunk := file.read(min(left, CHUNK_BYTES))):  # it grew
        chunks.append(chunk)
        left -= len(chunk)
    if not left:
        raise _too_large(limit_bytes)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


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


def _read_soon(descriptor: int, size_bytes: int, path: Path) -> bytes:
    """Read what there is, b"" at the end; a pipe in which nothing comes is an error."""
    watch = select.poll()
    watch.register(descriptor, select.POLLIN)
    while watch.poll(_PIPE_PATIENCE_S * 1000):
        with contextlib.suppress(BlockingIOError):
            return os.read(descriptor, size_bytes)
    raise TimeoutError(
        errno.ETIMEDOUT, f"nothing came out of this pipe for {_PIPE_PATIENCE_S} s", str(path)
    )


def write_atomically(path: Path, data: bytes | str, *, mode: int = 0o666) -> None:
    """Write a file so that at any moment ``path`` holds the old content or the new, never a part.

    A temporary file in the same folder is written, flushed to the disk and renamed; then the folder
    itself is flushed, so that the rename survives a power cut.

    Args:
        path: the file.
        data: what it will hold.
        mode: who may do what with it, less what the umask takes away; from the first byte on.

    Raises:
        OSError: it cannot be written; its file name is ``path``.
    """
    write_together({path: data}, mode=mode)


def write_together(contents: Mapping[Path, bytes | str], *, mode: int = 0o666) -> None:
    """Write several files as `write_atomically` does, and none of them before all are on the disk.

    They are put in place in the order of ``contents``.

    Raises:
        OSError: one cannot be written; its file name is the path. What was there is untouched,
            unless the disk fails between two renames.
    """
    written: dict[Path, int] = {}
    path = Path()
    try:
        for path in sorted(contents):  # in one order, so that no two processes wait for each other
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
            if path.exists() and not path.is_file():  # root would replace /dev/null for everybody
                raise OSError(errno.EEXIST, "it is a device, a pipe or a socket", str(path))
            written[path] = _open_temporary(path, mode)
            _write_through(written[path], contents[path])
        for path in contents:
            temporary_path(path).replace(path)
    except BaseException as error:
        for other, descriptor in written.items():
            if is_at(descriptor, temporary_path(other)):
                with contextlib.suppress(OSError):
                    temporary_path(other).unlink()
        if isinstance(error, OSError):
            error.filename = str(path)  # what was asked for, not the temporary file
        raise
    finally:
        for descriptor in written.values():
            os.close(descriptor)
    for folder in {path.parent for path in contents}:
        sync(folder)


def temporary_path(path: Path) -> Path:
    """Return where a file is written before it is renamed to ``path``.

    The name is always the same, so that the next writer of ``path`` takes the place of what a
    killed one left. A living one holds its lock.
    """
    return path.with_name(f".{path.name}.tmp")


def _open_temporary(path: Path, mode: int) -> int:
    """Return the descriptor of a new, locked, empty temporary file; wait for other writers."""
    temporary = temporary_path(path)
    while True:
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            descriptor = os.open(temporary, flags, mode)
        except FileExistsError:
            _remove_when_free(temporary)
            continue
        lock(descriptor, wait=True)
        if is_at(descriptor, temporary):
            return descriptor
        os.close(descriptor)  # taken for a killed one's before it was locked


def _remove_when_free(temporary: Path) -> None:
    """Delete the temporary file of a killed process; wait for a living one to rename its own."""
    try:
        descriptor = os.open(temporary, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        lock(descriptor, wait=True)
        if is_at(descriptor, temporary):
            temporary.unlink()
    finally:
        os.close(descriptor)


def _write_through(descriptor: int, data: bytes | str) -> None:
    """Write to an open file and flush it to the disk."""
    rest = memoryview(data.encode() if isinstance(data, str) else data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.fsync(descriptor)


def refuse_unwritable_folder(folder: Path) -> None:
    """Raise unless files can be written to a folder, which need not be there yet.

    Asked before slow work, so that its result is not lost for want of a place. A file is really
    made, and is gone again: what root may do in /proc or on a read-only disk no mode bits tell.

    Raises:
        OSError: it, or the nearest folder above that is there, is none or cannot be written to.
    """
    nearest = next(path for path in (folder, *folder.absolute().parents) if _is_there(path))
    if not nearest.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(nearest))
    probe = nearest / "fmnist-edge"
    os.close(_open_temporary(probe, 0o600))
    temporary_path(probe).unlink(missing_ok=True)  # another process may have taken it for its own


def _is_there(path: Path) -> bool:
    """Whether there is anything of this name, be it a link to nowhere."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def write_json_atomically(path: Path, document: Mapping[str, Any]) -> None:
    """Write ``document`` as indented JSON, whole or not at all. NaN and infinity are refused."""
    write_atomically(path, to_json(document) + "\n")


def to_json(document: Mapping[str, Any]) -> str:
    """Return ``document`` as indented JSON that every parser accepts (no NaN), safe to be shown."""
    return json_escaped(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder (so, renames in it), to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def switch_link(link: Path, target: Path) -> None:
    """Let a symbolic link point to ``target``, by one rename: to the old or the new, at any moment.

    Args:
        link: the link, which need not be there yet.
        target: what it says, absolute or relative to its folder.

    Raises:
        OSError: it cannot be replaced.
    """
    temporary = temporary_path(link)
    with folder_lock(link.parent):  # a link has no lock of its own
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(target)
        try:
            temporary.replace(link)
        except OSError:
            temporary.unlink()
            raise
    sync(link.parent)
