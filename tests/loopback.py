"""A real ssh server on this machine whose account lives in the emulated Raspberry Pi."""

import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.devices import EmulatedDevice

# /mnt is a folder that only root may change, up to the top, as ChrootDirectory wants it. The mounts
# are seen by this server alone and end with it; /run/sshd is where it locks itself up.
_START = """\
set -e
root=$1 cpuinfo=$2 config=$3
mount --bind "$root" /mnt
for folder in proc sys dev; do mount --rbind "/$folder" "/mnt/$folder"; done
mount --bind "$cpuinfo" /mnt/proc/cpuinfo
mount -t tmpfs tmpfs /run
mkdir -m 755 /run/sshd
exec /usr/sbin/sshd -D -e -f "$config"
"""
_SERVER = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/key.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
SetEnv QEMU_CPU={cpu}
Match User root
    ChrootDirectory /mnt
"""
_CLIENT = """\
Host pi
    HostName 127.0.0.1
    Port {port}
    User root
    IdentityFile {folder}/key
    IdentitiesOnly yes
    UserKnownHostsFile {folder}/known_hosts
    StrictHostKeyChecking yes
"""


@dataclass
class Loopback:
    """The server, and how a client reaches it.

    Attributes:
        folder: keys and configurations.
        port: where the server listens.
    """

    folder: Path
    port: int

    def configure(self, port: int | None = None, **changes: str) -> str:
        """Write a client's configuration; return the command for FMNIST_EDGE_SSH.

        Args:
            port: by default the server's.
            changes: other values for its options.
        """
        text = _CLIENT.format(port=port or self.port, folder=self.folder)
        for name, value in changes.items():
            text = f"Host pi\n    {name} {value}\n{text}"  # the first value wins
        (self.folder / "config").write_text(text)
        return f"ssh -F {self.folder / 'config'}"


def make_key(path: Path) -> None:
    """Make a key without a password."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)


@contextlib.contextmanager
def loopback(folder: Path, device: EmulatedDevice) -> Iterator[Loopback]:
    """Run a server until the block ends.

    Args:
        folder: an empty folder for keys and configurations.
        device: whose root folder the account lives in; it was entered before.
    """
    make_key(folder / "key")
    make_key(folder / "host_key")
    port = free_port()
    public = (folder / "host_key.pub").read_text()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}")
    server = _SERVER.format(port=port, folder=folder, cpu=device.board.cpu)
    (folder / "sshd_config").write_text(server)
    cpuinfo = device.root / "var" / "lib" / f"cpuinfo-{device.board.cpu}"
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _START, "sh"]
    with (folder / "sshd.log").open("wb") as log:
        child = subprocess.Popen(
            [*command, device.root, cpuinfo, folder / "sshd_config"], stdout=log, stderr=log
        )
        try:
            _wait_for(port, child, folder / "sshd.log")
            yield Loopback(folder, port)
        finally:
            child.terminate()
            child.wait()


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int, child: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if child.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"sshd did not start: {log.read_text()}")


@contextlib.contextmanager
def cutting_proxy(port: int, sizes: list[int]) -> Iterator[int]:
    """Pass connections on to a port; cut each after so many bytes went out, while sizes last.

    Yields:
        The port to connect to.
    """
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                limit = sizes.pop(0) if sizes else None
                server = socket.create_connection(("127.0.0.1", port))
                threading.Thread(target=_pump, args=(client, server, limit), daemon=True).start()
                threading.Thread(target=_pump, args=(server, client, None), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


def _pump(source: socket.socket, target: socket.socket, limit: int | None) -> None:
    passed = 0
    with contextlib.suppress(OSError):
        while piece := source.recv(16384):
            target.sendall(piece)
            passed += len(piece)
            if limit is not None and passed >= limit:
                break
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
