"""Run a model and a rewritten form of it side by side, in a process of its own.

A rewrite is kept only if the runtime that it is meant for gives the same numbers with it, and
sooner.
"""

import gc
import io
import statistics
import sys
import time
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.loading.limits import limit_this_process
from edge_runtime.inference.loading.probe import run_child
from edge_runtime.inference.network import Network
from edge_runtime.models.model_file import ModelFile
from edge_runtime.runtimes.backends import choose_backend
from edge_runtime.runtimes.children import answer, command_of

_ROUNDS = 21
_ROUND_SECONDS = 0.01


@dataclass(frozen=True)
class Trial:
    """What became of two forms of one model.

    Attributes:
        image_count: how many images both answered to.
        different: to how many of them not with the same numbers.
        before_us: median time for each image of a batch with the first, in microseconds.
        after_us: the same with the second.
    """

    image_count: int
    different: int
    before_us: float
    after_us: float


def compare_forms(
    before: bytes,
    after: bytes,
    images: NDArray[np.uint8],
    *,
    backend: str | None = None,
    python: str = sys.executable,
) -> Trial:
    """Run both forms of a model on the same images, one thread each, in turns.

    Args:
        before: the bytes of a .tflite.
        after: those of its other form.
        images: (N, H, W, C) uint8.
        backend: as in `probe`.
        python: as in `probe`.

    Raises:
        ModelError: the runtime refused one of them, died of it, or took too long.
    """
    packed = io.BytesIO()
    forms = (np.frombuffer(data, np.uint8) for data in (before, after))
    np.savez(packed, images, *forms)
    arguments = [backend] if backend else []
    command = command_of("edge_runtime.inference.loading.trial", *arguments, python=python)
    return Trial(**run_child(command, packed.getvalue()))


def main() -> int:
    """Run the two models on standard input, for `compare_forms`."""
    return answer(lambda: asdict(_try(sys.stdin.buffer.read(), *sys.argv[1:])))


def _try(given: bytes, backend_name: str | None = None) -> Trial:
    backend = choose_backend(backend_name)
    backend.import_runtime()
    limit_this_process(len(given))
    with np.load(io.BytesIO(given), allow_pickle=False) as arrays:
        images = arrays["arr_0"]
        before, after = (
            Network(ModelFile("the model", arrays[name].tobytes()), backend=backend)
            for name in ("arr_1", "arr_2")
        )
    differs = (before.raw_outputs(images) != after.raw_outputs(images)).any(axis=1)
    batch = np.resize(images, before.batch_shape)
    times = (microseconds / len(batch) for microseconds in _median_times((before, after), batch))
    return Trial(len(images), int(differs.sum()), *times)


def _median_times(models: tuple[Network, ...], batch: NDArray[np.uint8]) -> list[float]:
    """Return the median over the rounds of each model's median for a batch, in microseconds."""
    gc.disable()
    rounds = [[_round(model, batch) for model in models] for _ in range(_ROUNDS)]
    return [statistics.median(found) for found in zip(*rounds, strict=True)]


def _round(model: Network, batch: NDArray[np.uint8]) -> float:
    times = []
    end = time.perf_counter() + _ROUND_SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter_ns()
        model.predict(batch)
        times.append((time.perf_counter_ns() - start) / 1000)
    return statistics.median(times)
