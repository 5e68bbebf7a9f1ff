"""What every report has in common: an entry for each model, and which of them matters most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge_runtime.proof.metrics import Rate
from edge_runtime.proof.parity import Comparison, Judgement
from edge_runtime.proof.report import once
from edge_runtime.wording import printable

# More bytes or microseconds than any model has.
_LARGEST_NUMBER = 1e10


@dataclass(frozen=True)
class Entry:
    """One model of the report.

    Attributes:
        model: its name, printable.
        details: who computed its predictions; from a file, so anything may be missing.
        accuracy: the share of right answers.
        comparison: None for the full model.
    """

    model: str
    details: Mapping[str, Any]
    accuracy: Rate
    comparison: Comparison | None = None

    @property
    def size_bytes(self) -> int | None:
        """The size of the model's file."""
        size = _number(self.details.get("size_bytes"))
        return None if size is None else int(size)

    def latency_us(self, key: str) -> float | None:
        """The "median", "p10" or "p90" of the time that one image takes."""
        latency = self.details.get("latency_us")
        return _number(latency.get(key)) if isinstance(latency, Mapping) else None

    def detail(self, *keys: str) -> str:
        """Return what is recorded under the keys, joined by blanks, printable."""
        values = (self.details.get(key) for key in keys)
        return " ".join(printable(value) for value in values if value is not None)


def entries(report: Judgement) -> list[Entry]:
    """Return the full model, then the converted ones."""
    full = Entry(
        printable(report.reference.model),
        report.reference.details,
        report.comparisons[0].counts.reference_accuracy,
    )
    return [full] + [
        Entry(printable(item.model), item.details, item.counts.candidate_accuracy, item)
        for item in report.comparisons
    ]


def leading(report: Judgement) -> int:
    """Return the index of the model that the page shows first.

    The one that the verdict is about, the worst of the worst; where all is well, the one with most
    changed answers, which are what there is to see.
    """
    items = dict(enumerate(report.comparisons, start=1))
    if report.decision == "holds":
        return max(items, key=lambda index: items[index].counts.flips)
    confidence = report.contract.confidence
    deciding = [index for index, item in items.items() if item.decision == report.decision]
    return min(
        deciding or items, key=lambda index: once.change_interval(items[index].counts, confidence)
    )


def float32_size_bytes(models: Sequence[Entry]) -> int | None:
    """Return the size of the float32 model, if there is one, to measure the others against."""
    sizes = (each.size_bytes for each in models[1:] if each.details.get("scheme") == "float32")
    return next(filter(None, sizes), None)


def twin(report: Judgement, comparison: Comparison) -> int | None:
    """Return the index of the model before this one if all its probabilities are the same.

    None for others, and for what was made from the full model: that is what all is held against.
    """
    last = report.path(comparison)[-1]
    return last.before if last.before and not last.counts.largest_difference else None


def blamed_steps(report: Judgement) -> frozenset[int]:
    """Return the steps that a broken demand is put down to."""
    of_models = {item.blamed_step for item in report.comparisons if item.decision == "broken"}
    alone = {
        index
        for index, checks in enumerate(report.step_checks)
        if any(check.decision == "broken" for check in checks)
    }
    return frozenset(step for step in of_models | alone if step is not None)


def _number(value: object) -> float | None:
    """Return a measured quantity, or None for what cannot be one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < _LARGEST_NUMBER else None
