"""Measure everything about some contestants, phase by phase."""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from edge_runtime.benchmarks.board import read_board, summed_up
from edge_runtime.benchmarks.contestant import Contestant, Material, Subject, open_subject
from edge_runtime.benchmarks.recommendation import choose
from edge_runtime.benchmarks.result import Benchmark, Measured
from edge_runtime.benchmarks.rounds import Settings, clock_cost_ns, measure_rounds
from edge_runtime.benchmarks.scoring import Score, score
from edge_runtime.benchmarks.starting import Start, can_start, floor_once, start_once
from edge_runtime.benchmarks.throughput import measure_throughput, throughput_cases
from edge_runtime.inference.memory import model_memory
from edge_runtime.proof.parity.checks import check_budgets
from edge_runtime.proof.parity.contract import Budgets

# Called with a phase, how much of it is done, and how much there is to do; first with 0.
Progress = Callable[[str, int, int], None]


def measure(
    contestants: Sequence[Contestant],
    material: Material,
    *,
    settings: Settings,
    predictions_folders: Sequence[Path],
    budgets: Budgets,
    progress: Progress,
) -> Benchmark:
    """Measure everything about some contestants; `benchmark` says what the arguments are."""
    readings = [read_board()]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fmnist-edge-")))
        subjects = [
            open_subject(each, material, loads=settings.loads, folder=folder)
            for each in contestants
        ]
        for subject in subjects:
            stack.enter_context(subject.classifier)
        turns = measure_rounds(
            subjects,
            settings=settings.rounds,
            between=lambda: readings.append(read_board()),
            progress=_counter(progress, "latency", settings.rounds.rounds * len(subjects)),
        )
        starts, floor = _starts(subjects, settings.starts, folder / "model.tflite", progress)
        figures = len(throughput_cases(settings.workers)) * settings.repeats * len(subjects)
        throughput, decoded = measure_throughput(
            subjects, settings, progress=_counter(progress, "throughput", figures)
        )
        memory = _memory(subjects, progress)
        scores = _scores(subjects, predictions_folders, progress)
        measured = [
            Measured(
                subject.contestant,
                subject.classifier.summary,
                subject.classifier.delegation(),
                subject.load_ms,
                *phases,
            )
            for subject, *phases in zip(
                subjects, turns, starts, memory, throughput, scores, strict=True
            )
        ]
    measured = judged(measured, budgets)
    readings.append(read_board())
    scored = material.dataset if any(scores) else None
    return Benchmark(
        settings=settings,
        measured=measured,
        clock_cost_ns=clock_cost_ns(),
        floor=floor,
        decoded_per_second=decoded,
        dataset=scored.name if scored else None,
        dataset_fingerprint=scored.fingerprint if scored else None,
        choice=choose(measured),
        board=summed_up(readings),
    )


def _counter(progress: Progress, phase: str, total: int) -> Callable[[int], None]:
    """Begin a phase; return what is called with the number of steps that were done since."""
    done = 0

    def advance(steps: int) -> None:
        nonlocal done
        done += steps
        progress(phase, done, total)

    advance(0)
    return advance


def _starts(
    subjects: Sequence[Subject], times: int, model: Path, progress: Progress
) -> tuple[list[Start | None], Start]:
    """Return how a process of its own starts with each, and the floor; they take turns, too.

    The first one's model is written to ``model`` for the floor.
    """
    first = subjects[0].contestant
    model.write_bytes(first.file.data)
    measured: list[list[tuple[float, int]]] = [[] for _ in subjects]
    floor = []
    advance = _counter(progress, "starting", times * (1 + len(subjects)))
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
    advance = _counter(progress, "memory", len(subjects))
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
    advance = _counter(progress, "accuracy", total)
    return [
        score(each.contestant, each.classifier, each.dataset, folders, progress=advance)
        if each.dataset
        else None
        for each in subjects
    ]


def judged(measured: Sequence[Measured], budgets: Budgets) -> list[Measured]:
    """Return them with the budgets that they keep or break.

    A float32 model beside others is what they are compared with, and is held to none.

    Raises:
        ContractError: there is a budget for what could not be measured.
    """
    schemes = {each.summary.scheme for each in measured}
    found = []
    for each in measured:
        if each.summary.scheme == "float32" and len(schemes) > 1:
            found.append(each)
            continue
        details = {
            "size_bytes": each.summary.size_bytes,
            "latency_us": {"median": each.median_us},
            "memory_bytes": each.memory_bytes,
        }
        found.append(replace(each, checks=check_budgets(each.name, details, budgets)))
    return found
