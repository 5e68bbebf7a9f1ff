"""What a measurement must name, the machine, and how much memory a piece of work took."""

import contextlib
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL

_CLEAR_REFS = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")
_RESET_PEAK = "5"  # proc(5), /proc/pid/clear_refs


@dataclass
class MemoryGrowth:
    """How much memory a piece of work took, once it is done.

    Attributes:
        peak_bytes: how much larger the process was at most than at the start; None while the work
            is going on, and where the system does not tell (it has no /proc).
    """

    peak_bytes: int | None = None


@contextlib.contextmanager
def memory_growth() -> Iterator[MemoryGrowth]:
    """Measure how much the process grows at most within the block.

    Memory that the process had used before and keeps for itself is filled first and not counted:
    import the runtime before, and measure the first model of a process.
    """
    growth = MemoryGrowth()
    before = _reset_peak()
    yield growth
    peak = _resident_bytes("VmHWM")
    if before is not None and peak is not None:
        growth.peak_bytes = max(0, peak - before)


def _reset_peak() -> int | None:
    try:
        _CLEAR_REFS.write_text(_RESET_PEAK)
    except OSError:
        return None
    return _resident_bytes("VmRSS")


def _resident_bytes(key: str) -> int | None:
    try:
        for line in _STATUS.read_text("utf-8").splitlines():
            name, _, value = line.partition(":")
            if name == key:
                return int(value.split()[0]) * 1024
    except OSError:
        pass
    return None


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
