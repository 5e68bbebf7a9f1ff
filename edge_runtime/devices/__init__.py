"""Devices that models run on: a Raspberry Pi over ssh, or an emulated one on this machine.

A device runs commands (`Device`); files are put there and fetched with `put_files` and `get_file`,
which resume and check hashes. `set_up` installs this project's device part, `install_bundle` a
model, and `predict_on_device` runs the device stage of the chain that `parity` judges.

This package needs nothing but the standard library until predictions are read.
"""

from edge_runtime.devices.device import Answer, Device
from edge_runtime.devices.emulated import EmulatedDevice
from edge_runtime.devices.ssh import SshDevice
from edge_runtime.errors import DeviceError

__all__ = ["Answer", "Device", "EmulatedDevice", "SshDevice", "open_device"]


def open_device(name: str) -> Device:
    """Return the device of a name; nothing is started or connected yet.

    Args:
        name: `emulated`, `emulated:pi3|pi4|pi5`, or `ssh:USER@HOST`, where HOST may be a name
            from `~/.ssh/config`.

    Raises:
        DeviceError: the name is none of these, or there is no emulated device.
    """
    kind, _, rest = name.partition(":")
    if kind == "emulated":
        return EmulatedDevice.of(rest)
    if kind == "ssh":
        return SshDevice.to(name if rest.startswith("//") else rest)
    raise DeviceError(
        f"There is no device '{name}'; expected emulated or ssh:USER@HOST, for example "
        "ssh:pi@raspberrypi."
    )
