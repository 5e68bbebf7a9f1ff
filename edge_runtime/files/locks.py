"""Locks that the system releases when the process that holds them ends, however it ends: flock(2).

Some file systems have no locks. There every lock is granted, as if nobody else were at work.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def opened(path: Path, flags: int = os.O_RDONLY) -> Iterator[int]:
    """Open a file or folder, and close it at the end, which releases its lock.

    Raises:
        OSError: it cannot be opened.
    """
    descriptor = os.open(path, flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def lock(descriptor: int, *, wait: bool) -> bool:
    """Lock an open file or folder; return False if another process holds it and ``wait`` is false.

    The lock is released when the descriptor is closed.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:  # this file system has no locks
        return True
    return True


def is_at(descriptor: int, path: Path) -> bool:
    """Return whether ``path`` is the open file; another process may have renamed or deleted it."""
    try:
        there = path.lstat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), there)


def is_locked(path: Path) -> bool:
    """Return whether a process that is alive holds the lock of a file or folder."""
    try:
        with opened(path) as descriptor:
            return not lock(descriptor, wait=False)
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Keep other processes that ask for the same lock waiting.

    Raises:
        OSError: the folder cannot be opened.
    """
    with opened(folder) as descriptor:
        lock(descriptor, wait=True)
        yield
