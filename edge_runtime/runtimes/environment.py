"""Check what a model needs around it: Python, operating system, NumPy, a TFLite runtime, Pillow."""

import importlib.metadata
import platform
import re
import shlex
import shutil
import struct
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from edge_runtime.errors import MissingDependencyError
from edge_runtime.runtimes.availability import (
    LAST_PYTHON_OF_LITERT,
    LAST_PYTHON_OF_TFLITE_RUNTIME,
    glibc_version,
    runtime_for,
)
from edge_runtime.runtimes.backends import BACKENDS, Backend
from edge_runtime.runtimes.native import native_messages_silenced

# The newest runs models; TensorFlow, which trains and converts, is made for those before it.
SUPPORTED_PYTHONS = ((3, 10), LAST_PYTHON_OF_LITERT)
# Oldest versions, as in the project's requirements.
_LEAST = {"numpy": (1, 23, 2), "pillow": (10, 1), "click": (8, 1), "jinja2": (3, 1)}
_64_BIT_KERNELS = ("x86_64", "aarch64", "arm64", "AMD64")


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


@dataclass(frozen=True)
class EnvironmentFinding:
    """One thing that was looked at: its name, what was found, what is wrong and what mends it."""

    name: str
    found: str
    problem: str = ""
    mend: str = ""

    @property
    def ok(self) -> bool:
        """Whether it is as it should be."""
        return not self.problem

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**asdict(self), "ok": self.ok}


def check_environment(machine: Machine | None = None) -> tuple[EnvironmentFinding, ...]:
    """Return what was found, by default on this machine, in the order in which to mend it."""
    machine = machine or this_machine()
    findings = (
        _check_python(machine),
        _check_system(machine),
        _check_numpy(machine),
        *_check_runtimes(machine),
        _check_package(machine, "pillow", "Pillow"),
        _check_package(machine, "click", "click"),
        _check_package(machine, "jinja2", "Jinja2"),
    )
    pip = re.compile(r"(?<![\w/])pip(?= install)")
    return tuple(replace(one, mend=pip.sub(lambda _: machine.pip, one.mend)) for one in findings)


def _check_python(machine: Machine) -> EnvironmentFinding:
    found = ".".join(map(str, machine.python))
    low, high = (".".join(map(str, one)) for one in SUPPORTED_PYTHONS)
    if SUPPORTED_PYTHONS[0] <= machine.python[:2] <= SUPPORTED_PYTHONS[1]:
        return EnvironmentFinding("Python", found)
    last = LAST_PYTHON_OF_TFLITE_RUNTIME if machine.is_32_bit else SUPPORTED_PYTHONS[1]
    mend = f"python{'.'.join(map(str, last))} -m venv .venv && .venv/bin/pip install ."
    return EnvironmentFinding("Python", found, f"Python {low} to {high} is supported.", mend)


def _check_system(machine: Machine) -> EnvironmentFinding:
    found = f"{machine.system}, {machine.architecture}, {machine.pointer_bits}-bit programs"
    if not (machine.is_32_bit and machine.architecture in _64_BIT_KERNELS):
        return EnvironmentFinding("system", found)
    found += " on a 64-bit kernel"
    if machine.python[:2] <= LAST_PYTHON_OF_TFLITE_RUNTIME:
        return EnvironmentFinding("system", found)
    return EnvironmentFinding(
        "system",
        found,
        "These programs are 32-bit ones on a 64-bit kernel, and no TFLite runtime is made for "
        "32-bit Python 3.12 or newer.",
        "install the 64-bit Raspberry Pi OS, then: pip install ai-edge-litert",
    )


def _check_numpy(machine: Machine) -> EnvironmentFinding:
    finding = _check_package(machine, "numpy", "NumPy")
    if not finding.ok or _numbers(machine.versions["numpy"])[0] < 2:
        return finding
    litert = "ai-edge-litert"
    works = litert in machine.versions and litert not in machine.import_errors
    if "tflite-runtime" not in machine.versions or works:
        return finding
    problem = "tflite-runtime is compiled for NumPy 1 and fails with NumPy 2."
    return replace(finding, problem=problem, mend="pip install 'numpy<2'")


def _check_runtimes(machine: Machine) -> Iterator[EnvironmentFinding]:
    found = []
    for backend in BACKENDS:
        if backend.package in machine.versions:
            finding = EnvironmentFinding(backend.package, machine.versions[backend.package])
            error = " ".join(machine.import_errors.get(backend.package, "").split())
            if error:
                said = error if len(error) <= 160 else f"{error[:157]}…"
                problem = f"It is installed but cannot be imported ({said})."
                mend = f"pip install --force-reinstall {backend.requirement}"
                finding = replace(finding, problem=problem, mend=mend)
            found.append(finding)
    yield from found
    if not any(one.name != "tensorflow" or not one.ok for one in found):
        possible = runtime_for(
            *(machine.python, machine.system, machine.architecture),
            *(machine.pointer_bits, machine.glibc),
        )
        problem = possible.problem or "A model needs one to run."
        mend = possible.mend or f"pip install {possible.requirement}"
        yield EnvironmentFinding("TFLite runtime", "none", problem, mend)


def _check_package(machine: Machine, package: str, name: str) -> EnvironmentFinding:
    version = machine.versions.get(package)
    least = ".".join(map(str, _LEAST[package]))
    wanted = f"pip install '{package}>={least}'"
    if version is None:
        return EnvironmentFinding(name, "none", "It is not installed.", wanted)
    if _numbers(version) < _LEAST[package]:
        return EnvironmentFinding(name, version, f"Version {least} or newer is needed.", wanted)
    return EnvironmentFinding(name, version)


def _numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: 2.1.0rc1 gives (2, 1)."""
    leading = re.match(r"(?:\d+(?:\.|$))*", version)
    return tuple(map(int, re.findall(r"\d+", leading[0]))) if leading and leading[0] else (0,)


def this_machine() -> Machine:
    """Look at this machine; the two small runtimes are imported to see whether they can be."""
    names = (*_LEAST, *(backend.package for backend in BACKENDS))
    versions = {name: version for name in names if (version := _version(name))}
    # TensorFlow takes seconds to import and is never chosen unasked.
    small = (one for one in BACKENDS if one.package in versions and one.name != "tensorflow")
    return Machine(
        tuple(sys.version_info[:3]),
        platform.system(),
        platform.machine(),
        8 * struct.calcsize("P"),
        versions,
        {one.package: error for one in small if (error := _import_error(one))},
        _pip(),
        glibc_version(),
    )


def _pip() -> str:
    """Return "pip" where that is this Python's, and else what surely is."""
    first = shutil.which("pip")
    if first and Path(first).parent.resolve() == Path(sys.executable).parent.resolve():
        return "pip"
    return f"{shlex.quote(sys.executable)} -m pip"


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
