"""Which TFLite runtime a machine can have, by the wheels that there are, and what is installed.

    ai-edge-litert          64-bit: Linux with glibc (x86-64, ARM), macOS (ARM), Windows (x86-64)
    tflite-runtime 2.14.0   32-bit ARMv7: Linux with glibc 2.34, up to Python 3.11

`setup.py` requires the same at installation; what has none still installs, and is told by
`choose_backend` and by the doctor.
"""

import platform
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

LITERT = "ai-edge-litert"
TFLITE_RUNTIME = "tflite-runtime==2.14.0 'numpy<2'"
LAST_PYTHON_OF_LITERT = (3, 14)
LAST_PYTHON_OF_TFLITE_RUNTIME = (3, 11)

# As in the names of their wheels: manylinux_2_27 and manylinux_2_34.
_LEAST_GLIBC = {LITERT: (2, 27), TFLITE_RUNTIME: (2, 34)}
_LITERT_MACHINES = {"Linux": ("x86_64", "aarch64"), "Darwin": ("arm64",), "Windows": ("AMD64",)}
_USE_64_BIT = f"install the 64-bit Raspberry Pi OS, then: pip install {LITERT}"


@dataclass(frozen=True)
class Availability:
    """The runtime for a machine, or why there is none.

    Attributes:
        requirement: what to give to `pip install`; "" if there is nothing.
        problem: why there is nothing, a sentence, or "".
        mend: what to do then, or "".
    """

    requirement: str
    problem: str = ""
    mend: str = ""


def _none(problem: str, mend: str) -> Availability:
    return Availability("", problem, mend)


def runtime_here() -> Availability:
    """Return the runtime for the Python that is running."""
    return runtime_for(
        tuple(sys.version_info[:2]),
        platform.system(),
        platform.machine(),
        8 * struct.calcsize("P"),
        glibc_version(),
    )


def glibc_version() -> tuple[int, ...] | None:
    """Return the version of the C library, as in (2, 36); None if it is another one, like musl."""
    name, version = platform.libc_ver()
    if name != "glibc":
        return None
    return tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())


def runtime_for(
    python: tuple[int, ...],
    system: str,
    machine: str,
    pointer_bits: int,
    glibc: tuple[int, ...] | None,
) -> Availability:
    """Return the runtime for a machine.

    Args:
        python: version, as in (3, 11).
        system: as `platform.system` says, "Linux" for example.
        machine: the kernel's, as `uname -m` says; a 64-bit one may have 32-bit programs.
        pointer_bits: 32 or 64, of this Python.
        glibc: its version; None if the C library is another one.
    """
    if pointer_bits == 64:
        found = _on_64_bit(python, system, machine)
    else:
        found = _on_32_bit(python, system, machine)
    least = _LEAST_GLIBC.get(found.requirement)
    if system != "Linux" or least is None or (glibc is not None and glibc >= least):
        return found
    has = "this C library is another one" if glibc is None else f"here is {_dotted(glibc)}"
    return _none(
        f"The TFLite runtimes are made for glibc {_dotted(least)} or newer, and {has}.",
        "use Raspberry Pi OS or Debian, Bookworm or newer",
    )


def _on_64_bit(python: tuple[int, ...], system: str, machine: str) -> Availability:
    if machine not in _LITERT_MACHINES.get(system, ()):
        return _none(
            f"No TFLite runtime is made for {system} on {machine}.",
            "use 64-bit Linux on x86-64 or ARM",
        )
    if python[:2] > LAST_PYTHON_OF_LITERT:
        return _none(
            f"{LITERT} was made for Python up to {_dotted(LAST_PYTHON_OF_LITERT)} when this "
            "version was.",
            f"try: pip install {LITERT}, or use Python {_dotted(LAST_PYTHON_OF_LITERT)}",
        )
    return Availability(LITERT)


def _on_32_bit(python: tuple[int, ...], system: str, machine: str) -> Availability:
    if machine == "armv6l":
        return _none(
            "No TFLite runtime is made for ARMv6, the Raspberry Pi 1 and Zero.",
            f"use a Raspberry Pi Zero 2 or newer; {_USE_64_BIT}",
        )
    if system != "Linux" or machine not in ("armv7l", "armv8l", "aarch64"):
        return _none(
            f"No TFLite runtime is made for 32-bit programs on {machine}.",
            f"use a 64-bit Python, then: pip install {LITERT}",
        )
    if python[:2] > LAST_PYTHON_OF_TFLITE_RUNTIME:
        return _none(
            "No TFLite runtime is made for 32-bit systems with Python 3.12 or newer.",
            f"{_USE_64_BIT}; or use Python 3.11, which Bookworm has, and: pip install "
            f"{TFLITE_RUNTIME}",
        )
    return Availability(TFLITE_RUNTIME)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def installed_version(package: str) -> str | None:
    """Return the version of an installed package, or None if it is not installed.

    `importlib.metadata` says the same, but brings the email package along, a tenth of the time that
    a picture takes from the command line. The names of the folders that describe what is installed
    are enough: NAME-VERSION.dist-info (packaging.python.org, "Recording installed projects").
    """
    wanted = _normalized(package)
    for folder in sys.path:
        try:
            entries = list(Path(folder).iterdir())
        except OSError:
            continue
        for entry in entries:
            if entry.suffix in (".dist-info", ".egg-info"):
                found, _, version = entry.stem.partition("-")
                if version and _normalized(found) == wanted:
                    return version.partition("-")[0]
    return None


def _normalized(name: str) -> str:
    return name.lower().replace("-", "_").replace(".", "_")
