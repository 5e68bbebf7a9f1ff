"""One demand of the contract, and whether the images at hand show that it is kept."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from edge_runtime.errors import ContractError
from edge_runtime.metrics import PairedCounts
from edge_runtime.parity.contract import Budgets, Margins
from edge_runtime.statistics import (
    difference_interval,
    images_for_difference,
    images_for_proportion,
)
from edge_runtime.statistics.binomial import normal_quantile
from edge_runtime.statistics.sample_size import MOST_IMAGES, POWER

Decision = Literal["holds", "inconclusive", "broken"]

# What a command ends with.
EXIT_CODES: Mapping[Decision, int] = {"holds": 0, "broken": 3, "inconclusive": 4}
Demand = Literal[
    "accuracy", "agreement", "class_recall", "brier", "size_bytes", "latency_us", "memory_bytes"
]

_SEVERITY: tuple[Decision, ...] = ("holds", "inconclusive", "broken")


@dataclass(frozen=True)
class Check:
    """One demand, and what became of it.

    Attributes:
        demand: what is asked.
        limit: the margin or budget of the contract.
        decision: "holds" or "broken" when the whole interval lies on one side of the limit,
            "inconclusive" when the limit lies within it.
        value: what was measured: a difference for accuracy, class_recall and brier (candidate minus
            reference), a rate for agreement, a figure for budgets.
        interval: where the true value lies; None for budgets, which are measured, not estimated.
            Of class_recall its upper bound is the one for shared confidence where that decided.
        images_needed: about how many images would decide; None if decided, or if none would.
        class_index: the class that decided, of class_recall.
    """

    demand: Demand
    limit: float
    decision: Decision
    value: float
    interval: tuple[float, float] | None = None
    images_needed: int | None = None
    class_index: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**asdict(self), "interval": list(self.interval) if self.interval else None}


def worst(decisions: list[Decision]) -> Decision:
    """Return the most severe decision; without any demand nothing is broken."""
    return max(decisions, key=_SEVERITY.index, default="holds")


def check_margins(
    counts: PairedCounts, margins: Margins, *, confidence: float = 0.95
) -> tuple[Check, ...]:
    """Judge the answers of a candidate against those of its reference."""
    checks = []
    if margins.accuracy is not None:
        checks.append(_check_accuracy(counts, margins.accuracy, confidence))
    if margins.agreement is not None:
        checks.append(_check_agreement(counts, margins.agreement, confidence))
    if margins.class_recall is not None:
        checks.append(_check_classes(counts, margins.class_recall, confidence))
    if margins.brier is not None:
        checks.append(_check_brier(counts, margins.brier, confidence))
    return tuple(checks)


def _decide(low: float, high: float, limit: float, *, worse: Literal["below", "above"]) -> Decision:
    """Decide by where an interval lies; a bound on the limit itself shows nothing."""
    if worse == "above":
        low, high, limit = -high, -low, -limit
    if low > limit:
        return "holds"
    return "broken" if high < limit else "inconclusive"


def _check_accuracy(counts: PairedCounts, margin: float, confidence: float) -> Check:
    """Test for non-inferiority: the whole interval of the difference lies above the margin.

    When the true drop is the margin that happens in (1 - confidence) / 2 of all samples: 2.5 %.
    """
    low, high = counts.difference_interval(confidence)
    decision = _decide(low, high, -margin, worse="below")
    needed = None
    if decision == "inconclusive":
        needed = images_for_difference(
            counts.lost, counts.won, counts.image_count, margin, confidence
        )
    return Check("accuracy", margin, decision, counts.accuracy_difference, (low, high), needed)


def _check_agreement(counts: PairedCounts, limit: float, confidence: float) -> Check:
    rate = counts.agreement
    low, high = rate.exact_interval(confidence)
    decision = _decide(low, high, limit, worse="below")
    needed = None
    if decision == "inconclusive":
        needed = images_for_proportion(rate.successes, rate.total, limit, confidence)
    return Check("agreement", limit, decision, rate.value, (low, high), needed)


def _check_classes(counts: PairedCounts, margin: float, confidence: float) -> Check:
    """Judge the recall of every class that has images.

    To say that all classes keep the margin, each must show it at the full confidence, and no
    correction is due (an intersection-union test: Berger 1982, Technometrics 24: 295-300). To say
    that some class breaks it, the confidence is shared among them (Bonferroni), or of many classes
    one would break it by luck.
    """
    lost, won, totals = counts.by_class
    present = np.flatnonzero(totals)
    of_class = lost[present], won[present], totals[present]
    shared_confidence = 1 - (1 - confidence) / len(present)
    low, high = difference_interval(*of_class, confidence)
    _, shared_high = difference_interval(*of_class, shared_confidence)
    decisions = [
        _decide(bottom, top, -margin, worse="below")
        for bottom, top in zip(low, shared_high, strict=True)
    ]
    decision = worst(decisions)
    deciding = [at for at, each in enumerate(decisions) if each == decision]
    shown = min(deciding, key=lambda at: float(low[at]))
    needed = None
    if decision == "inconclusive":
        # Below the margin alone, but not among so many: what is shown must not look decided.
        high = np.where(high < -margin, shared_high, high)
        needed = _images_for_classes(
            counts, [int(present[at]) for at in deciding], margin, (confidence, shared_confidence)
        )
    index = int(present[shown])
    return Check(
        "class_recall",
        margin,
        decision,
        int(won[index] - lost[index]) / int(totals[index]),
        (float(low[shown]), float(high[shown])),
        needed,
        index,
    )


def _images_for_classes(
    counts: PairedCounts, classes: list[int], margin: float, confidences: tuple[float, float]
) -> int | None:
    """Return how many images of all classes hold enough of each of these to decide.

    A class that lost less than the margin is to be shown to hold at the first confidence, one that
    lost more to be broken at the second, which all share.
    """
    most = 0
    # A thousand classes of a few images have few different counts.
    for lost, won, total in {tuple(int(n[at]) for n in counts.by_class) for at in classes}:
        confidence = confidences[lost - won > margin * total]
        needed = images_for_difference(lost, won, total, margin, confidence)
        if needed is None:
            return None
        most = max(most, math.ceil(needed * counts.image_count / total))
    return most if most <= MOST_IMAGES else None


def _check_brier(counts: PairedCounts, margin: float, confidence: float) -> Check:
    low, high = counts.brier_rise.interval(confidence)
    decision = _decide(low, high, margin, worse="above")
    distance = abs(margin - counts.brier_rise.mean)
    needed = None
    if decision == "inconclusive" and distance:
        # The interval narrows with the root of the images; the power asks for some more.
        z = normal_quantile(confidence)
        half = (high - low) / 2 * (1 + normal_quantile(2 * POWER - 1) / z)
        estimate = counts.image_count * max(1.02, (half / distance) ** 2)
        needed = math.ceil(estimate) if estimate <= MOST_IMAGES else None
    return Check("brier", margin, decision, counts.brier_rise.mean, (low, high), needed)


def check_budgets(model: str, details: Mapping[str, Any], budgets: Budgets) -> tuple[Check, ...]:
    """Judge what a model costs by what its predictions recorded.

    Raises:
        ContractError: a figure that has a budget was not recorded.
    """
    latency = details.get("latency_us")
    measured: dict[Demand, Any] = {
        "size_bytes": details.get("size_bytes"),
        "latency_us": latency.get("median") if isinstance(latency, Mapping) else None,
        "memory_bytes": details.get("memory_bytes"),
    }
    checks = []
    for demand, value in measured.items():
        limit = getattr(budgets, demand)
        if limit is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
            raise ContractError(
                f"The contract has a budget for {demand}, but the predictions of {model} do not "
                "record it; make them again with: fmnist-edge predict"
            )
        checks.append(Check(demand, limit, "holds" if value <= limit else "broken", float(value)))
    return tuple(checks)
