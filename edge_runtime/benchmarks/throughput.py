"""How many images a second go through a model when several workers share the cores.

`invoke` lets other threads of Python run meanwhile, the code around it does not; processes share
nothing, and each loads everything anew.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from edge_runtime.benchmarks.subject import Subject
from edge_runtime.benchmarks.workers import (
    Shift,
    Source,
    Work,
    WorkerKind,
    process_workers,
    thread_workers,
)

_Case = tuple[Source, WorkerKind, int]


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


def measure_throughput(
    subjects: Sequence[Subject],
    *,
    workers: int,
    seconds: float,
    repeats: int,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[list[list[Throughput]], float]:
    """Measure one thread, then ``workers`` threads and processes, with arrays and with pictures.

    The subjects take turns, as with the latency; their workers are made anew in each, for there is
    not memory everywhere for those of all at once.

    Args:
        subjects: the models and their images.
        workers: threads and processes; with 1 there is nothing but one thread.
        seconds: how long each repeat lasts.
        repeats: how many.
        progress: called with 1 after each figure of each repeat.

    Returns:
        The figures of each subject, and how many of the first one's PNG files Pillow alone decodes
        a second in one thread.

    Raises:
        EdgeError: a process could not be started.
    """
    rates: list[dict[_Case, list[float]]] = [{} for _ in subjects]
    decoded = []
    for _ in range(repeats):
        decoded.append(_decoding_rate(subjects[0].files, seconds))
        for subject, found in zip(subjects, rates, strict=True):
            for case, rate in _one_turn(subject, workers, seconds):
                found.setdefault(case, []).append(rate)
                progress(1)
    figures = [
        [Throughput(*case, statistics.median(values)) for case, values in found.items()]
        for found in rates
    ]
    return figures, statistics.median(decoded)


def figure_count(workers: int) -> int:
    """Return how many figures `measure_throughput` gives for each subject."""
    return 6 if workers > 1 else 2


def _one_turn(subject: Subject, workers: int, seconds: float) -> Iterator[tuple[_Case, float]]:
    given = subject.contestant, subject.images, subject.pictures
    for count in sorted({1, workers}):
        with thread_workers(*given, count) as work:
            yield from _of_both(work, "threads", count, seconds)
    if workers > 1:
        with process_workers(*given, workers) as work:
            yield from _of_both(work, "processes", workers, seconds)


def _of_both(
    work: Work, kind: WorkerKind, workers: int, seconds: float
) -> Iterator[tuple[_Case, float]]:
    sources: tuple[Source, ...] = ("arrays", "pictures")
    for source in sources:
        yield (source, kind, workers), images_per_second(work(source, seconds))


def images_per_second(shifts: Sequence[Shift]) -> float:
    """Return the rate of workers that began and ended at about the same time."""
    start = min(first for first, _, _ in shifts)
    end = max(last for _, last, _ in shifts)
    return sum(count for _, _, count in shifts) / ((end - start) / 1e9)


def _decoding_rate(files: Sequence[Path], seconds: float) -> float:
    done, start = 0, time.perf_counter()
    while (now := time.perf_counter()) < start + seconds:
        with Image.open(files[done % len(files)]) as image:
            image.load()
        done += 1
    return done / (now - start)
