"""A device over ssh, by the user's own OpenSSH: its configuration, keys, agent and jump hosts.

It never prompts: `BatchMode` makes ssh fail where it would, and each of its errors becomes one
sentence with what to do. Ports, keys and names come from
`~/.ssh/config`; the environment variable FMNIST_EDGE_SSH names another command, as in
`FMNIST_EDGE_SSH="ssh -F other_config"`.
"""

import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from edge_runtime.devices.device import Answer, Device
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

_CONNECTION_FAILED = 255  # ssh(1), EXIT STATUS

# (what OpenSSH's client says, what we say); the first that is found counts. {to} is the
# destination, {1} what the first group found. The texts are those of ssh.c, sshconnect.c,
# sshconnect2.c and packet.c; none of them is translated.
_SENTENCES = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED",
        "The host key of {to} has changed: it is another machine, a new system, or someone is "
        "intercepting the connection; if you set it up again, remove the old key with: ssh-keygen "
        "-R {host}",
    ),
    (
        r"Host key verification failed|No \S+ host key is known",
        "The host key of {to} is not known here yet; run `ssh {to}` once and compare the "
        "fingerprint.",
    ),
    (
        r"Could not resolve hostname ([^:]*)",
        "There is no host '{1}': its name cannot be resolved; check the name, or use the address.",
    ),
    (
        r"(?:connect to host|connect to address) .*: Connection refused",
        "{to} refuses the connection: no ssh server runs at that port; enable ssh there with: "
        "sudo raspi-config nonint do_ssh 0",
    ),
    (
        r"(?:Connection timed out|Operation timed out|No route to host|Network is unreachable|"
        r"Host is down|Connection to \S+ port \d+ timed out)",
        "{to} does not answer; check that it is switched on and in this network.",
    ),
    (
        r"Too many authentication failures",
        "{to} was offered too many keys before the right one; name that one in ~/.ssh/config with "
        "IdentityFile and IdentitiesOnly yes.",
    ),
    (
        r"Permission denied \(([^)]*)\)",
        "{to} accepts none of your ssh keys, and passwords are not used here; copy your key with: "
        "ssh-copy-id {to}",
    ),
    (
        r"Bad owner or permissions on|UNPROTECTED PRIVATE KEY FILE",
        "ssh refuses its own files, because others can read or write them; run: chmod -R go= "
        "~/.ssh",
    ),
    (
        r"(?:Bad configuration option|Can't open user config file|terminating, \d+ bad "
        r"configuration|keyword \S+ extra arguments)",
        "ssh cannot read its configuration: {line}",
    ),
)
_LOST = (
    r"Connection (?:to \S+ (?:port \d+ )?)?(?:closed|reset)|closed by remote host|Broken pipe|"
    r"not responding|kex_exchange_identification|Connection aborted|Connection corrupted|"
    r"Corrupted MAC|mux_client"
)


@dataclass(frozen=True)
class SshDevice(Device):
    """A device that OpenSSH reaches by what `ssh` takes: USER@HOST, a name, or ssh://…."""

    destination: str

    @classmethod
    def to(cls, destination: str) -> "SshDevice":
        """Return the device of a destination, or raise DeviceError if it is none."""
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
        if answer.code == _CONNECTION_FAILED or answer.code < 0:
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
    """Return the command that stands in for ssh, and its own arguments."""
    named = os.environ.get(SSH_VARIABLE, "")
    try:
        return shlex.split(named) or ["ssh"]
    except ValueError as error:
        raise DeviceError(
            f"{SSH_VARIABLE} is no command line ({error}), got {named!r}; write it as for a shell, "
            "as in 'ssh -F other_config'."
        ) from error


def ssh_error(destination: str, said: str) -> DeviceError:
    """Return what to raise when ssh ended with exit code 255, after what it said of it."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    host = destination.removeprefix("ssh://").rpartition("@")[2]
    for pattern, sentence in _SENTENCES:
        found = re.search(pattern, said)
        if found:
            group = found.group(1) if found.groups() else ""
            line = next((line for line in lines if found.group(0).split(":")[0] in line), lines[-1])
            return DeviceError(sentence.format(group, group, to=destination, host=host, line=line))
    if re.search(_LOST, said) or not lines:
        return DeviceLostError(f"The connection to {destination} broke; try again.")
    return DeviceError(f"ssh cannot reach {destination}: {lines[-1]}")
