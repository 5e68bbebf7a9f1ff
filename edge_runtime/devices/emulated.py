"""A Raspberry Pi that is none: an arm64 Debian in a folder of this machine, run by qemu.

`scripts/emulated-pi` builds the folder once; this module knows where it lies and how to enter it.
The numbers that a model gives there are those of arm64; its latencies mean nothing.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.devices.device import Answer, Device
from edge_runtime.devices.qemu import DEFAULT_BOARD, Board, find_board, is_arm64, register_qemu
from edge_runtime.errors import DeviceError
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
    """An arm64 Debian in a folder of this machine.

    Attributes:
        root: the folder.
        board: which Pi it is.
    """

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
