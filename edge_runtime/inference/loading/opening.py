"""From a path to a model whose bytes may be loaded.

What has passed is noted by an empty file whose name says all. It is only ever written after the
checks, by the user who runs them, into that user's own cache, and holds for this processor only.
"""

import contextlib
import os
import platform
import stat
from pathlib import Path

from edge_runtime.errors import ModelError
from edge_runtime.files.reading import cache_folder, sha256
from edge_runtime.inference.loading.probe import ProbeResult, probe
from edge_runtime.inference.tensors import inspect_file
from edge_runtime.models.inspection import ModelSummary, runtime_support
from edge_runtime.models.model_file import ModelFile, read_model
from edge_runtime.runtimes.backends import Backend, Kernels, choose_backend
from edge_runtime.runtimes.machine import processor_identity

# Raised whenever a check is added, so that files are checked again.
_CHECKS_VERSION = 2


def open_model(
    path: Path, *, backend: Backend | str | None = None, kernels: Kernels = "auto"
) -> ModelFile:
    """Read a .tflite or a bundle, and return it when it has passed every check.

    Raises:
        ModelError: the file is missing, damaged, needs what the runtime lacks, makes the runtime
            crash or hang, or does not answer the golden vectors of its bundle.
        MissingDependencyError: the backend is not installed.
    """
    chosen = choose_backend(backend)
    file = read_model(path)
    if not _has_passed(file, backend=chosen, kernels=kernels):
        chosen.refuse_missing()
        examine(file, backend=chosen, kernels=kernels)
        remember_passed(file, backend=chosen, kernels=kernels)
    return file


def examine(file: ModelFile, *, backend: Backend, kernels: Kernels = "auto") -> ProbeResult:
    """Check the structure of a model that was read, and run it in a process of its own.

    One that came in a bundle must reproduce its golden vectors.

    Raises:
        ModelError: it is damaged, needs what the runtime lacks, makes it crash or hang, or does not
            answer its golden vectors.
    """
    check_structure(file, backend)
    try:
        found = probe(file, backend=backend.name, kernels=kernels)
    except ModelError as error:
        raise ModelError(f"{file.name}: {error}") from error
    if found.selftest is not None and not found.selftest["ok"]:
        raise ModelError(f"{file.name}: {found.selftest['in_words']}; do not use it here.")
    return found


def check_structure(file: ModelFile, backend: Backend) -> ModelSummary:
    """Check the bytes of a model, and its operators against a runtime; nothing is run.

    Raises:
        ModelError: they are damaged, or the runtime lacks an operator, a version or a type.
    """
    summary = inspect_file(file)
    for support in runtime_support(summary):
        if support.runtime.split()[0] == backend.package and not support.supported:
            raise ModelError(
                f"{file.name}: {support.runtime} cannot run this model: "
                f"{'; '.join(support.problems)}. Convert it for that runtime."
            )
    return summary


def _has_passed(file: ModelFile, *, backend: Backend, kernels: Kernels) -> bool:
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
