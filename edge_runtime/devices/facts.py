"""What a device is like, whether this project runs there, and which packages it needs.

`setup.py` says the same for the machine that it runs on; here the device was asked.
"""

import contextlib
import importlib.metadata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edge_runtime.errors import DeviceError
from edge_runtime.models.signing.keys import CRYPTOGRAPHY
from edge_runtime.runtimes.availability import LAST_PYTHON_OF_LITERT, LAST_PYTHON_OF_TFLITE_RUNTIME

PYTHONS = ((3, 10), LAST_PYTHON_OF_LITERT)
LITERT = "ai-edge-litert>=2.0"
TFLITE_RUNTIME = "tflite-runtime==2.14.0"
# As the wheels' names say: NumPy's manylinux_2_28, tflite-runtime's manylinux_2_34.
_LEAST_GLIBC = {"ai-edge-litert": (2, 28), "tflite-runtime": (2, 34)}
_64_BIT = ("aarch64", "arm64", "x86_64")
_PYTHON_WITH_TOMLLIB = (3, 11)
# An environment takes about 150 MB and the packages that it is made of 40; twice, for the switch.
_NEEDED_BYTES = 500 * 10**6


@dataclass(frozen=True)
class Facts:
    """What `provision.py look` found on a device.

    Attributes:
        home: the folder of everything there.
        python: the version of its Python.
        machine: what `uname -m` says, which is the kernel's.
        pointer_bits: 32 or 64, of its programs, whatever the kernel is.
        system: "Linux".
        libc: name and version of its C library, ("glibc", "2.36").
        name: what it and its system are called.
        free_bytes: how much room there is.
        has_venv: whether Python can make environments.
        installed_key: which set-up of ours is there; "" for none.
        program: the path of `fmnist-edge`; "" for none.
        trusts_keys: whether it demands signatures.
    """

    home: str
    python: tuple[int, ...]
    machine: str
    pointer_bits: int
    system: str
    libc: tuple[str, str]
    name: str
    free_bytes: int
    has_venv: bool
    installed_key: str
    program: str
    trusts_keys: bool = False

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Facts":
        """Read what the device printed."""
        name, version = document["libc"]
        texts = ("home", "machine", "system", "name", "installed_key", "program")
        return cls(
            **{key: str(document[key]) for key in texts},
            python=tuple(int(part) for part in document["python"]),
            pointer_bits=int(document["pointer_bits"]),
            libc=(str(name), str(version)),
            free_bytes=int(document["free_bytes"]),
            has_venv=bool(document["has_venv"]),
            trusts_keys=bool(document.get("trusts_keys", False)),
        )

    @property
    def is_32_bit(self) -> bool:
        """Whether its programs are 32-bit ones."""
        return self.pointer_bits == 32

    @property
    def python_text(self) -> str:
        """The version of its Python."""
        return _dotted(self.python)

    @property
    def libc_version(self) -> tuple[int, ...]:
        """The version of its C library in numbers; (0,) where it is not known."""
        return tuple(int(part) for part in self.libc[1].split(".") if part.isdecimal()) or (0,)

    @property
    def kind(self) -> str:
        """Processor and bits in words."""
        if self.is_32_bit and self.machine in _64_BIT:
            return f"32-bit programs on a 64-bit kernel ({self.machine})"
        return f"{self.machine}, {self.pointer_bits}-bit"


def requirements(
    facts: Facts, *, litert: str | None = None, verifies: bool = False
) -> tuple[str, ...]:
    """Return the packages for a device, as pip reads them, without markers; the runtime is last.

    Args:
        facts: what it is like.
        litert: the version of ai-edge-litert; by default any that is supported.
        verifies: whether it must be able to verify signatures.
    """
    found = ["click>=8.1", "jinja2>=3.1", "pillow>=10.1", "numpy>=1.23.2"]
    if verifies:
        found.append(CRYPTOGRAPHY)
    if facts.python[:2] < _PYTHON_WITH_TOMLLIB:
        found.append("tomli>=2.0")
    if facts.is_32_bit:
        # Compiled against NumPy 1 although its metadata does not say so.
        return (*found, "numpy<2", TFLITE_RUNTIME)
    return (*found, f"ai-edge-litert=={litert}" if litert else LITERT)


def litert_here() -> str | None:
    """Return the version of ai-edge-litert on this machine.

    The device gets the same, so that what was proved here is what runs there.
    """
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version("ai-edge-litert")
    return None


def refuse_full(device: str, facts: Facts) -> None:
    """Raise `DeviceError` unless there is room for a new environment."""
    if facts.free_bytes < _NEEDED_BYTES:
        raise DeviceError(
            f"{device} has {facts.free_bytes / 10**6:,.0f} MB free at {facts.home}; setting up "
            f"Python takes {_NEEDED_BYTES / 10**6:,.0f} MB. Free some space and try again."
        )


def refuse_unfit(device: str, facts: Facts) -> None:
    """Raise unless this project and a TFLite runtime can run on the device called ``device``.

    Raises:
        DeviceError: its system, Python, processor or C library is not supported, or something is
            missing; the message says what to do.
    """
    problem = next(_problems(facts), None)
    if problem is not None:
        raise DeviceError(f"{device} cannot run this: {problem}")


def _problems(facts: Facts) -> Iterator[str]:
    """Yield what keeps this project from a device."""
    (low, high), python = PYTHONS, facts.python[:2]
    newer_system = "install Raspberry Pi OS 12 (Bookworm) or newer."
    if facts.system != "Linux":
        yield f"it is {facts.system}; Linux is supported, as on a Raspberry Pi."
    if not low <= python <= high:
        other = f"install one of these there, for example python{_dotted(high)}."
        yield (
            f"it has Python {facts.python_text}, but {_dotted(low)} to {_dotted(high)} is "
            f"supported; {other if python > high else newer_system}"
        )
    if facts.is_32_bit and facts.machine == "armv6l":
        yield (
            "there is no TFLite runtime for its processor (ARMv6: Pi 1, Zero, Zero W); use a Zero "
            "2 W or any Pi from 3 on."
        )
    if facts.is_32_bit and facts.machine not in ("armv7l", "armv8l", "aarch64"):
        yield f"there is no TFLite runtime for {facts.kind}."
    if facts.is_32_bit and python > LAST_PYTHON_OF_TFLITE_RUNTIME:
        yield (
            f"it has {facts.kind}, and there is no TFLite runtime for 32-bit Python 3.12 or newer "
            f"(it has {facts.python_text}); install the 64-bit Raspberry Pi OS."
        )
    if not facts.is_32_bit and facts.machine not in _64_BIT:
        yield f"there is no TFLite runtime for {facts.kind}; 64-bit ARM and x86-64 are supported."
    runtime = "tflite-runtime" if facts.is_32_bit else "ai-edge-litert"
    if facts.libc[0] != "glibc":
        yield (
            f"{runtime} is made for glibc, but its C library is another one (as on Alpine); use "
            "Raspberry Pi OS or Debian."
        )
    if facts.libc_version < _LEAST_GLIBC[runtime]:
        yield (
            f"its C library is glibc {facts.libc[1]}, but {runtime} needs "
            f"{_dotted(_LEAST_GLIBC[runtime])} or newer; {newer_system}"
        )
    if not facts.has_venv:
        yield "its Python cannot make environments; run there: sudo apt install python3-venv"


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
