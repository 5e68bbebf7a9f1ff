"""What a device needs, no more: arrays, pictures, reports, a command line, one TFLite runtime.

All else is in pyproject.toml. The runtime is chosen here because no environment marker tells the
size of a pointer or the C library: a 32-bit Raspberry Pi OS on its 64-bit kernel says `aarch64`.
Where no runtime has a wheel none is required, so that the installation succeeds and the first
command can say what to do (runtimes/availability.py), instead of pip that it found no version.
"""

# Older Pythons read this too, to learn from pip that 3.10 is needed.
from __future__ import annotations

import platform
import struct

from setuptools import setup

COMMON = [
    "click>=8.1",
    "jinja2>=3.1",
    "pillow>=10.1",
    "numpy>=1.23.2",
    "tomli>=2.0; python_version < '3.11'",  # the standard library has it from 3.11 on
]
# For every machine whose markers tell what it is.
LITERT = (
    "ai-edge-litert>=2.0; python_version < '3.15' and ("
    "sys_platform == 'linux' and (platform_machine == 'x86_64' or platform_machine == 'aarch64')"
    " or sys_platform == 'darwin' and platform_machine == 'arm64'"
    " or sys_platform == 'win32' and platform_machine == 'AMD64')"
)
# LiteRT's predecessor is compiled against NumPy 1 although its metadata does not say so.
OLD_PYTHON = "python_version < '3.12'"
ARM_32 = f"{OLD_PYTHON} and (platform_machine == 'armv7l' or platform_machine == 'armv8l')"
TFLITE_RUNTIME = ["tflite-runtime==2.14.0", "numpy<2"]
ARM_32_MACHINES = ("armv7l", "armv8l", "aarch64")


def requirements(
    system: str, machine: str, pointer_bits: int, glibc: tuple[int, ...] | None
) -> tuple[list[str], bool]:
    """Return what to require, and whether that is right on other machines too.

    Args:
        system: as `platform.system` says.
        machine: as `platform.machine` says.
        pointer_bits: 32 or 64, of the Python that builds.
        glibc: its version; None if the C library is another one.
    """
    if system == "Linux" and pointer_bits == 32:
        usable = machine in ARM_32_MACHINES and glibc is not None and glibc >= (2, 34)
        runtime = [f"{package}; {OLD_PYTHON}" for package in TFLITE_RUNTIME] if usable else []
        return COMMON + runtime, False
    if system == "Linux" and (glibc is None or glibc < (2, 27)):
        return COMMON, False
    return [*COMMON, LITERT, *(f"{package}; {ARM_32}" for package in TFLITE_RUNTIME)], True


def _glibc() -> tuple[int, ...] | None:
    name, version = platform.libc_ver()
    return tuple(map(int, version.split(".")[:2])) if name == "glibc" else None


def _platform_tag() -> str:
    """Return this platform as pip calls it: what its programs are, whatever the kernel is."""
    machine = platform.machine()
    if struct.calcsize("P") == 4:
        machine = {"aarch64": "armv7l", "x86_64": "i686"}.get(machine, machine)
    return f"linux_{machine}"


def _build() -> None:
    chosen, everywhere = requirements(
        platform.system(), platform.machine(), 8 * struct.calcsize("P"), _glibc()
    )
    # A wheel made here says so in its name: elsewhere it would require the wrong runtime.
    options = {} if everywhere else {"bdist_wheel": {"plat_name": _platform_tag()}}
    setup(install_requires=chosen, options=options)


if __name__ == "__main__":
    _build()
