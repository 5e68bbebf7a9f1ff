"""Set up this project on the device that this runs on: what `scripts/pi-setup` calls.

Needs nothing but the standard library; nothing else is installed yet.
"""

import sys

from edge_runtime.console.terminal import echo
from edge_runtime.devices.device import Device
from edge_runtime.devices.setup import look, set_up
from edge_runtime.errors import EdgeError


def main() -> int:
    """Look, install, and say what comes next."""
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
