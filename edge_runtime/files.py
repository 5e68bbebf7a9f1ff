"""Reading under a size cap, hashing, and writing so that a file appears whole or not at all."""

import contextlib
import errno
import importlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# hashlib loads OpenSSL, 3.6 MiB of memory, which pays for much data only. Python's own `random`
# takes the lean module by the same means.
_lean: Any = None
with contextlib.suppress(ImportError):  # another Python may be built without it
    _lean = importlib.import_module("_sha2" if sys.version_info >= (3, 12) else "_sha256")

MEBIBYTE = 1024 * 1024
_CHUNK_BYTES = 16 * MEBIBYTE
_LEAST_CHUNK_BYTES = 4096  # for what tells no size, like a pipe


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


def read_capped(path: Path, *, limit_bytes: int) -> bytes:
    """Read a file once, refusing more than ``limit_bytes``.

    Raises:
        ValueError: the file is larger than the limit.
        OSError: it cannot be read.
    """
    chunks, left = [], limit_bytes + 1
    with path.open("rb", buffering=0) as file:
        # Python sets aside what is asked for, and 32 bits cannot ask for 4 GiB.
        expected = max(os.fstat(file.fileno()).st_size + 1, _LEAST_CHUNK_BYTES)
        while left and (chunk := file.read(min(left, expected, _CHUNK_BYTES))):
            chunks.append(chunk)
            left -= len(chunk)
    if not left:
        raise ValueError(f"it is larger than {limit_bytes // MEBIBYTE} MiB")
    return b"".join(chunks)


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
            _write_through(temporaries[path], data, mode)
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


def _write_through(path: Path, data: bytes | str, mode: int) -> None:
    """Write a new file and flush it to the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
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
