"""Measure everything about some contestants, phase by phase."""

import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_runtime.benchmark.board import BoardLog
from edge_runtime.benchmark.contestant import Contestant
from edge_runtime.benchmark.recommendation import choose
from edge_runtime.benchmark.result import Benchmark, Measured, Settings
from edge_runtime.benchmark.rounds import Turns, measure_rounds
from edge_runtime.benchmark.scoring import Score, score
from edge_runtime.benchmark.starting import Start, can_start, start_once
from edge_runtime.benchmark.throughput import Throughput, figure_count, measure_throughput
from edge_runtime.benchmark.timing import clock_cost_ns
from edge_runtime.classifier import Classifier
from edge_runtime.datasets import Dataset
from edge_runtime.errors import DatasetError
from edge_runtime.evaluation import refuse_misfit
from edge_runtime.memory import model_memory
from edge_runtime.parity.checks import check_budgets
from edge_runtime.parity.contract import Budgets

# A bar of so many steps under this label, and what moves it.
Progress = Callable[[int, str], AbstractContextManager[Callable[[int], None]]]

_MOST_IMAGES = 1000
_PICTURES = 100
_SEED = 0


@contextlib.contextmanager
def no_progress(length: int, label: str) -> Iterator[Callable[[int], None]]:
    """Show nothing."""
    yield lambda done: None


@dataclass(frozen=True, eq=False)
class _Subject:
    """A contestant that is loaded, with what it is given to do."""

    contestant: Contestant
    classifier: Classifier
    load_ms: float
    images: NDArray[np.uint8]
    pictures: Path

    @property
    def files(self) -> list[Path]:
        """The pictures, in a fixed order."""
        return sorted(self.pictures.iterdir())


def run_benchmark(
    contestants: Sequence[Contestant],
    *,
    settings: Settings,
    dataset: Dataset | None = None,
    must_fit: bool = False,
    predictions_folders: Sequence[Path] = (),
    budgets: Budgets | None = None,
    progress: Progress = no_progress,
) -> Benchmark:
    """Measure everything about some contestants.

    Args:
        contestants: what is compared; the first is what the others' ratios are to.
        settings: how thoroughly.
        dataset: its test images are timed and scored. Without it, and for contestants that it does
            not fit, random pixels are timed and nothing is scored.
        must_fit: refuse contestants that the dataset does not fit.
        predictions_folders: where predictions of the contestants may lie already.
        budgets: what each may cost. A float32 model beside others is what they are compared with,
            and is not held to them.
        progress: shows how far each phase is.

    Raises:
        DatasetError: the dataset must fit and does not.
        EdgeError: a contestant fails, or its process.
    """
    board = BoardLog()
    board.note()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fmnist-edge-")))
        subjects = []
        for number, contestant in enumerate(contestants):
            classifier, load_ms = _load(contestant, settings.loads)
            stack.enter_context(classifier)
            fitting = _fitting(classifier, dataset, must_fit=must_fit)
            images = _images(classifier, fitting)
            pictures = _write_pictures(images, folder / str(number))
            subjects.append(_Subject(contestant, classifier, load_ms, images, pictures))
        measured = _measure(subjects, settings, dataset, predictions_folders, board, progress)
    board.note()
    if budgets is not None:
        measured = _judged(measured, budgets)
    scored = dataset if any(each.score for each in measured) else None
    return Benchmark(
        settings=settings,
        measured=measured,
        clock_cost_ns=clock_cost_ns(),
        dataset=scored.name if scored else None,
        dataset_fingerprint=scored.fingerprint if scored else None,
        choice=choose(measured),
        board=board.summary(),
    )


def _measure(
    subjects: Sequence[_Subject],
    settings: Settings,
    dataset: Dataset | None,
    folders: Sequence[Path],
    board: BoardLog,
    progress: Progress,
) -> list[Measured]:
    """Go through all phases, each with all subjects."""
    turns = _turns(subjects, settings, board, progress)
    throughput = _throughput(subjects, settings, progress)
    board.note()
    starts = _starts(subjects, settings.starts, progress)
    memory = _memory(subjects, progress)
    scores = _scores(subjects, dataset, folders, progress)
    return [
        Measured(
            contestant=subject.contestant,
            summary=subject.classifier.summary,
            delegation=subject.classifier.delegation(),
            turns=turns[number],
            load_ms=subject.load_ms,
            start=starts[number],
            memory_bytes=memory[number],
            throughput=tuple(throughput[number]),
            score=scores[number],
        )
        for number, subject in enumerate(subjects)
    ]


