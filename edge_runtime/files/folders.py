"""Replacing a folder in one step: at any moment the old one is there or the new one, whole."""

import ctypes
import errno
import os
import shutil
from pathlib import Path

from edge_runtime.files.writing import sync

# linux/fcntl.h and linux/fs.h
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2

# What a kernel, or a file system such as NFS, answers that cannot exchange two names.
_CANNOT_EXCHANGE = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)


def put_folder_in_place(source: Path, target: Path) -> None:
    """Rename ``source`` to ``target`` in one step, and delete what was there before.

    Where the file system cannot exchange two names, an existing target is set aside first, and a
    process that is killed before the second rename leaves it there, for `recover_folder`.

    Raises:
        OSError: it cannot be put in place; the old target is there still.
    """
    recover_folder(target)
    for path in (*source.rglob("*"), source):
        if path.is_file() or path.is_dir():
            sync(path)
    if not os.path.lexists(target):
        source.rename(target)
    elif not exchange(source, target):
        _exchange_in_two_steps(source, target)
    for folder in {source.parent, target.parent}:
        sync(folder)
    remove(source)


def recover_folder(target: Path) -> None:
    """Bring back the folder that a killed `put_folder_in_place` had set aside, or delete it.

    Raises:
        OSError: it cannot be brought back.
    """
    aside = _aside(target)
    if not os.path.lexists(aside):
        return
    if os.path.lexists(target):
        remove(aside)
    else:
        aside.rename(target)


def remove(path: Path) -> None:
    """Delete a file, a link, or a folder with all that is in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def exchange(one: Path, other: Path) -> bool:
    """Exchange two names in one step; return False where the file system cannot.

    Raises:
        OSError: they cannot be exchanged.
    """
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:  # not Linux, or an old C library
        return False
    names = os.fsencode(one), os.fsencode(other)
    if renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT_EXCHANGE:
        return False
    raise OSError(number, os.strerror(number), str(other))


def _exchange_in_two_steps(source: Path, target: Path) -> None:
    aside = _aside(target)
    target.rename(aside)
    try:
        source.rename(target)
    except BaseException:
        aside.rename(target)
        raise
    aside.rename(source)


def _aside(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")
