"""What is said of each model, step and class: figures in words, made once for all reports."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from edge_runtime.data.predictions import Predictions
from edge_runtime.proof.metrics import PairedCounts, Rate, decimals_for
from edge_runtime.proof.parity import ClassChange, Comparison, Judgement, Step
from edge_runtime.proof.parity.steps import moves, same_file
from edge_runtime.proof.report import once
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
# Who computed predictions; from a file, so anything may be missing or odd.
Details = Mapping[str, Any]

# What a processor's name says that nobody needs to tell two of them apart.
_NOISE = re.compile(r"\((R|TM|tm)\)|\bProcessor\b|\bCPU\b|@.*$|\b\d+-Core\b")
# More bytes or microseconds than any model has.
_LARGEST_NUMBER = 1e10


def all_models(report: Judgement) -> list[Predictions | Comparison]:
    """Return the full model, then the converted ones: each has a name and details."""
    return [report.reference, *report.comparisons]


def detail(details: Details, *keys: str) -> str:
    """Return what is recorded under the keys, joined by blanks, printable."""
    values = map(details.get, keys)
    return " ".join(printable(value) for value in values if value is not None)


def _number(value: object) -> float | None:
    """Return a measured quantity, or None for what cannot be one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < _LARGEST_NUMBER else None


def model_figures(report: Judgement) -> list[Figures]:
    """Return what is said of each model, the full one first."""
    full, accuracy = report.reference, report.comparisons[0].counts.reference_accuracy
    float32 = (each for each in report.comparisons if each.details.get("scheme") == "float32")
    float32_bytes = next(filter(None, (_size_bytes(each.details) for each in float32)), None)
    return [_model(full.model, full.details, accuracy)] + [
        _model(item.model, item.details, item.counts.candidate_accuracy)
        | _compared(item, report.contract.confidence, float32_bytes)
        for item in report.comparisons
    ]


def _size_bytes(details: Details) -> int | None:
    """Return the size of the model's file."""
    number = _number(details.get("size_bytes"))
    return None if number is None else int(number)


def _model(model: str, details: Details, accuracy: Rate) -> Figures:
    decimals = decimals_for(accuracy.total)
    size_bytes, latency = _size_bytes(details), details.get("latency_us")
    kind = [detail(details, "scheme"), size(size_bytes) if size_bytes else ""]
    said = {
        "model": printable(model),
        "decision": "reference",
        "accuracy": percent(accuracy.value, decimals),
        "accuracy_interval": percent_interval(accuracy.interval, decimals),
        "kind": " · ".join(filter(None, kind)),
        "runtime": detail(details, "backend", "backend_version"),
        "cpu": " ".join(_NOISE.sub(" ", detail(details, "cpu")).split()),
        "size_note": "",
    }
    if size_bytes is not None:
        said |= {"size_bytes": f"{size_bytes:,}", "size": size(size_bytes)}
    if isinstance(latency, Mapping):
        median, low, high = (_number(latency.get(key)) for key in ("median", "p10", "p90"))
        if median is not None:
            said["median"] = microseconds(median)
            if low is not None and high is not None:
                within = span(microseconds(low), microseconds(high))
                said["spread"] = f"median; 80 % within {within}"
    return said


def _compared(item: Comparison, confidence: float, float32_bytes: int | None) -> Figures:
    """Return what is said of a converted model only."""
    counts = item.counts
    decimals = decimals_for(counts.image_count)
    same = once.same_interval(counts, confidence)
    return _changes(counts, confidence) | {
        "decision": item.decision,
        "full_accuracy": percent(counts.reference_accuracy.value, decimals),
        "images": plural(counts.image_count, "image"),
        "p": p_value(counts.mcnemar_p_value),
        "p_equals": p_equals(counts.mcnemar_p_value),
        "same": percent(counts.agreement.value, decimals),
        "same_interval": percent_interval(same, decimals),
        "size_note": _size_note(_size_bytes(item.details), float32_bytes),
    }


def _size_note(size_bytes: int | None, float32_bytes: int | None) -> str:
    """Return how much smaller or larger than the float32 model, or "" where that says nothing."""
    if not size_bytes or not float32_bytes or size_bytes == float32_bytes:
        return ""
    if size_bytes < float32_bytes:
        return f"{float32_bytes / size_bytes:.1f}{TIMES} smaller than float32"
    return f"{size_bytes / float32_bytes:.1f}{TIMES} as large as float32"


def _changes(counts: PairedCounts, confidence: float) -> Figures:
    """Return how many answers of two models differ, and by how much their accuracy does."""
    decimals = decimals_for(counts.image_count)
    return {
        "flips": f"{counts.flips:,}",
        "lost": f"{counts.lost:,}",
        "won": f"{counts.won:,}",
        "neither": f"{counts.neither:,}",
        "change": points(counts.accuracy_difference, decimals),
        "change_interval": points_interval(once.change_interval(counts, confidence), decimals),
    }


def twin(report: Judgement, comparison: Comparison) -> int | None:
    """Return the index of the model before this one if all its probabilities are the same.

    None for others, and for what was made from the full model: that is what all is held against.
    """
    last = report.path(comparison)[-1]
    return last.before if last.before and not last.counts.largest_difference else None


def step_figures(report: Judgement) -> list[Figures]:
    """Return what is said of each step; "blamed" is empty where nothing is put down to it."""
    details = [model.details for model in all_models(report)]
    blamed = {item.blamed_step for item in report.comparisons}
    blamed |= {
        index
        for index, checks in enumerate(report.step_checks)
        if any(check.decision == "broken" for check in checks)
    }
    return [
        _changes(step.counts, report.contract.confidence)
        | {
            "step": step.name,
            "before": printable(step.before_model),
            "after": printable(step.after_model),
            "changed": printable(step.changed),
            "briefly": printable(_briefly(step, details[step.before], details[step.after])),
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


def _briefly(step: Step, before: Details, after: Details) -> str:
    """Return what changed without from what to what: both models say that."""
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
    return sorted(changes, key=lambda change: (change.p_value, change.difference))


def class_figures(change: ClassChange, class_names: Sequence[str]) -> Figures:
    """Return what is said of the recall of one class."""
    beyond = f"beyond chance ({p_equals(change.p_value)})"
    return {
        "class": printable(class_names[change.index]),
        "before": percent(change.before.value),
        "after": percent(change.after.value),
        "change": points(change.difference),
        "interval": points_interval(change.interval),
        "lost": f"{change.lost:,}",
        "won": f"{change.won:,}",
        "total": f"{change.before.total:,}",
        "p": p_value(change.p_value),
        "chance": beyond if change.beyond_chance else "within chance",
    }
