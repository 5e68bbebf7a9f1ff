"""What a benchmark found."""

import html
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any

from edge_runtime.benchmarks.board import Board
from edge_runtime.benchmarks.contestant import Contestant
from edge_runtime.benchmarks.distribution import Ratio
from edge_runtime.benchmarks.rounds import Settings, Turns
from edge_runtime.benchmarks.scoring import Score
from edge_runtime.benchmarks.starting import Start
from edge_runtime.benchmarks.throughput import Throughput
from edge_runtime.files.reading import MEBIBYTE
from edge_runtime.models.inspection import ModelSummary
from edge_runtime.proof.parity.checks import Check
from edge_runtime.runtimes.delegation import Delegation
from edge_runtime.runtimes.machine import machine_details
from edge_runtime.wording import ABSENT, html_table, microseconds, percent, plural

SCHEMA_VERSION = 1
SCHEMA_ID = f"urn:fmnist-edge:schema:benchmark:{SCHEMA_VERSION}"

# Neither Python package of the runtimes gives it: LiteRT's profiler is in its C interface only.
OPERATOR_TIMES = "not given by this runtime"

_HTML_HEADS = ("model", "median, µs", "× first", "size, bytes", "memory, MiB", "accuracy, %")


@dataclass(frozen=True, eq=False, repr=False)
class Measured:
    """Everything about one contestant.

    Attributes:
        contestant: which.
        summary: what its file is.
        delegation: which operators XNNPACK took.
        load_ms: from bytes to a classifier that is ready, the median.
        turns: the latencies.
        start: of a process of its own; None where `classify` cannot run it so.
        memory_bytes: how much a process grows at most by loading and running it, as in
            predictions; None where the system does not say.
        throughput: with one worker and several.
        score: which test images it answers correctly; None without any.
        checks: the budgets of the contract that it was held to.
    """

    contestant: Contestant
    summary: ModelSummary
    delegation: Delegation
    load_ms: float
    turns: Turns
    start: Start | None
    memory_bytes: int | None
    throughput: Sequence[Throughput]
    score: Score | None
    checks: tuple[Check, ...] = ()

    @property
    def name(self) -> str:
        """What tables call it."""
        return self.contestant.name

    @property
    def median_us(self) -> float:
        """The median time from an array to probabilities."""
        return self.turns.array.median_us

    @property
    def breaks_budget(self) -> bool:
        """Whether it costs more than the contract allows."""
        return any(check.decision == "broken" for check in self.checks)

    def __repr__(self) -> str:
        return f"<{self.name}: {microseconds(self.median_us)} µs>"

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        contestant = self.contestant
        return {
            "name": contestant.name,
            "model": contestant.file.name,
            "model_sha256": contestant.sha256,
            "size_bytes": self.summary.size_bytes,
            "scheme": self.summary.scheme,
            "backend": contestant.backend.package,
            "backend_version": contestant.backend.version,
            "kernels": contestant.kernels,
            "threads": contestant.threads,
            "latency": self.turns.to_dict(),
            "load_ms": self.load_ms,
            "start": asdict(self.start) if self.start else None,
            "memory_bytes": self.memory_bytes,
            "throughput": [asdict(each) for each in self.throughput],
            "accuracy": self.score.to_dict() if self.score else None,
            "operators": {
                "used": {use.name: use.count for use in self.summary.operators if use.count},
                "count": self.delegation.operator_count,
                "in_xnnpack": self.delegation.inside_xnnpack,
                "outside_xnnpack": list(self.delegation.outside_xnnpack),
                "times": None,
                "times_note": OPERATOR_TIMES,
            },
            "budgets": [_budget(check) for check in self.checks],
        }


@dataclass(frozen=True, eq=False)
class Choice:
    """Which model to take.

    Attributes:
        taken: that one.
        headline: what speaks for it, in a few words.
        sentences: the advice with its reasons; none for a single contestant.
    """

    taken: Measured
    headline: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Benchmark:
    """What a benchmark found; a notebook shows it as a table.

    Attributes:
        settings: how it was measured.
        measured: each contestant, in the order in which they were given.
        clock_cost_ns: what reading the clock adds to each time.
        floor: the least that a process takes to an answer: Python, NumPy, the first one's runtime.
        decoded_per_second: of the same PNG files, by Pillow alone in one thread.
        dataset: name of the test images; None where no images with labels were measured.
        dataset_fingerprint: of it.
        choice: which to take, and why.
        board: temperature, clock and throttling during the run; None where nothing reports them.
    """

    settings: Settings
    measured: Sequence[Measured]
    clock_cost_ns: float
    floor: Start
    decoded_per_second: float
    dataset: str | None
    dataset_fingerprint: str | None
    choice: Choice
    board: Board | None

    @property
    def ratios(self) -> list[Ratio]:
        """How many times as long as the first each contestant takes."""
        first = self.measured[0].turns.array
        return [Ratio.of(each.turns.array, first) for each in self.measured]

    @property
    def keeps_budgets(self) -> bool:
        """Whether no contestant breaks a budget of the contract."""
        return not any(each.breaks_budget for each in self.measured)

    def __repr__(self) -> str:
        medians = ", ".join(repr(each)[1:-1] for each in self.measured)
        count = plural(len(self.measured), "model")
        return f"<Benchmark of {count}: {medians}; take {self.choice.taken.name}>"

    def _repr_html_(self) -> str:
        """Return a table for a notebook, below it the advice."""
        rows = [_html_row(*pair) for pair in zip(self.measured, self.ratios, strict=True)]
        advice = " ".join(self.choice.sentences) or self.choice.headline
        return f"{html_table(rows, header=_HTML_HEADS)}<p>{html.escape(advice)}</p>"

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON, as `benchmark_schema` describes it."""
        return {
            "$schema": SCHEMA_ID,
            "schema_version": SCHEMA_VERSION,
            "machine": machine_details(),
            "settings": asdict(self.settings),
            "clock_cost_ns": self.clock_cost_ns,
            "floor": asdict(self.floor),
            "decoded_per_second": self.decoded_per_second,
            "dataset": self.dataset,
            "dataset_fingerprint": self.dataset_fingerprint,
            "models": [
                {**each.to_dict(), "time_against_first": ratio.to_dict()}
                for each, ratio in zip(self.measured, self.ratios, strict=True)
            ],
            "recommendation": {
                "model": self.choice.taken.name,
                "headline": self.choice.headline,
                "sentences": list(self.choice.sentences),
            },
            "keeps_budgets": self.keeps_budgets,
            "board": asdict(self.board) if self.board else None,
        }


def _html_row(each: Measured, ratio: Ratio) -> tuple[str, ...]:
    """Return the cells of a contestant, in the order of `_HTML_HEADS`."""
    return (
        each.name,
        microseconds(each.median_us),
        f"{ratio.value:.2f}",
        f"{each.summary.size_bytes:,}",
        ABSENT if each.memory_bytes is None else f"{each.memory_bytes / MEBIBYTE:.1f}",
        percent(each.score.accuracy.value) if each.score else ABSENT,
    )


def _budget(check: Check) -> dict[str, Any]:
    """Return a budget for JSON, with the keys that demands on answers have besides."""
    shown = {key: getattr(check, key) for key in ("demand", "limit", "decision", "value")}
    return {**shown, "interval": None, "images_needed": None, "class_index": None}


def benchmark_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of `Benchmark.to_dict`."""
    folder = files("edge_runtime.benchmarks").joinpath("schema")
    schema = folder.joinpath(f"benchmark-{SCHEMA_VERSION}.json").read_text("utf-8")
    return dict(json.loads(schema))
