"""The process that `loading.probe` starts: it may crash, hang or run out of memory."""

import json
import sys
from dataclasses import asdict
from typing import Any

import numpy as np

from edge_runtime.errors import EdgeError, ModelError
from edge_runtime.inference.loading.limits import limit_this_process
from edge_runtime.inference.loading.probe import ProbeResult, probe_images
from edge_runtime.inference.loading.selftest import run_selftest
from edge_runtime.inference.network import Network
from edge_runtime.models.model_file import ModelFile, bundled_model
from edge_runtime.runtimes.backends import choose_backend


def main() -> int:
    """Probe the model on standard input, for `loading.probe`."""
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
    with Network(file, backend=backend, kernels=kernels) as classifier:
        answers = classifier.predict(probe_images(classifier.preprocessing.shape))
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
