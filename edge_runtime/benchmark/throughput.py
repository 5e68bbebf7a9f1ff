"""How many images a second go through a model when several workers share the cores.

`invoke` lets other threads of Python run meanwhile, the code around it does not; processes share
nothing, and each loads everything anew.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_runtime.benchmark.contestant import Contestant
from edge_runtime.benchmark.workers import (
    Shift,
    Source,
    Work,
    WorkerKind,
    process_workers,
    thread_workers,
)


@dataclass(frozen=True)
class Throughput:
    """How many images a second.

    Attributes:
        source: "arrays" of uint8 pixels, or "pictures": PNG files of the input's size.
        kind: what the workers are.
        workers: how many.
        images_per_second: of all workers together, the median of the repeats.
    """

    source: Source
    kind: WorkerKind
    workers: int
    images_per_second: float

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


def core_count() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def measure_throughput(
    contestant: Contestant,
    images: NDArray[np.uint8],
    pictures: Path,
    *,
    workers: int,
    seconds: float,
    repeats: int,
    progress: Callable[[int], None] = lambda done: None,
) -> list[Throughput]:
    """Measure one thread, then ``workers`` threads and processes, with arrays and with pictures.

    Args:
        contestant: the model.
        images: (N, H, W, C) uint8 as it wants them.
        pictures: a folder of PNG files of such images.
        workers: threads and processes; with 1 there is nothing but one thread.
        seconds: how long each repeat lasts.
        repeats: how many.
        progress: called with 1 after each figure.

    Raises:
        EdgeError: a process could not be started.
    """
    found: list[Throughput] = []
    for count in sorted({1, workers}):
        with thread_workers(contestant, images, pictures, count) as work:
            found += _of_both(work, "threads", count, seconds, repeats, progress)
    if workers > 1:
        with process_workers(contestant, images, pictures, workers) as work:
            found += _of_both(work, "processes", workers, seconds, repeats, progress)
    return found


def figure_count(workers: int) -> int:
    """Return how many figures `measure_throughput` gives."""
    return 6 if workers > 1 else 2


def _of_both(
    work: Work,
    kind: WorkerKind,
    workers: int,
    seconds: float,
    repeats: int,
    progress: Callable[[int], None],
) -> Iterator[Throughput]:
    sources: tuple[Source, ...] = ("arrays", "pictures")
    for source in sources:
        rates = [images_per_second(work(source, seconds)) for _ in range(repeats)]
        yield Throughput(source, kind, workers, statistics.median(rates))
        progress(1)


def images_per_second(shifts: Sequence[Shift]) -> float:
    """Return the rate of workers that began and ended at about the same time."""
    start = min(first for first, _, _ in shifts)
    end = max(last for _, last, _ in shifts)
    return sum(count for _, _, count in shifts) / ((end - start) / 1e9)


def decoding_rate(pictures: Path, *, seconds: float, repeats: int) -> float:
    """Return how many of the PNG files a second Pillow alone reads and decodes, in one thread."""
    files = sorted(pictures.iterdir())
    rates = []
    for _ in range(repeats):
        done, start = 0, time.perf_counter()
        while (now := time.perf_counter()) < start + seconds:
            with Image.open(files[done % len(files)]) as image:
                image.load()
            done += 1
        rates.append(done / (now - start))
    return statistics.median(rates)
