"""How much memory a model takes, measured in a process of its own."""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.errors import ModelError
from edge_runtime.inference.loading.probe import run_child
from edge_runtime.inference.network import Network
from edge_runtime.models.model_file import ModelFile
from edge_runtime.runtimes.backends import Kernels, choose_backend
from edge_runtime.runtimes.children import answer, command_of

_CLEAR_REFS = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")
_RESET_PEAK = "5"  # proc(5), /proc/pid/clear_refs
_IMAGE_COUNT = 10


@dataclass
class MemoryGrowth:
    """How much larger the process was at most than before some work.

    None while the work is going on, and where the system does not tell (it has no /proc).
    """

    peak_bytes: int | None = None


@contextlib.contextmanager
def memory_growth() -> Iterator[MemoryGrowth]:
    """Measure how much the process grows at most within the block.

    Memory that the process used before and keeps for itself is filled first and does not count, so
    of several models only the first is measured well.
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
    with contextlib.suppress(OSError):
        for line in _STATUS.read_text("utf-8").splitlines():
            name, _, value = line.partition(":")
            if name == key:
                return int(value.split()[0]) * 1024
    return None


def model_memory(
    model: bytes, *, backend: str, threads: int = 1, kernels: Kernels = "auto"
) -> int | None:
    """Return how much a process grows at most while it loads a model and runs it, in bytes.

    A new process is asked: within one, the memory of the models before would be used again. The
    runtime is imported before it counts. None where the system does not tell (it has no /proc).

    Args:
        model: the .tflite bytes, which were loaded before without an error.
        backend: name of the runtime.
        threads: threads of the interpreter.
        kernels: which of the runtime's kernels.
    """
    if not _CLEAR_REFS.exists():
        return None
    command = command_of("edge_runtime.inference.memory", backend, str(threads), kernels)
    try:
        growth: int | None = run_child(command, model)
    except (OSError, ModelError):
        return None
    return growth


def main() -> int:
    """Measure the model on standard input, for `model_memory`."""
    return answer(lambda: _growth_of(sys.stdin.buffer.read(), *sys.argv[1:]))


def _growth_of(model: bytes, backend_name: str, threads: str, kernels: Any) -> int | None:
    backend = choose_backend(backend_name)
    backend.import_runtime()
    file = ModelFile("the model", model)
    with memory_growth() as growth:
        network = Network(file, backend=backend, threads=int(threads), kernels=kernels)
        network.predict(np.zeros((_IMAGE_COUNT, *network.preprocessing.shape), np.uint8))
    return growth.peak_bytes
