"""The demands of a contract, judged: shown to be kept, shown to be missed, or neither."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import ContractError
from edge_runtime.proof.metrics import PairedCounts
from edge_runtime.proof.parity.contract import Budgets, Margins
from edge_runtime.proof.statistics.paired import difference_interval, least_drop

# From the mildest to the most severe.
Decision = Literal["holds", "inconclusive", "broken"]
SEVERITY: tuple[Decision, ...] = get_args(Decision)
# What a command ends with.
EXIT_CODES: Mapping[Decision, int] = {"holds": 0, "broken": 3, "inconclusive": 4}
Demand = Literal[
    "accuracy", "agreement", "class_recall", "brier", "size_bytes", "latency_us", "memory_bytes"
]
_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Check:
    """One demand, and what became of it.

    Attributes:
        limit: the margin or budget of the contract.
        decision: "holds" or "broken" when the whole interval lies on one side of the limit,
            "inconclusive" when the limit lies within it.
        value: what was measured: a difference for accuracy, class_recall and brier (candidate
            minus reference), a rate for agreement, a figure for budgets.
        interval: where the true value lies; None for budgets, which are measured, not estimated.
            Where the demand is broken by itself but not among the others it reaches over the limit,
            as wide as it takes to cover all true values at once.
        class_index: the class that decided, of class_recall.
        broken_alone: whether it is inconclusive only for being one of many: its own interval lies
            beyond the limit, but among so many demands and classes luck may have done that.
    """

    demand: Demand
    limit: float
    decision: Decision
    value: float
    interval: tuple[float, float] | None = None
    class_index: int | None = None
    broken_alone: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**asdict(self), "interval": list(self.interval) if self.interval else None}


def worst(decisions: list[Decision]) -> Decision:
    """Return the most severe decision; without any demand nothing is broken."""
    return max(decisions, key=SEVERITY.index, default="holds")


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


@dataclass(frozen=True)
class ErrorRates:
    """How often a verdict may be wrong, given how many demands on answers a report judges.

    "Holds" needs every demand to be shown, each at half of 1 - confidence (an intersection-union
    test: Berger 1982, Technometrics 24: 295-300). "Broken" needs any to be shown as missed, so all
    of them share 1 - confidence (Bonferroni); see docs/explanation/verdict.md.
    """

    confidence: float = 0.95
    demands: int = 1

    @property
    def shared_confidence(self) -> float:
        """The confidence of a two-sided interval of which one side errs by one demand's share."""
        return max(self.confidence, 1 - 2 * (1 - self.confidence) / self.demands)

    def drop_level(self, classes: NDArray[np.int64] | int = 1) -> _Floats:
        """Return up to which p-value of `drop_p_value` a drop beyond its interval is broken.

        A demand's share is shared once more by the classes, one number or (M,). A single test is
        left to its interval, which errs in 3.4 % at most.
        """
        tests = self.demands * np.asarray(classes, np.float64)
        level: _Floats = np.where(tests > 1, (1 - self.confidence) / np.maximum(tests, 1), 1.0)
        return level


def demand_count(margins: Margins) -> int:
    """Return how many demands these are."""
    return sum(value is not None for value in vars(margins).values())


def check_margins(
    counts: PairedCounts, margins: Margins, rates: ErrorRates | None = None
) -> tuple[Check, ...]:
    """Judge a candidate's answers against its reference's; by default nothing else is judged."""
    rates = rates or ErrorRates(demands=max(1, demand_count(margins)))
    return tuple(
        check(counts, limit, rates)
        for name, check in _CHECKS.items()
        if (limit := getattr(margins, name)) is not None
    )


def _decide(
    low: float, high: float, shared_high: float, limit: float
) -> tuple[Decision, bool, float]:
    """Decide by where an interval lies of what must not fall below the limit.

    Returns also whether it is broken by itself but not among the others, and the upper bound to
    show: the shared one in that case. A bound on the limit itself shows nothing.
    """
    if low > limit:
        return "holds", False, high
    if shared_high < limit:
        return "broken", False, high
    alone = high < limit
    return "inconclusive", alone, shared_high if alone else high


def _check_accuracy(counts: PairedCounts, margin: float, rates: ErrorRates) -> Check:
    """Test for non-inferiority: the whole interval of the difference lies above the margin.

    When the true drop is the margin that happens in (1 - confidence) / 2 of all samples: 2.5 %.
    """
    lost, won, total = (np.array([n]) for n in (counts.lost, counts.won, counts.image_count))
    check = _check_differences("accuracy", lost, won, total, margin, rates)
    return replace(check, class_index=None)


def _check_agreement(counts: PairedCounts, limit: float, rates: ErrorRates) -> Check:
    rate = counts.agreement
    low, high = rate.exact_interval(rates.confidence)
    _, shared_high = rate.exact_interval(rates.shared_confidence)
    decision, alone, high = _decide(low, high, shared_high, limit)
    return Check("agreement", limit, decision, rate.value, (low, high), broken_alone=alone)


def _check_brier(counts: PairedCounts, margin: float, rates: ErrorRates) -> Check:
    rise = counts.brier_rise
    low, high = rise.interval(rates.confidence)
    shared_low, _ = rise.interval(rates.shared_confidence)
    decision, alone, fall = _decide(-high, -low, -shared_low, -margin)
    return Check("brier", margin, decision, rise.mean, (-fall, high), broken_alone=alone)


def _check_classes(counts: PairedCounts, margin: float, rates: ErrorRates) -> Check:
    return _check_differences("class_recall", *counts.by_class, margin, rates)


def _check_differences(
    demand: Demand,
    lost: NDArray[np.int64],
    won: NDArray[np.int64],
    totals: NDArray[np.int64],
    margin: float,
    rates: ErrorRates,
) -> Check:
    """Judge the differences of several classes, (K,), by the worst of those that have images.

    All of them hold only if each does by itself; what breaks one is shared among them once more.
    """
    present = np.flatnonzero(totals)
    counts = lost[present], won[present], totals[present]
    low, high = difference_interval(*counts, rates.confidence)
    # The upper bounds for all at once are no smaller than the intervals' own.
    shared = np.maximum(high, -least_drop(*counts, float(rates.drop_level(len(present)))))
    bounds = (each.tolist() for each in (present, low, high, shared))
    judged = []
    for at, least, most, shared_most in zip(*bounds, strict=True):
        decision, alone, shown = _decide(least, most, shared_most, -margin)
        change = int(won[at] - lost[at]) / int(totals[at])
        check = Check(demand, margin, decision, change, (least, shown), at, alone)
        judged.append((least, check))
    decision = worst([check.decision for _, check in judged])
    deciding = [each for each in judged if each[1].decision == decision]
    return min(deciding, key=lambda each: each[0])[1]


_CHECKS: dict[str, Callable[[PairedCounts, float, ErrorRates], Check]] = {
    "accuracy": _check_accuracy,
    "agreement": _check_agreement,
    "class_recall": _check_classes,
    "brier": _check_brier,
}
