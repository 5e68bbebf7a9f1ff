"""What is said of each model, step and class: figures in words, made once for all reports."""

import re
from collections.abc import Sequence

from edge_runtime.proof.metrics import PairedCounts, decimals_for
from edge_runtime.proof.parity import ClassChange, Judgement, Step
from edge_runtime.proof.parity.steps import moves, same_file
from edge_runtime.proof.report import once
from edge_runtime.proof.report.entries import Entry, blamed_steps, float32_size_bytes
from edge_runtime.wording import (
    TIMES,
    microseconds,
    p_equals,
    p_value,
    percent,
    percent_interval,
    plural,
    points,
    points_interval,
    printable,
    size,
    span,
)

# By name; a figure that nobody measured is missing.
Figures = dict[str, str]

# What a processor's name says that nobody needs to tell two of them apart.
_NOISE = re.compile(r"\((R|TM|tm)\)|\bProcessor\b|\bCPU\b|@.*$|\b\d+-Core\b")


def model_figures(report: Judgement, models: Sequence[Entry]) -> list[Figures]:
    """Return what is said of each model, the full one first."""
    float32_bytes = float32_size_bytes(models)
    return [
        _model(entry) | _costs(entry, float32_bytes) | _compared(entry, report.contract.confidence)
        for entry in models
    ]


def _model(entry: Entry) -> Figures:
    decimals = decimals_for(entry.accuracy.total)
    kind = [entry.detail("scheme"), size(entry.size_bytes) if entry.size_bytes else ""]
    return {
        "model": entry.model,
        "decision": "reference",
        "accuracy": percent(entry.accuracy.value, decimals),
        "accuracy_interval": percent_interval(entry.accuracy.interval, decimals),
        "kind": " · ".join(filter(None, kind)),
        "runtime": entry.detail("backend", "backend_version"),
        "cpu": " ".join(_NOISE.sub(" ", entry.detail("cpu")).split()),
    }


def _costs(entry: Entry, float32_bytes: int | None) -> Figures:
    found: Figures = {}
    if entry.size_bytes is not None:
        found["size_bytes"], found["size"] = f"{entry.size_bytes:,}", size(entry.size_bytes)
        found["size_note"] = _size_note(entry, float32_bytes)
    median, low, high = (entry.latency_us(key) for key in ("median", "p10", "p90"))
    if median is not None:
        found["median"] = microseconds(median)
        if low is not None and high is not None:
            found["spread"] = f"median; 80 % within {span(microseconds(low), microseconds(high))}"
    return found


def _size_note(entry: Entry, float32_bytes: int | None) -> str:
    """Return how much smaller or larger than the float32 model, or "" where that says nothing."""
    size_bytes = entry.size_bytes if entry.comparison else None
    if not size_bytes or not float32_bytes or size_bytes == float32_bytes:
        return ""
    if size_bytes < float32_bytes:
        return f"{float32_bytes / size_bytes:.1f}{TIMES} smaller than float32"
    return f"{size_bytes / float32_bytes:.1f}{TIMES} as large as float32"


def _compared(entry: Entry, confidence: float) -> Figures:
    """Return what is said of a converted model only."""
    if entry.comparison is None:
        return {}
    counts = entry.comparison.counts
    decimals = decimals_for(counts.image_count)
    low, high = once.same_interval(counts, confidence)
    return (
        _flips(counts)
        | change_figures(counts, confidence)
        | {
            "decision": entry.comparison.decision,
            "full_accuracy": percent(counts.reference_accuracy.value, decimals),
            "images": plural(counts.image_count, "image"),
            "p": p_value(counts.mcnemar_p_value),
            "p_equals": p_equals(counts.mcnemar_p_value),
            "same": percent(counts.agreement.value, decimals),
            "same_interval": span(percent(low, decimals), percent(high, decimals)),
        }
    )


def change_figures(counts: PairedCounts, confidence: float) -> Figures:
    """Return by how much the accuracy of two models differs."""
    decimals = decimals_for(counts.image_count)
    return {
        "change": points(counts.accuracy_difference, decimals),
        "change_interval": points_interval(once.change_interval(counts, confidence), decimals),
    }


def _flips(counts: PairedCounts) -> Figures:
    return {
        "flips": f"{counts.flips:,}",
        "lost": f"{counts.lost:,}",
        "won": f"{counts.won:,}",
        "neither": f"{counts.neither:,}",
    }


def step_figures(report: Judgement, models: Sequence[Entry]) -> list[Figures]:
    """Return what is said of each step; "blamed" is empty where nothing is put down to it."""
    blamed = blamed_steps(report)
    return [
        _flips(step.counts)
        | {
            "step": step.name,
            "before": printable(step.before_model),
            "after": printable(step.after_model),
            "changed": printable(step.changed),
            "briefly": printable(_briefly(step, models)),
            "flipped": plural(step.counts.flips, "flip") if step.counts.flips else "no flips",
            "effects": _effects(step.counts),
            "blamed": "to blame" if index in blamed else "",
        }
        for index, step in enumerate(report.steps)
    ]


def _effects(counts: PairedCounts) -> str:
    """Return what became of changed answers; the third effect follows where there is no room."""
    effects = [("lost", counts.lost), ("won", counts.won), ("neither", counts.neither)]
    return ", ".join([f"{count:,} {effect}" for effect, count in effects if count][:2])


def _briefly(step: Step, models: Sequence[Entry]) -> str:
    """Return what changed without from what to what: both models say that."""
    before, after = models[step.before].details, models[step.after].details
    moved = set(moves(before, after))
    words = {
        "other file": not same_file(before, after),
        "runtime": moved & {"backend", "backend_version"},
        "CPU": moved & {"cpu", "machine"},
        "kernels": "kernels" in moved,
        "threads": "threads" in moved,
        "pixels": "preprocessing" in step.kinds,
    }
    return ", ".join(word for word, is_so in words.items() if is_so) or step.changed


def ordered(changes: Sequence[ClassChange]) -> list[ClassChange]:
    """Return the classes by p-value, of equal ones the largest loss first."""
    return sorted(
        changes, key=lambda change: (change.p_value, change.after.value - change.before.value)
    )


def class_figures(change: ClassChange, class_names: Sequence[str]) -> Figures:
    """Return what is said of the recall of one class."""
    beyond = f"beyond chance ({p_equals(change.p_value)})"
    return {
        "class": printable(class_names[change.index]),
        "before": percent(change.before.value),
        "after": percent(change.after.value),
        "change": points(change.after.value - change.before.value),
        "interval": points_interval(change.interval),
        "lost": f"{change.lost:,}",
        "won": f"{change.won:,}",
        "total": f"{change.before.total:,}",
        "p": p_value(change.p_value),
        "chance": beyond if change.beyond_chance else "within chance",
    }
