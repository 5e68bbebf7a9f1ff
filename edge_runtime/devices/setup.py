"""Set up this project's device part on a device: an environment with one TFLite runtime.

As a program it sets up the device that it runs on. It needs nothing but the standard library, since
nothing else is installed there yet.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from edge_runtime.console.terminal import echo
from edge_runtime.devices.device import Answer, Device, check
from edge_runtime.devices.facts import (
    Facts,
    litert_here,
    refuse_full,
    refuse_unfit,
    requirements,
)
from edge_runtime.devices.packages import device_wheel, fetch_packages
from edge_runtime.devices.transfer import Parcel, put_files
from edge_runtime.errors import DeviceError, EdgeError
from edge_runtime.files.reading import sha256

Result = TypeVar("Result")

_PROVISION = Path(__file__).with_name("provision.py")
_LOOK_TIMEOUT_S = 120.0
_INSTALL_TIMEOUT_S = 3600.0  # a Pi Zero 2 with a slow card takes minutes
_PROGRAM_TIMEOUT_S = 600.0
_NO_PYTHON = 127

# The first Python that fits; else python3, whatever it is, to say what is wrong with it.
_WITH_PYTHON = """\
for python in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do
    "$python" -c 'import sys, venv, ensurepip
sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 14))' </dev/null >/dev/null 2>&1 \\
        && exec "$python" - "$@"
done
command -v python3 >/dev/null || exit 127
exec python3 - "$@"
"""


@dataclass(frozen=True)
class SetUp:
    """What setting up a device came to.

    Attributes:
        device: the device.
        facts: what it was like before.
        runtime: the TFLite runtime that it has now, as pip names it.
        changed: whether anything was installed.
        sent_bytes: how much was copied.
    """

    device: Device
    facts: Facts
    runtime: str
    changed: bool
    sent_bytes: int

    @property
    def program(self) -> str:
        """The path of `fmnist-edge` on the device."""
        return f"{self.facts.home}/venv/bin/fmnist-edge"

    def run(self, *arguments: str) -> Answer:
        """Run `fmnist-edge` on the device, as `Device.run` does."""
        command = ["env", f"FMNIST_EDGE_HOME={self.facts.home}", self.program, *arguments]
        return self.device.run(command, timeout_s=_PROGRAM_TIMEOUT_S)


def look(device: Device, home: str = "") -> Facts:
    """Return what a device is like; ``home`` is the folder of everything there, "" the usual one.

    Raises DeviceError if it cannot be reached, or has no Python.
    """
    folder = f"./{home}" if home.startswith("-") else home  # no option
    answer = _provision(device, "look", folder, timeout_s=_LOOK_TIMEOUT_S)
    return _parsed(device, answer, Facts.from_dict)


def set_up(
    device: Device,
    facts: Facts,
    *,
    offline: bool = False,
    compiled: bool = True,
    verifies: bool = False,
    say: Callable[[str], None] = lambda message: None,
) -> SetUp:
    """Install this project's device part, unless this very one is there.

    The new environment is made beside the old one, which stays until the new one works.

    Args:
        device: where `look` found the ``facts``.
        facts: what it is like.
        offline: fetch the packages here and copy them; else the device's own pip fetches them.
        compiled: compile Python's files at once; else each when it is first used.
        verifies: whether the device must be able to verify signatures, as it must in any case if it
            trusts a key already.
        say: called with what is going on.

    Raises:
        DeviceError: the device is not fit for it, has no room, or its pip failed.
    """
    refuse_unfit(device.name, facts)
    verifies = verifies or facts.trusts_keys
    wanted = requirements(facts, litert=litert_here(), verifies=verifies)
    (wheel_name, wheel), runtime = device_wheel(wanted), wanted[-1]
    # What names a set-up: the code, its requirements and the Python that it is for.
    key = hashlib.sha256(f"{sha256(wheel)} {facts.python}".encode()).hexdigest()[:16]
    if facts.installed_key == key:
        return SetUp(device, facts, runtime, changed=False, sent_bytes=0)
    refuse_full(device.name, facts)
    folder = f"{facts.home}/packages"
    parcels = [Parcel(wheel, f"{folder}/{key}/{wheel_name}")]
    options = [] if compiled else ["--no-compile"]
    if offline:
        say(f"fetching the packages for Python {facts.python_text} on {facts.machine}")
        paths = fetch_packages(facts, wanted)
        parcels += [Parcel(path.read_bytes(), f"{folder}/{path.name}") for path in paths]
        options += ["--find-links", folder]
    say(f"copying to {device.name}")
    sent = put_files(device, parcels)
    say(f"installing on {device.name}; this takes a few minutes, once")
    changed = _install(device, facts.home, [key, parcels[0].target, *options], offline)
    return SetUp(device, facts, runtime, changed=changed, sent_bytes=sent)


def _install(device: Device, home: str, arguments: Sequence[str], offline: bool) -> bool:
    try:
        answer = _provision(device, "install", home, *arguments, timeout_s=_INSTALL_TIMEOUT_S)
    except DeviceError as error:
        if offline or "setup.log" not in str(error):
            raise
        raise DeviceError(
            f"{error}. If {device.name} has no internet, --offline fetches the packages here."
        ) from error
    return _parsed(device, answer, lambda document: bool(document.get("changed")))


def _parsed(device: Device, answer: Answer, parse: Callable[[dict[str, Any]], Result]) -> Result:
    """Parse the JSON object that `provision.py` printed."""
    try:
        return parse(dict(json.loads(answer.text)))
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise DeviceError(
            f"Expected JSON from {device.name}, got {answer.text[:100]!r}; does its shell print "
            "something when it starts?"
        ) from error


def _provision(device: Device, what: str, home: str, *arguments: str, timeout_s: float) -> Answer:
    answer = device.run(
        ["sh", "-c", _WITH_PYTHON, "sh", what, home, *arguments],
        data=_PROVISION.read_bytes(),
        timeout_s=timeout_s,
    )
    if answer.code == _NO_PYTHON:
        raise DeviceError(
            f"{device.name} has no python3; install it there with: sudo apt install python3-venv"
        )
    return check(device, answer, "set up Python" if what == "install" else "be looked at")


def main() -> int:
    """Set up the device that this runs on, as `scripts/pi-setup` does; say what comes next."""
    device = Device()
    try:
        facts = look(device)
        echo(f"{facts.name}: {facts.kind}, Python {facts.python_text}")
        done = set_up(device, facts, say=lambda message: echo(message, err=True))
    except EdgeError as error:
        echo(f"Error: {error}", err=True)
        return 1
    state = "installed" if done.changed else "unchanged"
    echo(
        f"fmnist-edge with {done.runtime}: {state}",
        f"Put it on your path:  export PATH={facts.home}/venv/bin:$PATH",
        "Then:                 fmnist-edge classify MODEL picture.jpg",
    )
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
