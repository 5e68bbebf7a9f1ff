"""What of this machine matters to a model: Python, system, processor, installed packages."""

import importlib.metadata
import platform
import shlex
import shutil
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import MissingDependencyError
from edge_runtime.runtimes.availability import glibc_version
from edge_runtime.runtimes.backends import BACKENDS, Backend
from edge_runtime.runtimes.native import native_messages_silenced


@dataclass(frozen=True)
class Machine:
    """What the checks go by, so that other machines can be checked in tests.

    Attributes:
        python: version, as in sys.version_info[:3].
        system: "Linux", for example.
        architecture: the kernel's, as `uname -m` says.
        pointer_bits: 32 or 64, of this Python.
        versions: of the installed packages, by pip's name.
        import_errors: why an installed runtime cannot be imported, by pip's name.
        pip: the command that installs for this Python.
        glibc: the version of the C library, as in (2, 36); None if it is another one.
    """

    python: tuple[int, ...]
    system: str
    architecture: str
    pointer_bits: int
    versions: dict[str, str]
    import_errors: dict[str, str]
    pip: str = "pip"
    glibc: tuple[int, ...] | None = (2, 36)

    @property
    def is_32_bit(self) -> bool:
        """Whether programs here are 32-bit ones, whatever the kernel is."""
        return self.pointer_bits == 32


def this_machine() -> Machine:
    """Look at this machine; the two small runtimes are imported to see whether they can be."""
    names = ("numpy", "pillow", "click", *(backend.package for backend in BACKENDS))
    versions = {name: version for name in names if (version := _version(name))}
    errors = {}
    for backend in BACKENDS:
        # TensorFlow takes seconds to import and is never chosen unasked.
        if backend.package in versions and backend.name != "tensorflow":
            error = _import_error(backend)
            if error:
                errors[backend.package] = error
    return Machine(
        tuple(sys.version_info[:3]),
        platform.system(),
        platform.machine(),
        8 * struct.calcsize("P"),
        versions,
        errors,
        _pip(),
        glibc_version(),
    )


def _pip() -> str:
    """Return "pip" where that is this Python's, and else what surely is."""
    first = shutil.which("pip")
    if first is not None and _folder(first) == _folder(sys.executable):
        return "pip"
    return f"{shlex.quote(sys.executable)} -m pip"


def _folder(program: str) -> Path:
    return Path(program).parent.resolve()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _import_error(backend: Backend) -> str:
    try:
        with native_messages_silenced():
            backend._interpreter_class()
    except MissingDependencyError as error:
        return str(error.__cause__ or error)
    except Exception as error:  # NumPy 2 makes old extensions fail in many ways
        return f"{type(error).__name__}: {error}"
    return ""
