"""A Raspberry Pi that is none: an arm64 Debian in a folder of this machine, run by qemu.

`scripts/emulated-pi` builds the folder once; this module knows where it lies and how to enter it.
The numbers that a model gives there are those of arm64; its latencies mean nothing.
"""

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.devices.device import Answer, Device
from edge_runtime.errors import DeviceError, nearest_name
from edge_runtime.files.reading import cache_folder, resolved
from edge_runtime.files.writing import write_atomically

ROOT_VARIABLE = "FMNIST_EDGE_EMULATED_ROOT"
SUITE = "bookworm"
ARCHITECTURE = "arm64"
# What a fresh Raspberry Pi OS has as well, and a bare Debian has not.
PACKAGES = ("ca-certificates", "python3", "python3-venv")
_RECIPE = 1  # to be raised when scripts/emulated-pi builds something else of the same

_HOME = "/root"
_ENVIRONMENT = (
    f"HOME={_HOME}",
    "LANG=C.UTF-8",
    f"PATH={_HOME}/.local/share/fmnist-edge/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin"
    ":/usr/bin:/sbin:/bin",
)
# In a mount namespace of its own, so that nothing stays mounted when it ends, however it ends.
_ENTER = """\
root=$1 here=$2 cpuinfo=$3; shift 3
for folder in proc sys dev; do
    mount --rbind "/$folder" "$root/$folder" || exit 125
done
[ -z "$cpuinfo" ] || mount --bind "$cpuinfo" "$root/proc/cpuinfo" || exit 125
[ -z "$here" ] || mount --bind "$here" "$root/mnt" || exit 125
exec chroot "$root" "$@"
"""
_NO_NAMESPACE = 125

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


def cached_root(suite: str = SUITE) -> Path:
    """Return the folder of the emulated device, built or not; its name has what goes into it."""
    parts = [suite, ARCHITECTURE, PACKAGES, _RECIPE]
    key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]
    return cache_folder() / "emulated-pi" / f"{suite}-{ARCHITECTURE}-{key}"


def emulated_root() -> Path:
    """Return the folder that FMNIST_EDGE_EMULATED_ROOT names, or else the cached one."""
    named = os.environ.get(ROOT_VARIABLE)
    return resolved(named) if named else cached_root()


def enter_command(
    root: Path,
    command: Sequence[str],
    *,
    board: Board,
    here: Path | None = None,
    terminal: str = "",
) -> list[str]:
    """Return the command of this machine that runs one in the emulated device.

    Args:
        root: its folder, to which what the board says of itself is written.
        command: the program there and its arguments.
        board: which Pi it is; where this machine is arm64 itself, its own processor counts.
        here: a folder of this machine that is seen there as /mnt, and where the command starts.
        terminal: the kind of terminal, where there is one.
    """
    variables = [*_ENVIRONMENT, *([f"TERM={terminal}"] if terminal else [])]
    cpuinfo = ""
    if not is_arm64():
        variables.append(f"QEMU_CPU={board.cpu}")
        cpuinfo = str(_write_cpuinfo(root, board))
    start = "/mnt" if here else _HOME
    return [
        *("unshare", "--mount", "--propagation", "private"),
        *("sh", "-c", _ENTER, "sh", str(root), str(here or ""), cpuinfo),
        *("/usr/bin/env", "-i", "-C", start, *variables, *command),
    ]


def _write_cpuinfo(root: Path, board: Board) -> Path:
    path, text = root / "var" / "lib" / f"cpuinfo-{board.cpu}", board.cpuinfo()
    if not path.exists() or path.read_text("utf-8") != text:
        write_atomically(path, text)
    return path


@dataclass(frozen=True)
class EmulatedDevice(Device):
    """An arm64 Debian in the folder ``root`` of this machine, as one of the Pis."""

    root: Path
    board: Board

    @classmethod
    def of(cls, board: str = "") -> "EmulatedDevice":
        """Return the device that `scripts/emulated-pi` built, as one of the Pis: pi3, pi4 or pi5.

        Raises:
            DeviceError: it is not built, cannot be entered by this user, or there is no such board.
        """
        chosen = find_board(board or DEFAULT_BOARD)
        root = emulated_root()
        if not (root / "usr" / "bin" / "python3").exists():
            raise DeviceError(
                f"There is no emulated Pi in {root}; build it once, as root and in about ten "
                "minutes, with: scripts/emulated-pi --build"
            )
        refuse_without_root()
        return cls(root, chosen)

    @property
    def name(self) -> str:
        """What it is."""
        return f"the emulated {self.board.name}"

    @property
    def label(self) -> str:
        """As in "emulated-pi4"."""
        return f"emulated-pi{self.board.name[-1]}"

    def _wrapped(self, command: Sequence[str]) -> list[str]:
        register_qemu()
        return enter_command(self.root, command, board=self.board)

    def _checked(self, answer: Answer) -> Answer:
        if answer.code == _NO_NAMESPACE:
            raise DeviceError(f"{self.name} cannot be entered: {' '.join(answer.err.split())}")
        return answer


def refuse_without_root() -> None:
    """Raise `DeviceError` unless this process may mount and change its root folder."""
    if os.geteuid() != 0:
        raise DeviceError(
            "The emulated Pi is entered with chroot, which only root may do; run the same command "
            "with sudo, and with the same HOME."
        )


def register_qemu() -> None:
    """Let the kernel run arm64 programs by qemu; nothing to do where it can or is arm64 itself.

    Raises DeviceError if qemu is not installed, or the kernel does not let us.
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
