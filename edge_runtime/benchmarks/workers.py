"""Workers that share the cores: threads or processes, each with a classifier of its own.

Processes are started anew, not forked: a fork would copy the runtime's threads and locks in
whatever state they are.
"""

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge_runtime.benchmarks.contestant import Contestant
from edge_runtime.errors import EdgeError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.models.manifest import Manifest
from edge_runtime.models.model_file import ModelFile
from edge_runtime.runtimes.backends import choose_backend

Source = Literal["arrays", "pictures"]
WorkerKind = Literal["threads", "processes"]

# Start and end on a clock that all processes of a machine share, and the images in between.
Shift = tuple[int, int, int]
# Does so many seconds of work with all workers, and returns the shift of each.
Work = Callable[[Source, float], Sequence[Shift]]

# So many images go in at once; the clock is looked at in between.
_PART = 20

# Nothing in the current folder may pass for a module of ours or of NumPy.
_CHILD = """\
import sys
sys.path[:] = [path for path in sys.path if path]
from edge_runtime.benchmarks.workers import main
main()
"""


@contextlib.contextmanager
def thread_workers(
    contestant: Contestant, images: NDArray[np.uint8], pictures: Path, count: int
) -> Iterator[Work]:
    """Give work to threads; this is the function to point at another pool of classifiers."""
    classifiers = [contestant.load() for _ in range(count)]
    files = sorted(pictures.iterdir())

    for classifier in classifiers:
        _prepare(classifier, images, files)
    together = threading.Barrier(count)

    def run(classifier: Classifier, source: Source, seconds: float) -> Shift:
        together.wait()
        return _shift(classifier, source, images, files, seconds)

    with ThreadPoolExecutor(count) as pool:

        def work(source: Source, seconds: float) -> list[Shift]:
            return list(pool.map(run, classifiers, repeat(source), repeat(seconds)))

        yield work
    for classifier in classifiers:
        classifier.close()


@contextlib.contextmanager
def process_workers(
    contestant: Contestant, images: NDArray[np.uint8], pictures: Path, count: int
) -> Iterator[Work]:
    """Give work to processes, which wait for each piece of it; at the end they are gone."""
    file = contestant.file
    manifest = file.manifest.to_dict() if file.manifest else None
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
            _send(
                child, json.dumps({"manifest": manifest, "size": len(file.data)}).encode() + b"\n"
            )
            _send(child, file.data + images.tobytes())
        for child in children:
            _received(child)
        yield work
    finally:
        for child in children:
            child.kill()
            child.communicate()


def _prepare(classifier: Classifier, images: NDArray[np.uint8], files: Sequence[Path]) -> None:
    """Do everything once: the first time takes longer."""
    classifier.predict(images[:1])
    classifier.classify(files[0])


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
    """Serve `process_workers`: read a model and images, then a piece of work from each line."""
    backend, kernels, threads, pictures, *shape = sys.argv[1:]
    stream = sys.stdin.buffer
    header = json.loads(stream.readline())
    manifest = Manifest.from_dict(header["manifest"]) if header["manifest"] else None
    model = ModelFile("the model", stream.read(header["size"]), manifest)
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
    _prepare(classifier, images, files)
    _answer((0, 0, 0))
    for line in stream:
        source, seconds = line.decode().split()
        _answer(_shift(classifier, source, images, files, float(seconds)))  # type: ignore[arg-type]


def _answer(shift: Shift) -> None:
    sys.stdout.write(json.dumps(shift) + "\n")
    sys.stdout.flush()
