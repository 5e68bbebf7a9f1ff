"""The errors of OpenSSH, each in one sentence with what to do.

The texts are those of OpenSSH's client (ssh.c, sshconnect.c, sshconnect2.c, packet.c); none of
them is translated.
"""

import re

from edge_runtime.errors import DeviceError, DeviceLostError

CONNECTION_FAILED = 255  # ssh(1), EXIT STATUS

# (what ssh says, what we say); the first that is found counts. {to} is the destination, {1} what
# the first group found.
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


def ssh_error(destination: str, said: str) -> DeviceError:
    """Return what to raise when ssh ended with exit code 255.

    Args:
        destination: what it was to connect to.
        said: what it wrote on standard error.
    """
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
