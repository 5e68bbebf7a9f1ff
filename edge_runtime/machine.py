"""What a measurement must name: the machine that it was made on."""

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


def _cpu_name() -> str:
    """Return the processor's name as Linux knows it, or the architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    for key in ("model name", "Model", "Hardware"):
        for line in lines:
            name, _, value = line.partition(":")
            if name.strip() == key:
                return value.strip()
    return platform.machine()
