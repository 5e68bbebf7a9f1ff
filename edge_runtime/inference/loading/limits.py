"""What a process that runs a model of unknown origin may take."""

import math
import resource
from pathlib import Path

from edge_runtime.files.reading import MEBIBYTE

CPU_SECONDS = 30

# More than the process has once the runtime is imported, for weights, buffers and packed copies.
_MEMORY_BYTES = 512 * MEBIBYTE
_MEMORY_PER_MODEL_BYTE = 16


def limit_this_process(size_bytes: int) -> None:
    """Limit what this process may take from now on: memory, processor time, and no file at all.

    Args:
        size_bytes: of the model.
    """
    limit_processor_time(CPU_SECONDS)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, 0)
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    except OSError:
        return
    mapped = pages * resource.getpagesize()
    _lower(resource.RLIMIT_AS, mapped + _MEMORY_BYTES + _MEMORY_PER_MODEL_BYTE * size_bytes)


def limit_processor_time(seconds: float) -> None:
    """Let this process end by SIGXCPU after so many more seconds of processor time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _lower(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime + seconds))


def _lower(limit: int, value: int) -> None:
    _, hard = resource.getrlimit(limit)
    if hard == resource.RLIM_INFINITY or value < hard:
        resource.setrlimit(limit, (value, hard))
