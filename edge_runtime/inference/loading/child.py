"""The process that `loading.probe` starts: it may crash, hang or run out of memory."""

import sys
from dataclasses import asdict
from typing import Any

import numpy as np

from edge_runtime.errors import ModelError
from edge_runtime.inference.loading.limits import limit_this_process
from edge_runtime.inference.loading.probe import ProbeResult, probe_images
from edge_runtime.inference.loading.selftest import run_selftest
from edge_runtime.inference.network import Network
from edge_runtime.models.model_file import ModelFile, bundled_model
from edge_runtime.runtimes.backends import choose_backend
from edge_runtime.runtimes.children import answer


def main() -> int:
    """Probe the model on standard input, for `loading.probe`."""
    return answer(lambda: asdict(_examine(sys.stdin.buffer.read(), *sys.argv[1:])))


def _examine(
    data: bytes, kind: str, kernels: Any, numbers: str, backend_name: str | None = None
) -> ProbeResult:
    backend = choose_backend(backend_name)
    backend.import_runtime()
    limit_this_process(len(data))
    file = bundled_model(data, name=kind) if kind == "bundle" else ModelFile(kind, data)
    with Network(file, backend=backend, kernels=kernels) as network:
        answers = network.predict(probe_images(network.preprocessing.shape))
        if numbers == "finite" and not np.isfinite(answers).all():
            raise ModelError("the model answers with NaN or infinity.")
        delegation = network.delegation()
    selftest = None
    if file.bundle:
        selftest = run_selftest(
            file, file.bundle.golden, file.bundle.tolerances, backend=backend, kernels=kernels
        ).to_dict()
    return ProbeResult(backend.package, backend.version, **asdict(delegation), selftest=selftest)
