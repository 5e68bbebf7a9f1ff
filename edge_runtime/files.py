"""Reading under a size cap, hashing, and writing so that a file appears whole or not at all."""

import contextlib
import errno
import importlib
import json
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

# hashlib loads OpenSSL, 3.6 MiB of memory, which pays for much data only. Python's own `random`
# takes the lean module by the same means.
_lean: Any = None
with contextlib.suppress(ImportError):  # another Python may be built without it
    _lean = importlib.import_module("_sha2" if sys.version_info >= (3, 12) else "_sha256")

MEBIBYTE = 1024 * 1024
CHUNK_BYTES = MEBIBYTE


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


@contextlib.contextmanager
def open_regular(path: Path, *, limit_bytes: int) -> Iterator[BinaryIO]:
    """Open a regular file to read, refusing one of more than ``limit_bytes`` before it is read.

    A named pipe without a writer is refused at once instead of waiting for one.

    Raises:
        ValueError: the file is larger than the limit.
        OSError: it is a folder, a pipe or a device, or cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is a pipe, a socket or a device, not a file", str(path))
        if found.st_size > limit_bytes:
            raise _too_large(limit_bytes)
        yield file


def read_capped(path: Path, *, limit_bytes: int) -> bytes:
    """Read a regular file once, refusing more than ``limit_bytes``, also where it grows meanwhile.

    Raises:
        ValueError: the file is larger than the limit.
        OSError: it is a folder, a pipe or a device, or cannot be read.
    """
    with open_regular(path, limit_bytes=limit_bytes) as file:
        return read_rest(file, limit_bytes=limit_bytes)


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
    import hashlib

    digest = hashlib.sha256()
    with open_regular(path, limit_bytes=limit_bytes) as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _too_large(limit_bytes: int) -> ValueError:
    return ValueError(f"it is larger than {limit_bytes // MEBIBYTE} MiB")


def write_atomically(path: Path, data: bytes | str) -> None:
    """Write a file so that at any moment ``path`` holds the old content or the new, never a part.

    A temporary file in the same folder is written, flushed to the disk and renamed; then the folder
    itself is flushed, so that the rename survives a power cut.

    Raises:
        OSError: it cannot be written; its file name is ``path``.
    """
    write_together({path: data})


def write_together(contents: Mapping[Path, bytes | str]) -> None:
    """Write several files as `write_atomically` does, and none of them before all are on the disk.

    Raises:
        OSError: one cannot be written; its file name is the path. What was there is untouched,
            unless the disk fails between two renames.
    """
    temporaries: dict[Path, Path] = {}
    path = Path()
    try:
        for path, data in contents.items():
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
            temporaries[path] = path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")
            _write_through(temporaries[path], data)
        for path, temporary in temporaries.items():
            temporary.replace(path)
    except BaseException as error:
        for temporary in temporaries.values():
            with contextlib.suppress(OSError):
                temporary.unlink()
        if isinstance(error, OSError):
            error.filename = str(path)  # what was asked for, not the temporary file
        raise
    for folder in {path.parent for path in contents}:
        sync(folder)


def _write_through(path: Path, data: bytes | str) -> None:
    """Write a new file and flush it to the disk."""
    with path.open("xb") as file:
        file.write(data.encode() if isinstance(data, str) else data)
        file.flush()
        os.fsync(file.fileno())


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
    import tempfile  # as shutil below: who only reads should not load what they bring along

    tempfile.NamedTemporaryFile(dir=nearest, prefix=".", suffix=".tmp").close()


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
    """Return ``document`` as indented JSON text that every parser accepts (no NaN)."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)


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
    temporary = link.with_name(f".{link.name}.{os.urandom(4).hex()}.tmp")
    temporary.symlink_to(target)
    try:
        temporary.replace(link)
    except OSError:
        temporary.unlink()
        raise
    sync(link.parent)


def put_folder_in_place(source: Path, target: Path) -> None:
    """Rename ``source`` to ``target``, setting an existing target aside first, then deleting it."""
    for entry in source.rglob("*"):
        if entry.is_file() or entry.is_dir():
            sync(entry)
    sync(source)
    aside = target.with_name(f".{target.name}.{os.urandom(4).hex()}.old")
    if target.exists():
        target.rename(aside)
    try:
        source.rename(target)
    except BaseException:
        if aside.exists():
            aside.rename(target)
        raise
    sync(target.parent)
    if aside.is_dir() and not aside.is_symlink():
        import shutil

        shutil.rmtree(aside, ignore_errors=True)
    else:
        aside.unlink(missing_ok=True)
