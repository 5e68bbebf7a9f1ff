"""How many images a second go through a model when several workers share the cores.

`invoke` lets other threads of Python run meanwhile, the code around it does not; processes share
nothing, and each loads everything anew. They are started anew, not forked: a fork would copy the
runtime's threads and locks in whatever state they are.
"""

import contextlib
import json
import pickle
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_runtime.benchmarks.contestant import Contestant, Subject
from edge_runtime.benchmarks.rounds import Settings
from edge_runtime.errors import EdgeError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.runtimes.children import command_of

Source = Literal["arrays", "pictures"]
WorkerKind = Literal["threads", "processes"]
Case = tuple[Source, WorkerKind, int]

# Start and end on a clock that all processes of a machine share, and the images in between.
Shift = tuple[int, int, int]
# Does so many seconds of work with all workers, and returns the shift of each.
Work = Callable[[Source, float], Sequence[Shift]]

# So many images go in at once; the clock is looked at in between.
_PART = 20


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
    return [(source, *team) for team in _teams(workers) for source in get_args(Source)]


def _teams(workers: int) -> list[tuple[WorkerKind, int]]:
    several: list[tuple[WorkerKind, int]] = [("threads", workers), ("processes", workers)]
    return [("threads", 1), *(several if workers > 1 else [])]


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
    for kind, count in _teams(settings.workers):
        team = thread_workers if kind == "threads" else process_workers
        with team(subject, count) as work:
            for source in get_args(Source):
                yield (source, kind, count), images_per_second(work(source, settings.seconds))


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


class _Worker:
    """A loaded model and its images; everything is done once, as the first time takes longer."""

    def __init__(
        self, contestant: Contestant, images: NDArray[np.uint8], files: Sequence[Path]
    ) -> None:
        self.classifier: Classifier = contestant.load()
        self.images, self.files = images, files
        self.classifier.predict(images[:1])
        self.classifier.classify(files[0])

    def shift(self, source: Source, seconds: float) -> Shift:
        """Classify images, from the first again after the last, for that long."""
        batch = self.classifier.batch_size
        size = -(-_PART // batch) * batch
        done, start = 0, time.perf_counter_ns()
        end = start + int(seconds * 1e9)
        while (now := time.perf_counter_ns()) < end:
            if source == "arrays":
                first = done % len(self.images)
                part = self.images[first : first + size]
                self.classifier.predict(part)
                done += len(part)
            else:
                self.classifier.classify(self.files[done % len(self.files)])
                done += 1
        return start, now, done


@contextlib.contextmanager
def thread_workers(subject: Subject, count: int) -> Iterator[Work]:
    """Give work to threads; this is the function to point at another pool of classifiers."""
    files = subject.files
    workers = [_Worker(subject.contestant, subject.images, files) for _ in range(count)]
    together = threading.Barrier(count)

    def run(worker: _Worker, source: Source, seconds: float) -> Shift:
        together.wait()
        return worker.shift(source, seconds)

    with ThreadPoolExecutor(count) as pool:

        def work(source: Source, seconds: float) -> list[Shift]:
            return list(pool.map(run, workers, repeat(source), repeat(seconds)))

        yield work
    for worker in workers:
        worker.classifier.close()


@contextlib.contextmanager
def process_workers(subject: Subject, count: int) -> Iterator[Work]:
    """Give work to processes, which wait for each piece of it; at the end they are gone."""
    file = replace(subject.contestant.file, bundle=None)  # the model is enough
    contestant = replace(subject.contestant, file=file)
    given = pickle.dumps((contestant, subject.images, subject.files))
    children = [
        subprocess.Popen(
            command_of(__name__),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(count)
    ]

    def work(source: Source, seconds: float) -> list[Shift]:
        for child in children:
            _send(child, f"{source} {seconds}\n".encode())
        return [_received(child) for child in children]

    try:
        for child in children:
            _send(child, given)
        for child in children:
            _received(child)
        yield work
    finally:
        for child in children:
            child.kill()
            child.communicate()


def _send(child: "subprocess.Popen[bytes]", data: bytes) -> None:
    try:
        if child.stdin:
            child.stdin.write(data)
            child.stdin.flush()
    except BrokenPipeError as error:
        raise _lost() from error


def _received(child: "subprocess.Popen[bytes]") -> Shift:
    line = child.stdout.readline() if child.stdout else b""
    try:
        start, end, count = json.loads(line)
    except ValueError as error:
        raise _lost() from error
    return start, end, count


def _lost() -> EdgeError:
    return EdgeError(
        "A process that measures the throughput ended early; is there enough memory for --workers "
        "of them?"
    )


def main() -> None:
    """Serve `process_workers`: read what a worker is given, then a piece of work from each line."""
    stream = sys.stdin.buffer
    worker = _Worker(*pickle.load(stream))
    _answer((0, 0, 0))
    for line in stream:
        source, seconds = line.decode().split()
        _answer(worker.shift(source, float(seconds)))  # type: ignore[arg-type]


def _answer(shift: Shift) -> None:
    sys.stdout.write(json.dumps(shift) + "\n")
    sys.stdout.flush()