def _load(contestant: Contestant, times: int) -> tuple[Classifier, float]:
    """Return a loaded classifier, and the median time that loading took, in milliseconds."""
    taken = []
    for _ in range(times):
        start = time.perf_counter_ns()
        classifier = contestant.load()
        taken.append((time.perf_counter_ns() - start) / 1e6)
    return classifier, statistics.median(taken)


def _fitting(classifier: Classifier, dataset: Dataset | None, *, must_fit: bool) -> Dataset | None:
    """Return the dataset if the classifier takes its images and knows its classes, else None."""
    if dataset is None:
        return None
    try:
        refuse_misfit(
            classifier.name, classifier.preprocessing.shape, classifier.class_names, dataset
        )
    except DatasetError:
        if must_fit:
            raise
        return None
    return dataset


def _images(classifier: Classifier, dataset: Dataset | None) -> NDArray[np.uint8]:
    """Return (N, H, W, C) test images as a classifier wants them, or else seeded noise."""
    if dataset is not None and len(dataset.test):
        return dataset.test.images[:_MOST_IMAGES]
    shape = classifier.preprocessing.shape
    return np.random.default_rng(_SEED).integers(0, 256, (_PICTURES, *shape), np.uint8)


def _write_pictures(images: NDArray[np.uint8], folder: Path) -> Path:
    """Write some images as PNG files, and return their folder."""
    folder.mkdir()
    for number, image in enumerate(images[:_PICTURES]):
        pixels = image[..., 0] if image.shape[-1] == 1 else image
        Image.fromarray(pixels).save(folder / f"{number:04}.png")
    return folder


def _turns(
    subjects: Sequence[_Subject], settings: Settings, board: BoardLog, progress: Progress
) -> list[Turns]:
    with progress(settings.rounds.rounds * len(subjects), "latency   ") as advance:
        return measure_rounds(
            [each.contestant for each in subjects],
            [each.classifier for each in subjects],
            [each.images for each in subjects],
            [each.files for each in subjects],
            settings=settings.rounds,
            between=board.note,
            progress=advance,
        )


def _throughput(
    subjects: Sequence[_Subject], settings: Settings, progress: Progress
) -> list[list[Throughput]]:
    with progress(len(subjects) * figure_count(settings.workers), "throughput") as advance:
        return [
            measure_throughput(
                each.contestant,
                each.images,
                each.pictures,
                workers=settings.workers,
                seconds=settings.seconds,
                repeats=settings.repeats,
                progress=advance,
            )
            for each in subjects
        ]


def _starts(subjects: Sequence[_Subject], times: int, progress: Progress) -> list[Start | None]:
    """Return how a process of its own starts with each; they take turns here, too."""
    measured: list[list[tuple[float, int]]] = [[] for _ in subjects]
    with progress(times * len(subjects), "starting  ") as advance:
        for _ in range(times):
            for subject, taken in zip(subjects, measured, strict=True):
                if can_start(subject.contestant):
                    taken.append(start_once(subject.contestant, subject.files[0]))
                advance(1)
    return [Start.of(taken) if taken else None for taken in measured]


def _memory(subjects: Sequence[_Subject], progress: Progress) -> list[int | None]:
    found = []
    with progress(len(subjects), "memory    ") as advance:
        for contestant in (subject.contestant for subject in subjects):
            grown = model_memory(
                contestant.file.data,
                backend=contestant.backend.name,
                threads=contestant.threads,
                kernels=contestant.kernels,
            )
            found.append(grown)
            advance(1)
    return found


def _scores(
    subjects: Sequence[_Subject],
    dataset: Dataset | None,
    folders: Sequence[Path],
    progress: Progress,
) -> list[Score | None]:
    fitting = [_fitting(each.classifier, dataset, must_fit=False) for each in subjects]
    with progress(sum(len(each.test) for each in fitting if each), "accuracy  ") as advance:
        return [
            score(subject.contestant, subject.classifier, each, folders, progress=advance)
            if each and len(each.test)
            else None
            for subject, each in zip(subjects, fitting, strict=True)
        ]


def _judged(measured: Sequence[Measured], budgets: Budgets) -> list[Measured]:
    """Return them with the budgets that they keep or break."""
    judged = []
    for each in measured:
        if each.summary.scheme == "float32" and any(
            other.summary.scheme != "float32" for other in measured
        ):
            judged.append(each)
            continue
        details = {
            "size_bytes": each.summary.size_bytes,
            "latency_us": {"median": each.median_us},
            "memory_bytes": each.memory_bytes,
        }
        judged.append(replace(each, checks=check_budgets(each.name, details, budgets)))
    return judged
