"""The demands of a contract: grouped by what they are about, and each with what was found."""

from dataclasses import dataclass

from edge_runtime.proof.parity import Check, Judgement
from edge_runtime.proof.parity.checks import SEVERITY
from edge_runtime.proof.parity.verdict import (
    describe,
    images_wanted,
    measured,
    undecided_among_many,
)
from edge_runtime.proof.report.figures import Figures
from edge_runtime.wording import called, points_allowed, printable


@dataclass(frozen=True)
class DemandGroup:
    """What is asked of one model or of one step, and so of the model after it.

    Attributes:
        kind: "model" or "step".
        name: the model's name, or what the step changes between which two models; printable.
        checks: what became of each demand; a step may be asked for no more than to be there.
    """

    kind: str
    name: str
    model: str
    checks: tuple[Check, ...]


def demand_groups(report: Judgement) -> list[DemandGroup]:
    """Return the models of which something is asked, then the steps of which something is."""
    models = [
        DemandGroup("model", called(item.model), item.model, item.checks)
        for item in report.comparisons
        if item.checks
    ]
    steps = [
        DemandGroup(
            "step",
            f"{step.name}, {called(step.before_model)} → {called(step.after_model)}",
            step.after_model,
            checks,
        )
        for step, checks in zip(report.steps, report.step_checks, strict=True)
        if set(step.kinds) & set(report.contract.steps)
    ]
    return models + steps


def demanded(check: Check) -> str:
    """Return what is asked, without what was found: the same from run to run."""
    limit = points_allowed(check.limit)
    return {
        "accuracy": f"accuracy: a loss of at most {limit}",
        "agreement": f"agreement: at least {check.limit * 100:g} % of the answers",
        "class_recall": f"recall of every class: a loss of at most {limit}",
        "brier": f"Brier score: a rise of at most {check.limit:g}",
        "size_bytes": f"size: at most {check.limit:,.0f} bytes",
        "latency_us": f"time per image: at most {check.limit:,g} µs",
        "memory_bytes": f"memory: at most {check.limit:,.0f} bytes",
    }[check.demand]


def found(check: Check, group: DemandGroup, report: Judgement) -> str:
    """Return what was found, as a sentence; if it is undecided, with what would decide all."""
    sentence = f"{describe(check, group.model, report)}."
    wanted = images_wanted(report) if check.decision == "inconclusive" else ""
    return f"{sentence} The whole report needs {wanted} images." if wanted else sentence


def demand_figures(report: Judgement) -> list[Figures]:
    """Return what is said of every demand: the broken ones first, then the undecided ones."""
    every = [
        _figures(report, group, check) for group in demand_groups(report) for check in group.checks
    ]
    return sorted(every, key=lambda figures: SEVERITY.index(figures["decision"]), reverse=True)


def _figures(report: Judgement, group: DemandGroup, check: Check) -> Figures:
    what, _, asked = demanded(check).partition(": ")
    value, interval = measured(check, len(report.reference))
    names = report.reference.class_names
    return {
        "kind": group.kind,
        "name": group.name,
        "demand": check.demand,
        "demanded": demanded(check),
        "what": what,
        "asked": asked,
        "measured": value,
        "interval": interval,
        "worst": "" if check.class_index is None else printable(names[check.class_index]),
        "decision": check.decision,
        "reason": undecided_among_many(check, report),
        "found": found(check, group, report),
    }
