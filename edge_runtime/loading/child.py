"""The process that `edge_runtime.loading.probe` starts: it may crash, hang or run out of memory."""

import json
import resource
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.backends import choose_backend
from edge_runtime.bundle.selftest import run_selftest
from edge_runtime.classifier import Classifier
from edge_runtime.errors import EdgeError, ModelError
from edge_runtime.files import MEBIBYTE
from edge_runtime.loading.probe import CPU_SECONDS, ProbeResult
from edge_runtime.model_file import ModelFile, bundled_model

# More than the process has once the runtime is imported, for weights, buffers and packed copies.
_MEMORY_BYTES = 512 * MEBIBYTE
_MEMORY_PER_MODEL_BYTE = 16


def main() -> int:
    """Probe the model on standard input, for `edge_runtime.loading.probe`."""
    kind, kernels, numbers, *backend = sys.argv[1:]
    data = sys.stdin.buffer.read()
    try:
        result = _examine(
            data,
            kind,
            kernels,
            backend[0] if backend else None,
            finite=numbers == "finite",
        )
    except EdgeError as error:
        sys.stderr.write(f"Error: {' '.join(str(error).split())}\n")
        return 1
    except RuntimeError as error:  # a kernel may refuse what it meets only when it is run
        sys.stderr.write(f"Error: the runtime fails: {' '.join(str(error).split())}\n")
        return 1
    except MemoryError:
        sys.stderr.write("Error: the model needs more memory than a model of its size should.\n")
        return 1
    sys.stdout.write(json.dumps(asdict(result)))
    return 0


def _examine(
    data: bytes, kind: str, kernels: Any, backend_name: str | None, *, finite: bool
) -> ProbeResult:
    backend = choose_backend(backend_name)
    backend.import_runtime()
    limit_this_process(len(data))
    is_bundle = kind == "bundle"
    file = bundled_model(data, name=kind) if is_bundle else ModelFile(kind, data)
    with Classifier(file, backend=backend, kernels=kernels) as classifier:
        answers = classifier.predict(_images(classifier.preprocessing.shape))
        if finite and not np.isfinite(answers).all():
            raise ModelError("the model answers with NaN or infinity.")
        delegation = classifier.delegation()
    selftest = None
    if file.bundle:
        tested = run_selftest(
            file, file.bundle.golden, file.bundle.tolerances, backend=backend, kernels=kernels
        )
        selftest = tested.to_dict()
    return ProbeResult(
        backend.package,
        backend.version,
        delegation.outside_xnnpack,
        delegation.operator_count,
        selftest,
    )


def _images(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return a black image, a white one, and one with every brightness, (3, H, W, C) uint8."""
    ramp = (np.arange(np.prod(shape)) % 256).astype(np.uint8).reshape(shape)
    return np.stack([np.zeros_like(ramp), np.full_like(ramp, 255), ramp])


def limit_this_process(size_bytes: int) -> None:
    """Limit what this process may take from now on: memory, processor time, and no file at all."""
    allow_processor_time()
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, 0)
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    except OSError:
        return
    mapped = pages * resource.getpagesize()
    _lower(resource.RLIMIT_AS, mapped + _MEMORY_BYTES + _MEMORY_PER_MODEL_BYTE * size_bytes)


def allow_processor_time() -> None:
    """Let this process take `CPU_SECONDS` from now on."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _lower(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + CPU_SECONDS)


def _lower(limit: int, value: int) -> None:
    _, hard = resource.getrlimit(limit)
    if hard == resource.RLIM_INFINITY or value < hard:
        resource.setrlimit(limit, (value, hard))
