"""Set up this project on the device that this runs on: what `scripts/pi-setup` calls.

Needs nothing but the standard library; nothing else is installed yet.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from edge_runtime.console.terminal import echo
from edge_runtime.devices.device import Answer, Progress, run_here
from edge_runtime.devices.setup import look, set_up
from edge_runtime.errors import EdgeError


@dataclass(frozen=True)
class ThisDevice:
    """The machine that this runs on."""

    name: str = "this device"
    label: str = "here"

    def run(
        self,
        command: Sequence[str],
        *,
        data: bytes = b"",
        timeout_s: float | None = None,
        progress: Progress | None = None,
    ) -> Answer:
        """Run a command here, as `Device.run` says."""
        return run_here(command, data=data, timeout_s=timeout_s, progress=progress)


def main() -> int:
    """Look, install, and say what comes next."""
    device = ThisDevice()
    try:
        facts = look(device)
        echo(f"{facts.name}: {facts.kind}, Python {facts.python_text}")
        done = set_up(device, facts, say=_say)
    except EdgeError as error:
        echo(f"Error: {error}", err=True)
        return 1
    state = "installed" if done.changed else "as it was"
    echo(
        f"fmnist-edge with {done.runtime}: {state}",
        f"Put it on your path:  export PATH={facts.home}/venv/bin:$PATH",
        "Then:                 fmnist-edge classify MODEL picture.jpg",
    )
    return 0


def _say(message: str) -> None:
    echo(message, err=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
