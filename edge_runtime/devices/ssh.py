"""A device over ssh, by the user's own OpenSSH: its configuration, keys, agent and jump hosts.

It never prompts: `BatchMode` makes ssh fail where it would. Ports, keys and names come from
`~/.ssh/config`; the environment variable FMNIST_EDGE_SSH names another command, as in
`FMNIST_EDGE_SSH="ssh -F other_config"`.
"""

import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from edge_runtime.devices.device import Answer, Device
from edge_runtime.devices.ssh_errors import CONNECTION_FAILED, ssh_error
from edge_runtime.errors import DeviceError, DeviceLostError

SSH_VARIABLE = "FMNIST_EDGE_SSH"

# The first value that ssh meets wins, so these overrule the user's configuration.
_OPTIONS = (
    "BatchMode=yes",
    "ConnectTimeout=15",
    # A peer that is silent for 45 s is gone; without this a pulled plug would hang for hours.
    "ServerAliveInterval=15",
    "ServerAliveCountMax=3",
    # Nothing of the user's forwardings is wanted, and a port in use would be an error.
    "ClearAllForwardings=yes",
    "RequestTTY=no",
)

# A shell's start-up file may print; what counts comes after this line. Its presence also shows that
# the command was started.
_MARK = b"==fmnist-edge==\n"
_MARKED = 'printf "==fmnist-edge==\\n"; exec "$@"'


@dataclass(frozen=True)
class SshDevice(Device):
    """A device that OpenSSH reaches.

    Attributes:
        destination: what `ssh` takes: `pi@raspberrypi`, a name from `~/.ssh/config`, `ssh://…`.
    """

    destination: str

    @classmethod
    def to(cls, destination: str) -> "SshDevice":
        """Return the device of a destination.

        Raises:
            DeviceError: it is no destination.
        """
        if not re.fullmatch(r"[^-\s\x00-\x1f\x7f][^\s\x00-\x1f\x7f]*", destination):
            raise DeviceError(
                f"Expected ssh:USER@HOST, as in ssh:pi@raspberrypi, got {'ssh:' + destination!r}."
            )
        if not destination.startswith("ssh://") and re.search(r"[^:]:\d+$", destination):
            raise DeviceError(
                f"ssh:{destination} has a port; write ssh://{destination}, or name the port in "
                "~/.ssh/config."
            )
        return cls(destination)

    @property
    def name(self) -> str:
        """The destination."""
        return self.destination

    @property
    def label(self) -> str:
        """The host without the user and the port."""
        host = self.destination.removeprefix("ssh://").rpartition("@")[2]
        return re.sub(r":\d+$", "", host)

    def _wrapped(self, command: Sequence[str]) -> list[str]:
        options = [part for option in _OPTIONS for part in ("-o", option)]
        # ssh joins its arguments with spaces for the shell there, so each is quoted.
        line = shlex.join(["sh", "-c", _MARKED, "sh", *command])
        return [*_ssh_program(), *options, "--", self.destination, line]

    def _not_started(self, program: str, error: OSError) -> DeviceError:
        if isinstance(error, FileNotFoundError):
            return DeviceError(
                f"There is no program '{program}' here; install OpenSSH's client, on Debian or "
                "Ubuntu: sudo apt install openssh-client"
            )
        return DeviceError(  # a folder, or a file that is not executable
            f"'{program}' cannot be started ({error.strerror}); {SSH_VARIABLE} must name a "
            "program, as in 'ssh -F other_config'."
        )

    def _checked(self, answer: Answer) -> Answer:
        """Return what came after the mark, or raise what ssh complained of."""
        _, mark, out = answer.out.partition(_MARK)
        if answer.code == CONNECTION_FAILED or answer.code < 0:
            error = ssh_error(self.destination, answer.err)
            if mark or isinstance(error, DeviceLostError):
                raise DeviceLostError(
                    f"The connection to {self.name} broke; run the command again, and it continues "
                    "from there.",
                    out,
                )
            raise error
        if not mark:
            said = " ".join((answer.text or answer.err).split())[:200] or "nothing"
            raise DeviceError(
                f"{self.name} accepts the login but starts no shell (it said: {said}); give the "
                "account one, such as /bin/bash."
            )
        return Answer(answer.code, out, answer.err)


def _ssh_program() -> list[str]:
    """Return the command that stands in for ssh, and its own arguments.

    Raises:
        DeviceError: the variable that names it is no command line.
    """
    named = os.environ.get(SSH_VARIABLE, "")
    try:
        return shlex.split(named) or ["ssh"]
    except ValueError as error:
        raise DeviceError(
            f"{SSH_VARIABLE} is no command line ({error}), got {named!r}; write it as for a shell, "
            "as in 'ssh -F other_config'."
        ) from error
