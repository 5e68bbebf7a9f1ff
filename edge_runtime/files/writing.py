"""Writing so that a file appears whole or not at all."""

import contextlib
import errno
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edge_runtime.files.locks import folder_lock, is_at, lock, opened
from edge_runtime.wording import json_escaped


def write_atomically(path: Path, data: bytes | str, *, mode: int = 0o666) -> None:
    """Write a file so that at any moment ``path`` holds the old content or the new, never a part.

    A temporary file in the same folder is written, flushed to the disk and renamed; then the folder
    itself is flushed, so that the rename survives a power cut.

    Args:
        path: the file.
        data: what it will hold.
        mode: its permissions from the first byte on, less what the umask takes away.

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
    path = Path()
    try:
        with contextlib.ExitStack() as stack:
            for path in sorted(contents):  # in one order, so that no two wait for each other
                _refuse_other_than_file(path)
                _write_through(stack.enter_context(_temporary(path, mode)), contents[path])
            for path in contents:
                temporary_path(path).replace(path)
    except OSError as error:
        error.filename = str(path)  # what was asked for, not the temporary file
        raise
    for folder in {path.parent for path in contents}:
        sync(folder)


def _refuse_other_than_file(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():  # root would replace /dev/null for everybody
        raise OSError(errno.EEXIST, "it is a device, a pipe or a socket", str(path))


def temporary_path(path: Path) -> Path:
    """Return where a file is written before it is renamed to ``path``.

    The name is always the same, so that the next writer of ``path`` takes the place of what a
    killed one left. A living one holds its lock.
    """
    return path.with_name(f".{path.name}.tmp")


@contextlib.contextmanager
def _temporary(path: Path, mode: int) -> Iterator[int]:
    """Open a new, locked temporary file, which is gone at the end where it was not renamed."""
    descriptor = _open_temporary(path, mode)
    try:
        yield descriptor
    finally:
        with contextlib.suppress(OSError):
            if is_at(descriptor, temporary_path(path)):
                temporary_path(path).unlink()
        os.close(descriptor)


def _open_temporary(path: Path, mode: int) -> int:
    """Return the descriptor of a new, locked temporary file; wait for other writers."""
    temporary = temporary_path(path)
    while True:
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        except FileExistsError:
            _remove_when_free(temporary)
            continue
        lock(descriptor, wait=True)
        if is_at(descriptor, temporary):
            return descriptor
        os.close(descriptor)  # taken for a killed one's before it was locked


def _remove_when_free(temporary: Path) -> None:
    """Delete the temporary file of a killed process; wait for a living one to rename its own."""
    flags = os.O_RDONLY | os.O_NOFOLLOW
    with contextlib.suppress(FileNotFoundError), opened(temporary, flags) as descriptor:
        lock(descriptor, wait=True)
        if is_at(descriptor, temporary):
            temporary.unlink()


def _write_through(descriptor: int, data: bytes | str) -> None:
    rest = memoryview(data.encode() if isinstance(data, str) else data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.fsync(descriptor)


def refuse_unwritable_folder(folder: Path) -> None:
    """Raise unless files can be written to a folder, which need not be there yet.

    A file is really made, and is gone again: what root may do in /proc or on a read-only disk no
    mode bits tell.

    Raises:
        OSError: it, or the nearest folder above that is there, is none or cannot be written to.
    """
    for nearest in (folder, *folder.absolute().parents):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            nearest.lstat()  # there, be it as a link to nowhere
            break
    if not nearest.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(nearest))
    with _temporary(nearest / "fmnist-edge", 0o600):
        pass


def write_json_atomically(path: Path, document: Mapping[str, Any]) -> None:
    """Write ``document`` as indented JSON, whole or not at all. NaN and infinity are refused."""
    write_atomically(path, to_json(document) + "\n")


def to_json(document: Mapping[str, Any]) -> str:
    """Return ``document`` as indented JSON that every parser accepts (no NaN), safe to be shown."""
    return json_escaped(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder (so, renames in it), to the disk."""
    with opened(path) as descriptor:
        os.fsync(descriptor)


def switch_link(link: Path, target: Path) -> None:
    """Let a symbolic link, which need not be there yet, point to ``target``, by one rename.

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
