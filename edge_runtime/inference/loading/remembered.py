"""Which files have passed every check on this machine, by hash.

A note is an empty file whose name says all. It is only ever written after the checks, by the user
who runs them, into that user's own cache; one that another user could have written there counts
for nothing, and losing one costs a second. It holds for this processor only: the same memory card
in another board has the model checked again.
"""

import contextlib
import os
import platform
import stat
from pathlib import Path

from edge_runtime.files.reading import cache_folder, sha256
from edge_runtime.models.model_file import ModelFile
from edge_runtime.runtimes.backends import Backend, Kernels
from edge_runtime.runtimes.machine import processor_identity

# Raised whenever a check is added, so that files are checked again.
_CHECKS_VERSION = 2


def has_passed(file: ModelFile, *, backend: Backend, kernels: Kernels) -> bool:
    """Return whether these very bytes have passed with this runtime on this machine."""
    try:
        note = _note(file, backend, kernels)
        return _is_own(note.parent) and _is_own(note)
    except (OSError, RuntimeError):  # no such folder may be read, or there is no home
        return False


def _is_own(path: Path) -> bool:
    """Return whether this user made a file or a folder, and nobody else may write to it."""
    found = path.lstat()
    return (
        found.st_uid == os.geteuid()
        and not stat.S_ISLNK(found.st_mode)
        and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )


def remember_passed(file: ModelFile, *, backend: Backend, kernels: Kernels) -> None:
    """Note that these bytes have passed; where that cannot be noted they are checked again."""
    with contextlib.suppress(OSError, RuntimeError):
        note = _note(file, backend, kernels)
        note.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        note.parent.chmod(0o700)  # an older one may be open to a group, and would never count
        note.touch(mode=0o600)


def _note(file: ModelFile, backend: Backend, kernels: Kernels) -> Path:
    parts = (
        str(_CHECKS_VERSION),
        file.sha256,
        backend.package,
        backend.version,
        kernels,
        processor_identity(),
        platform.node(),
    )
    return cache_folder() / "passed" / sha256("\n".join(parts).encode())
