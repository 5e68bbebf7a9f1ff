"""The contract as rows: what was asked of whom, what was measured, what was decided."""

from dataclasses import dataclass

from edge_runtime.proof.metrics import decimals_for
from edge_runtime.proof.parity import Check, ParityReport
from edge_runtime.proof.report.demands import DemandGroup, demand_groups, demanded
from edge_runtime.wording import (
    decimals_beside,
    percent,
    points,
    points_interval,
    printable,
    score_decimals,
    scores_interval,
    signed,
)

_ORDER = ("broken", "inconclusive", "holds")
_UNITS = {"size_bytes": "bytes", "latency_us": "µs", "memory_bytes": "bytes"}


@dataclass(frozen=True)
class Judged:
    """One demand of the contract on one model or one step.

    Attributes:
        group: the model or the step.
        what: what is looked at, as in "accuracy".
        asked: the limit in words.
        measured: what was found.
        interval: where the true value lies, "" for budgets.
        worst_class: the class that a demand on all classes was decided by; "" for others.
        check: what it comes from.
    """

    group: DemandGroup
    what: str
    asked: str
    measured: str
    interval: str
    worst_class: str
    check: Check


def judged_demands(report: ParityReport) -> list[Judged]:
    """Return every demand, the broken ones first, then the undecided ones."""
    found = [
        _judged(report, group, check) for group in demand_groups(report) for check in group.checks
    ]
    return sorted(found, key=lambda judged: _ORDER.index(judged.check.decision))


def _judged(report: ParityReport, group: DemandGroup, check: Check) -> Judged:
    what, _, asked = demanded(check).partition(": ")
    measured, interval = _figures(check, len(report.reference))
    names = report.reference.class_names
    worst = "" if check.class_index is None else printable(names[check.class_index])
    return Judged(group, what, asked, measured, interval, worst, check)


def _figures(check: Check, image_count: int) -> tuple[str, str]:
    """Return what was measured and its interval, with no more decimals than the images support."""
    if check.interval is None:
        return f"{check.value:,.0f} {_UNITS[check.demand]}", ""
    if check.demand == "brier":
        decimals = score_decimals(check.limit, check.interval)
        return signed(check.value, decimals), scores_interval(check.interval, decimals)
    decimals = decimals_beside(check.limit, *check.interval, decimals=decimals_for(image_count))
    if check.demand != "agreement":
        interval = points_interval(check.interval, decimals)
        return f"{points(check.value, decimals)} points", interval
    low, high = (percent(bound, decimals) for bound in check.interval)
    return f"{percent(check.value, decimals)} %", f"{low} to {high}"
