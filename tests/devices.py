"""A device for tests: this machine under another home, behind a program that stands for ssh.

It is a real one: what OpenSSH would send to the shell there is given to a shell here, and the
connection breaks where a test wants it to.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.devices import SshDevice
from edge_runtime.devices.facts import Facts

PI = Facts(
    home="/home/pi/.local/share/fmnist-edge",
    python=(3, 11, 2),
    machine="aarch64",
    pointer_bits=64,
    system="Linux",
    libc=("glibc", "2.36"),
    name="Raspberry Pi 4 Model B Rev 1.4, Debian GNU/Linux 12 (bookworm)",
    free_bytes=10**10,
    has_venv=True,
    installed_key="",
    program="",
)

# It reads its orders from files beside it: what to say instead of connecting, after how many bytes
# of input or of output the connection breaks; each order is obeyed once.
_PROGRAM = """\
#!{python}
import os, subprocess, sys
folder = {folder!r}
def order(name):
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        return None
    text = open(path).read()
    os.remove(path)
    return text
with open(os.path.join(folder, "log"), "a") as log:
    log.write(repr(sys.argv[1:]) + "\\n")
said = order("says")
if said is not None:
    sys.stderr.write(said)
    sys.exit(255)
line = sys.argv[-1]
data_limit, out_limit = order("breaks-input-after"), order("breaks-output-after")
environment = {{**os.environ, "HOME": os.path.join(folder, "home"), {extra}}}
child = subprocess.Popen(["/bin/sh", "-c", line], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         cwd=environment["HOME"], env=environment)
data = sys.stdin.buffer.read() if data_limit is None else sys.stdin.buffer.read(int(data_limit))
out, _ = child.communicate(data)
if out_limit is not None:
    out = out[:int(out_limit)]
sys.stdout.buffer.write(out)
sys.stdout.buffer.flush()
if data_limit is not None or out_limit is not None:
    sys.stderr.write("client_loop: send disconnect: Broken pipe\\n")
    sys.exit(255)
sys.exit(child.returncode)
"""


@dataclass(frozen=True)
class FakeHost:
    """What stands behind the program that stands for ssh.

    Attributes:
        folder: where its orders are, and its `home`.
        device: how it is reached.
    """

    folder: Path
    device: SshDevice

    @property
    def home(self) -> Path:
        """The home folder there."""
        return self.folder / "home"

    def says(self, text: str) -> None:
        """Let the next connection fail with what ssh would say."""
        (self.folder / "says").write_text(text)

    def breaks_input_after(self, size: int) -> None:
        """Let the next connection break after so many bytes went out."""
        (self.folder / "breaks-input-after").write_text(str(size))

    def breaks_output_after(self, size: int) -> None:
        """Let the next connection break after so many bytes came back."""
        (self.folder / "breaks-output-after").write_text(str(size))

    @property
    def calls(self) -> list[str]:
        """The arguments of each call of ssh until now."""
        log = self.folder / "log"
        return log.read_text().splitlines() if log.exists() else []


def make_fake_host(folder: Path, **variables: str) -> tuple[FakeHost, str]:
    """Return a host in a folder, and the command for FMNIST_EDGE_SSH.

    Args:
        folder: an empty folder.
        variables: what stands in the environment there.
    """
    (folder / "home").mkdir(parents=True)
    program = folder / "fake ssh"
    extra = ", ".join(f"{key!r}: {value!r}" for key, value in variables.items())
    text = _PROGRAM.format(python=sys.executable, folder=str(folder), extra=extra)
    program.write_text(text)
    program.chmod(0o755)
    return FakeHost(folder, SshDevice.to("pi@raspberrypi")), f"'{program}'"


def packages_without_ours(folder: Path) -> str:
    """Fill a folder with links to this Python's packages, for a fake device to find.

    Ours is left out: pip on the device would find it there and install nothing.
    """
    folder.mkdir(parents=True)
    for path in map(Path, sys.path):
        if path.name != "site-packages":
            continue
        for entry in path.iterdir():
            ours = entry.name.startswith(("fmnist_edge", "_"))
            needed = entry.name.startswith("_cffi_backend")  # cryptography's
            if (needed or not ours) and not (folder / entry.name).exists():
                (folder / entry.name).symlink_to(entry)
    return str(folder)
