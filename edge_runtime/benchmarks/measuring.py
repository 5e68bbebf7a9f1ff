"""Measure everything about some contestants, phase by phase."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from edge_runtime.benchmarks.board import BoardLog
from edge_runtime.benchmarks.budgets import judged
from edge_runtime.benchmarks.contestant import Contestant
from edge_runtime.benchmarks.recommendation import choose
from edge_runtime.benchmarks.result import Benchmark, Measured, Settings
from edge_runtime.benchmarks.rounds import Turns, measure_rounds
from edge_runtime.benchmarks.scoring import Score, score
from edge_runtime.benchmarks.starting import Start, can_start, floor_once, start_once
from edge_runtime.benchmarks.subject import Subject, open_subject
from edge_runtime.benchmarks.throughput import (
    Throughput,
    figure_count,
    measure_throughput,
)
from edge_runtime.benchmarks.timing import clock_cost_ns
from edge_runtime.data.datasets import Dataset
from edge_runtime.inference.memory import model_memory
from edge_runtime.proof.parity.contract import Budgets

# A bar of so many steps under this label, and what moves it.
Progress = Callable[[int, str], AbstractContextManager[Callable[[int], None]]]


@contextlib.contextmanager
def no_progress(length: int, label: str) -> Iterator[Callable[[int], None]]:
    """Show nothing."""
    yield lambda done: None


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
        subjects = [
            open_subject(
                each, loads=settings.loads, dataset=dataset, must_fit=must_fit, folder=folder
            )
            for each in contestants
        ]
        for subject in subjects:
            stack.enter_context(subject.classifier)
        turns = _turns(subjects, settings, board, progress)
        starts, floor = _starts(subjects, settings.starts, folder / "model.tflite", progress)
        throughput, decoded = _throughput(subjects, settings, progress)
        memory = _memory(subjects, progress)
        scores = _scores(subjects, predictions_folders, progress)
        measured = [
            _put_together(*parts)
            for parts in zip(subjects, turns, starts, throughput, memory, scores, strict=True)
        ]
    board.note()
    if budgets is not None:
        measured = judged(measured, budgets)
    scored = dataset if any(each.score for each in measured) else None
    return Benchmark(
        settings=settings,
        measured=measured,
        clock_cost_ns=clock_cost_ns(),
        floor=floor,
        decoded_per_second=decoded,
        dataset=scored.name if scored else None,
        dataset_fingerprint=scored.fingerprint if scored else None,
        choice=choose(measured),
        board=board.summary(),
    )


def _put_together(
    subject: Subject,
    turns: Turns,
    start: Start | None,
    throughput: Sequence[Throughput],
    memory_bytes: int | None,
    score: Score | None,
) -> Measured:
    return Measured(
        contestant=subject.contestant,
        summary=subject.classifier.summary,
        delegation=subject.classifier.delegation(),
        turns=turns,
        load_ms=subject.load_ms,
        start=start,
        memory_bytes=memory_bytes,
        throughput=tuple(throughput),
        score=score,
    )


def _turns(
    subjects: Sequence[Subject], settings: Settings, board: BoardLog, progress: Progress
) -> list[Turns]:
    with progress(settings.rounds.rounds * len(subjects), "latency   ") as advance:
        return measure_rounds(
            subjects, settings=settings.rounds, between=board.note, progress=advance
        )


def _throughput(
    subjects: Sequence[Subject], settings: Settings, progress: Progress
) -> tuple[list[list[Throughput]], float]:
    figures = figure_count(settings.workers) * settings.repeats
    with progress(len(subjects) * figures, "throughput") as advance:
        return measure_throughput(
            subjects,
            workers=settings.workers,
            seconds=settings.seconds,
            repeats=settings.repeats,
            progress=advance,
        )


def _starts(
    subjects: Sequence[Subject], times: int, model: Path, progress: Progress
) -> tuple[list[Start | None], Start]:
    """Return how a process of its own starts with each, and the floor; they take turns, too.

    Args:
        subjects: each with a picture.
        times: how often.
        model: where to write the first one's model for the floor.
        progress: shows how far it is.
    """
    first = subjects[0].contestant
    model.write_bytes(first.file.data)
    measured: list[list[tuple[float, int]]] = [[] for _ in subjects]
    floor = []
    with progress(times * (1 + len(subjects)), "starting  ") as advance:
        for _ in range(times):
            floor.append(floor_once(first, model))
            advance(1)
            for subject, taken in zip(subjects, measured, strict=True):
                if can_start(subject.contestant):
                    taken.append(start_once(subject.contestant, subject.files[0]))
                advance(1)
    return [Start.of(taken) if taken else None for taken in measured], Start.of(floor)


def _memory(subjects: Sequence[Subject], progress: Progress) -> list[int | None]:
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
    subjects: Sequence[Subject], folders: Sequence[Path], progress: Progress
) -> list[Score | None]:
    total = sum(len(each.dataset.test) for each in subjects if each.dataset)
    with progress(total, "accuracy  ") as advance:
        return [
            score(each.contestant, each.classifier, each.dataset, folders, progress=advance)
            if each.dataset
            else None
            for each in subjects
        ]
