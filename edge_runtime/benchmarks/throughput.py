"""How many images a second go through a model when several workers share the cores.

`invoke` lets other threads of Python run meanwhile, the code around it does not; processes share
nothing, and each loads everything anew.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from PIL import Image

from edge_runtime.benchmarks.rounds import Settings
from edge_runtime.benchmarks.subject import Subject
from edge_runtime.benchmarks.workers import (
    Shift,
    Source,
    WorkerKind,
    process_workers,
    thread_workers,
)

Case = tuple[Source, WorkerKind, int]


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


def throughput_cases(workers: int) -> list[Case]:
    """Return what `measure_throughput` measures: one thread, then so many threads and processes."""
    teams: list[tuple[WorkerKind, int]] = [("threads", 1)]
    if workers > 1:
        teams += [("threads", workers), ("processes", workers)]
    return [(source, *team) for team in teams for source in get_args(Source)]


def measure_throughput(
    subjects: Sequence[Subject], settings: Settings, *, progress: Callable[[int], None]
) -> tuple[list[list[Throughput]], float]:
    """Measure all `throughput_cases` of each subject, repeatedly.

    The subjects take turns, as with the latency; their workers are made anew in each turn, as there
    is not enough memory everywhere for those of all at once. ``progress`` is called after each
    figure.

    Returns:
        The figures of each subject, and how many of the first one's PNG files Pillow alone decodes
        a second in one thread.

    Raises:
        EdgeError: a process could not be started.
    """
    rates: list[dict[Case, list[float]]] = [{} for _ in subjects]
    decoded = []
    for _ in range(settings.repeats):
        decoded.append(_decoding_rate(subjects[0].files, settings.seconds))
        for subject, found in zip(subjects, rates, strict=True):
            for case, rate in _one_turn(subject, settings):
                found.setdefault(case, []).append(rate)
                progress(1)
    figures = [
        [Throughput(*case, statistics.median(values)) for case, values in found.items()]
        for found in rates
    ]
    return figures, statistics.median(decoded)


def _one_turn(subject: Subject, settings: Settings) -> Iterator[tuple[Case, float]]:
    cases = throughput_cases(settings.workers)
    for kind, count in dict.fromkeys(case[1:] for case in cases):
        team = thread_workers if kind == "threads" else process_workers
        with team(subject, count) as work:
            for case in cases:
                if case[1:] == (kind, count):
                    yield case, images_per_second(work(case[0], settings.seconds))


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
