"""How many images a second go through a model when several workers share the cores.

A worker is a thread or a process, with a classifier of its own. `invoke` lets other threads of
Python run meanwhile, the code around it does not; processes share nothing and load everything
several times. Processes are started anew, not forked: a fork would copy the runtime's threads and
locks in whatever state they are.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edge_runtime.backends import choose_backend
from edge_runtime.benchmark.contestant import Contestant
from edge_runtime.classifier import Classifier
from edge_runtime.errors import EdgeError
from edge_runtime.model_file import ModelFile

Source = Literal["arrays", "pictures"]
WorkerKind = Literal["threads", "processes"]

# So many images go in at once; the clock is looked at in between.
_PART = 20
_STARTING_SECONDS = 120.0

# Nothing in the current folder may pass for a module of ours or of NumPy.
_CHILD = """\
import sys
sys.path[:] = [path for path in sys.path if path]
from edge_runtime.benchmark.throughput import main
main()
"""

# Start and end on a clock that all processes of a machine share, and the images in between.
Shift = tuple[int, int, int]


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
        with _threads(contestant, images, pictures, count) as work:
            found += _of_both(work, "threads", count, seconds, repeats, progress)
    if workers > 1:
        with _processes(contestant, images, pictures, workers) as work:
            found += _of_both(work, "processes", workers, seconds, repeats, progress)
    return found


def figure_count(workers: int) -> int:
    """Return how many figures `measure_throughput` gives."""
    return 6 if workers > 1 else 2


Work = Callable[[Source, float], Sequence[Shift]]


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


def _shift(
    classifier: Classifier,
    source: Source,
    images: NDArray[np.uint8],
    pictures: Sequence[Path],
    seconds: float,
) -> Shift:
    """Classify images, from the first again after the last, for so long."""
    size = -(-_PART // classifier.batch_size) * classifier.batch_size
    done, start = 0, time.perf_counter_ns()
    end = start + int(seconds * 1e9)
    while (now := time.perf_counter_ns()) < end:
        first = done % len(images)
        if source == "arrays":
            part = images[first : first + size]
            classifier.predict(part)
            done += len(part)
        else:
            classifier.classify(pictures[done % len(pictures)])
            done += 1
    return start, now, done


@contextlib.contextmanager
def _threads(
    contestant: Contestant, images: NDArray[np.uint8], pictures: Path, count: int
) -> Iterator[Work]:
    """Give work to threads; this is the function to point at another pool of classifiers."""
    classifiers = [contestant.load() for _ in range(count)]
    files = sorted(pictures.iterdir())

    def work(source: Source, seconds: float) -> list[Shift]:
        shifts: list[Shift] = []

        def run(classifier: Classifier) -> None:
            together.wait()
            shifts.append(_shift(classifier, source, images, files, seconds))

        together = threading.Barrier(count)
        running = [threading.Thread(target=run, args=(each,), daemon=True) for each in classifiers]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        return shifts

    yield work
    for classifier in classifiers:
        classifier.close()


@contextlib.contextmanager
def _processes(
    contestant: Contestant, images: NDArray[np.uint8], pictures: Path, count: int
) -> Iterator[Work]:
    """Give work to processes, which wait for each piece of it; at the end they are gone."""
    command = [sys.executable, "-c", _CHILD, contestant.backend.name, contestant.kernels]
    command += [str(contestant.threads), str(pictures), *map(str, images.shape)]
    children = [
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        for _ in range(count)
    ]

    def work(source: Source, seconds: float) -> list[Shift]:
        for child in children:
            _send(child, f"{source} {seconds}\n".encode())
        return [_received(child) for child in children]

    try:
        for child in children:
            _send(child, f"{len(contestant.file.data)}\n".encode())
            _send(child, contestant.file.data + images.tobytes())
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
        "A process that measures the throughput ended early; is there memory enough for "
        "--workers of them?"
    )


def main() -> None:
    """Serve `_processes`: read a model and images, then a piece of work from each line."""
    backend, kernels, threads, pictures, *shape = sys.argv[1:]
    stream = sys.stdin.buffer
    model = ModelFile("the model", stream.read(int(stream.readline())))
    count, height, width, channels = map(int, shape)
    pixels = stream.read(count * height * width * channels)
    images = np.frombuffer(pixels, np.uint8).reshape(count, height, width, channels)
    classifier = Classifier(
        model,
        backend=choose_backend(backend),
        threads=int(threads),
        kernels=kernels,  # type: ignore[arg-type]
    )
    files = sorted(Path(pictures).iterdir())
    classifier.predict(images[:1])
    classifier.classify(files[0])
    _answer((0, 0, 0))
    for line in stream:
        source, seconds = line.decode().split()
        _answer(_shift(classifier, source, images, files, float(seconds)))  # type: ignore[arg-type]


def _answer(shift: Shift) -> None:
    sys.stdout.write(json.dumps(shift) + "\n")
    sys.stdout.flush()
