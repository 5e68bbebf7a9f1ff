"""What a measurement must name: the machine that it was made on."""

import contextlib
import itertools
import platform
from pathlib import Path
from typing import Any

import numpy as np
import PIL


def machine_details() -> dict[str, Any]:
    """Return what a measurement must name: CPU, architecture, operating system, versions."""
    return {
        "cpu": _cpu_name(),
        "machine": platform.machine(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pillow": PIL.__version__,
    }


# What tells one processor from another in /proc/cpuinfo, on x86 and on ARM; the rest is its state.
_IDENTITY = (
    *("vendor_id", "cpu family", "model", "model name", "stepping", "flags"),
    *("CPU implementer", "CPU architecture", "CPU variant", "CPU part", "CPU revision", "Features"),
)
_CPU_INFO = Path("/proc/cpuinfo")
_BOARD = Path("/sys/firmware/devicetree/base/serial-number")


def processor_identity() -> str:
    """Return what tells this processor from others, and this board where it has a serial number.

    It differs when the memory card of one board is copied to another.
    """
    lines = [platform.machine()]  # `platform.processor` would start a program
    with contextlib.suppress(OSError), _CPU_INFO.open(encoding="utf-8", errors="replace") as file:
        # The first core is enough, and the kernel takes its time for each of the others.
        for line in itertools.takewhile(str.strip, file):
            if line.partition(":")[0].strip() in _IDENTITY:
                lines.append(" ".join(line.split()))
    with contextlib.suppress(OSError):
        lines.append(_BOARD.read_text("ascii", "replace"))
    return "\n".join(lines)


def _cpu_name() -> str:
    """Return the processor's name as Linux knows it, or the architecture."""
    try:
        lines = _CPU_INFO.read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    for key in ("model name", "Model", "Hardware"):
        for line in lines:
            name, _, value = line.partition(":")
            if name.strip() == key:
                return value.strip()
    return platform.machine()
