"""Install a bundle on a device that was set up: copy it, install it, let it test itself."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.devices.device import Answer, Device, Progress, check
from edge_runtime.devices.setup import SetUp
from edge_runtime.devices.transfer import Parcel, put_files
from edge_runtime.errors import DeviceError
from edge_runtime.files import sha256
from edge_runtime.model_file import BUNDLE_SUFFIX, read_model_bytes

_TIMEOUT_S = 600.0


@dataclass(frozen=True)
class Delivery:
    """What became of a bundle on a device.

    Attributes:
        sha256: of the bundle.
        size_bytes: of the bundle.
        sent_bytes: how much of it had to be copied.
        selftest: what `fmnist-edge selftest --json` said.
    """

    sha256: str
    size_bytes: int
    sent_bytes: int
    selftest: dict[str, Any]


def install_bundle(
    device: Device,
    done: SetUp,
    bundle: Path,
    *,
    allow_downgrade: bool = False,
    say: Callable[[str], None] = lambda message: None,
    progress: Progress = lambda done: None,
) -> Delivery:
    """Copy a bundle to a device, install it there, and run its self-test.

    Until `fmnist-edge install` on the device has verified the bundle, the release before it stays.

    Args:
        device: the device.
        done: what `set_up` returned.
        bundle: the file on this machine.
        allow_downgrade: accept an older version than the one that is there.
        say: called with what is going on.
        progress: called with the number of bytes that went out since the last call.

    Raises:
        DeviceError: the device cannot be reached, or refuses the bundle; its own sentence says why.
        ModelError: the bundle cannot be read here.
    """
    data = read_model_bytes(bundle)
    digest = sha256(data)
    target = f"{done.facts.home}/incoming/{digest[:16]}{BUNDLE_SUFFIX}"
    say(f"copying {bundle.name}")
    sent = put_files(device, [Parcel(data, target)], progress=progress)
    say(f"installing {bundle.name}")
    options = ["--allow-downgrade"] if allow_downgrade else []
    check(device, run_program(device, done, ["install", target, *options]), "install the bundle")
    _forget_others(device, target)
    say("testing it there")
    return Delivery(digest, len(data), sent, _selftest(device, done))


def run_program(device: Device, done: SetUp, arguments: Sequence[str]) -> Answer:
    """Run `fmnist-edge` of the set-up on a device."""
    home = f"FMNIST_EDGE_HOME={done.facts.home}"
    return device.run(["env", home, done.program, *arguments], timeout_s=_TIMEOUT_S)


def _selftest(device: Device, done: SetUp) -> dict[str, Any]:
    answer = run_program(device, done, ["selftest", "--json"])
    try:
        found: dict[str, Any] = json.loads(answer.text)
        ok, reason = found["ok"], found["answer"]
    except (KeyError, TypeError, ValueError):
        check(device, answer, "test itself")
        raise DeviceError(
            f"{device.name} answered its self-test with {answer.text[:100]!r}; expected JSON."
        ) from None
    if not ok:
        raise DeviceError(f"{device.name} does not compute what it should: {reason}")
    return found


def _forget_others(device: Device, target: str) -> None:
    """Remove bundles that were copied before; what is installed has its own copy."""
    script = 'for file in "${1%/*}"/*.edge.zip; do [ "$file" = "$1" ] || rm -f -- "$file"; done'
    device.run(["sh", "-c", script, "sh", target], timeout_s=_TIMEOUT_S)
