"""Check what a model needs around it: Python, operating system, NumPy, a TFLite runtime, Pillow."""

import re
from dataclasses import asdict, dataclass, replace
from typing import Any

from edge_runtime.doctor.host import Machine, this_machine
from edge_runtime.runtimes.availability import (
    LAST_PYTHON_OF_LITERT,
    LAST_PYTHON_OF_TFLITE_RUNTIME,
    runtime_for,
)
from edge_runtime.runtimes.backends import BACKENDS

# The newest runs models; TensorFlow, which trains and converts, is made for those before it.
SUPPORTED_PYTHONS = ((3, 10), LAST_PYTHON_OF_LITERT)
# Oldest versions, as in the project's requirements.
_LEAST = {"numpy": (1, 23, 2), "pillow": (10, 1), "click": (8, 1)}
_64_BIT_KERNELS = ("x86_64", "aarch64", "arm64", "AMD64")


@dataclass(frozen=True)
class EnvironmentFinding:
    """One thing that was looked at.

    Attributes:
        name: what it is.
        found: what was found.
        problem: what is wrong with it, a sentence; "" if nothing is.
        mend: the exact command or step that mends it, or "".
    """

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
    """Return what was found, in the order in which it should be mended.

    Args:
        machine: by default this one.
    """
    machine = machine or this_machine()
    findings = (
        _check_python(machine),
        _check_system(machine),
        _check_numpy(machine),
        *_check_runtimes(machine),
        _check_package(machine, "pillow", "Pillow"),
        _check_package(machine, "click", "click"),
    )
    return tuple(replace(one, mend=_with_pip(one.mend, machine.pip)) for one in findings)


def _with_pip(mend: str, pip: str) -> str:
    return re.sub(r"(?<![\w/])pip(?= install)", lambda _: pip, mend)


def _check_python(machine: Machine) -> EnvironmentFinding:
    found = ".".join(map(str, machine.python))
    low, high = (".".join(map(str, one)) for one in SUPPORTED_PYTHONS)
    last = LAST_PYTHON_OF_TFLITE_RUNTIME if machine.is_32_bit else SUPPORTED_PYTHONS[1]
    if SUPPORTED_PYTHONS[0] <= machine.python[:2] <= SUPPORTED_PYTHONS[1]:
        return EnvironmentFinding("Python", found)
    return EnvironmentFinding(
        "Python",
        found,
        f"Python {low} to {high} is supported.",
        f"python{'.'.join(map(str, last))} -m venv .venv && .venv/bin/pip install .",
    )


def _check_system(machine: Machine) -> EnvironmentFinding:
    found = f"{machine.system}, {machine.architecture}, {machine.pointer_bits}-bit programs"
    if machine.is_32_bit and machine.architecture in _64_BIT_KERNELS:
        found += " on a 64-bit kernel"
        if machine.python[:2] > LAST_PYTHON_OF_TFLITE_RUNTIME:
            return EnvironmentFinding(
                "system",
                found,
                "These programs are 32-bit ones on a 64-bit kernel, and no TFLite runtime is made "
                "for 32-bit Python 3.12 or newer.",
                "install the 64-bit Raspberry Pi OS, then: pip install ai-edge-litert",
            )
    return EnvironmentFinding("system", found)


def _check_numpy(machine: Machine) -> EnvironmentFinding:
    finding = _check_package(machine, "numpy", "NumPy")
    if not finding.ok or _numbers(machine.versions["numpy"])[0] < 2:
        return finding
    old_runtime = "tflite-runtime" in machine.versions
    if not old_runtime or _works(machine, "ai-edge-litert"):
        return finding
    return EnvironmentFinding(
        "NumPy",
        machine.versions["numpy"],
        "tflite-runtime is compiled for NumPy 1 and fails with NumPy 2.",
        "pip install 'numpy<2'",
    )


def _works(machine: Machine, package: str) -> bool:
    return package in machine.versions and package not in machine.import_errors


def _check_runtimes(machine: Machine) -> list[EnvironmentFinding]:
    found = []
    for backend in BACKENDS:
        version = machine.versions.get(backend.package)
        if version is None:
            continue
        error = machine.import_errors.get(backend.package, "")
        if error:
            found.append(
                EnvironmentFinding(
                    backend.package,
                    version,
                    f"It is installed but cannot be imported ({_first_line(error)}).",
                    f"pip install --force-reinstall {backend.requirement}",
                )
            )
        else:
            found.append(EnvironmentFinding(backend.package, version))
    usable = [one for one in found if one.ok and one.name != "tensorflow"]
    return found if usable or _explains(found) else [*found, _no_runtime(machine)]


def _explains(found: list[EnvironmentFinding]) -> bool:
    return any(not one.ok for one in found)


def _no_runtime(machine: Machine) -> EnvironmentFinding:
    possible = runtime_for(
        machine.python, machine.system, machine.architecture, machine.pointer_bits, machine.glibc
    )
    problem = possible.problem or "A model needs one to run."
    mend = possible.mend or f"pip install {possible.requirement}"
    return EnvironmentFinding("TFLite runtime", "none", problem, mend)


def _first_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 160 else f"{line[:157]}…"


def _check_package(machine: Machine, package: str, name: str) -> EnvironmentFinding:
    version = machine.versions.get(package)
    least = _LEAST[package]
    wanted = f"pip install '{package}>={'.'.join(map(str, least))}'"
    if version is None:
        return EnvironmentFinding(name, "none", "It is not installed.", wanted)
    if _numbers(version) < least:
        text = f"Version {'.'.join(map(str, least))} or newer is needed."
        return EnvironmentFinding(name, version, text, wanted)
    return EnvironmentFinding(name, version)


def _numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: 2.1.0rc1 gives (2, 1)."""
    numbers = []
    for part in version.split("."):
        if not part.isdecimal():
            break
        numbers.append(int(part))
    return tuple(numbers) or (0,)
