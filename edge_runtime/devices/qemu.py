"""Run arm64 programs on this machine by qemu, as one of the Raspberry Pis would."""

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.devices.device import Device
from edge_runtime.errors import DeviceError, nearest_name

_BINFMT = Path("/proc/sys/fs/binfmt_misc")
_RULE = "qemu-aarch64"
# The header of an arm64 program, as in Debian's /usr/lib/binfmt.d/qemu-aarch64.conf. The flag F
# opens the interpreter once, here, so that it need not be in the folder.
_MAGIC = r"\x7f\x45\x4c\x46\x02\x01\x01" + r"\x00" * 9 + r"\x02\x00\xb7\x00"
_MASK = r"\xff" * 7 + r"\x00" + r"\xff" * 8 + r"\xfe\xff\xff\xff"
_INTERPRETERS = ("qemu-aarch64-static", "qemu-aarch64")


@dataclass(frozen=True)
class Board:
    """A Raspberry Pi whose processor qemu knows.

    Attributes:
        name: what it is called.
        cpu: the processor as qemu calls it. Its own default, `max`, has matrix instructions that no
            Pi has, and with them qemu 7.2 gives wrong answers.
        part: its number in Arm's numbering, as in /proc/cpuinfo.
        features: what it can do, as in /proc/cpuinfo.
    """

    name: str
    cpu: str
    part: str
    features: str

    def cpuinfo(self) -> str:
        """Return what /proc/cpuinfo says there.

        qemu shows this machine's own, in which XNNPACK finds no processor that it knows: it then
        crashes, or stays away and other kernels run than on a Pi.
        """
        cores = "".join(
            f"processor\t: {index}\nBogoMIPS\t: 108.00\nFeatures\t: {self.features}\n"
            "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\n"
            f"CPU part\t: {self.part}\nCPU revision\t: 3\n\n"
            for index in range(os.cpu_count() or 1)
        )
        return f"{cores}Model\t\t: {self.name}, emulated\n"


_ARMV8 = "fp asimd evtstrm crc32 cpuid"
_ARMV8_2 = (
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop "
    "asimddp"
)
BOARDS = {
    "pi3": Board("Raspberry Pi 3", "cortex-a53", "0xd03", _ARMV8),
    "pi4": Board("Raspberry Pi 4", "cortex-a72", "0xd08", _ARMV8),
    "pi5": Board("Raspberry Pi 5", "cortex-a76", "0xd0b", _ARMV8_2),
}
DEFAULT_BOARD = "pi4"


def find_board(name: str) -> Board:
    """Return the board of a name, or raise `DeviceError` if there is none."""
    if name not in BOARDS:
        raise DeviceError(
            f"There is no emulated board '{name}'; expected {', '.join(BOARDS)}."
            + nearest_name(name, BOARDS)
        )
    return BOARDS[name]


def is_arm64() -> bool:
    """Return whether this machine runs arm64 programs itself."""
    return platform.machine() in ("aarch64", "arm64")


def register_qemu() -> None:
    """Let the kernel run arm64 programs by qemu; nothing to do where it can or is arm64 itself.

    Raises:
        DeviceError: qemu is not installed, or the kernel does not let us.
    """
    if is_arm64() or (_BINFMT / _RULE).exists():
        return
    interpreter = next(filter(None, map(shutil.which, _INTERPRETERS)), None)
    if interpreter is None:
        raise DeviceError(
            "qemu for arm64 is not installed; on Debian or Ubuntu: sudo apt install "
            "qemu-user-static"
        )
    if not (_BINFMT / "register").exists():
        mounted = Device().run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(_BINFMT)])
        if mounted.code:
            raise DeviceError(f"The kernel's binfmt_misc cannot be mounted: {mounted.err.strip()}")
        if (_BINFMT / _RULE).exists():
            return
    try:
        (_BINFMT / "register").write_text(f":{_RULE}:M::{_MAGIC}:{_MASK}:{interpreter}:F")
    except OSError as error:
        raise DeviceError(
            f"The kernel does not accept qemu for arm64 programs ({error.strerror}); in a "
            "container, register it on the host."
        ) from error
