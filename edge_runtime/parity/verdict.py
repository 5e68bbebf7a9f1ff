"""The verdict in words."""

from typing import TYPE_CHECKING

from edge_runtime.metrics import decimals_for
from edge_runtime.parity.checks import Check, Decision
from edge_runtime.wording import percent, points, points_allowed

if TYPE_CHECKING:
    # Only their shape is needed here; at run time chain.py imports this module.
    from edge_runtime.parity.chain import Comparison, ParityReport

_HEADLINES: dict[Decision, str] = {
    "holds": "Parity holds",
    "broken": "Parity is broken",
    "inconclusive": "Inconclusive",
}


def verdict_sentence(report: "ParityReport") -> str:
    """Return the headline, a colon, the finding that decided it, and which step is to blame."""
    headline = _HEADLINES[report.decision]
    if report.decision == "holds":
        return f"{headline}: {_holding(report)}"
    findings = _findings(report)
    shown = findings[:3]
    more = f" ({len(findings) - len(shown)} more.)" if len(findings) > len(shown) else ""
    sentence = f"{headline}: {'; '.join(shown)}.{more}"
    if report.decision == "broken":
        return sentence + _blame(report)
    return sentence + _advice(report)


def _holding(report: "ParityReport") -> str:
    worst = min(
        report.comparisons, key=lambda item: item.counts.difference_interval(_confidence(report))[0]
    )
    decimals = decimals_for(worst.counts.image_count)
    low = worst.counts.difference_interval(_confidence(report))[0]
    who = worst.model if len(report.comparisons) == 1 else f"no model does worse than {worst.model}"
    margin = report.contract.margins.accuracy
    allowed = f"; {points_allowed(margin)} may be lost" if margin is not None else ""
    change = worst.counts.accuracy_difference
    found = (
        f"loses {percent(-change, decimals)} points of accuracy"
        if change < 0
        else "loses no accuracy"
    )
    joint = ", which" if len(report.comparisons) > 1 else ""
    return (
        f"{who}{joint} {found} here and, at {_confidence(report) * 100:g} % confidence, at most "
        f"{percent(-low, max(2, decimals))}{allowed}."
    )


def _findings(report: "ParityReport") -> list[str]:
    """Return what decided: the demands with the worst decision, by model and by step."""
    wanted = report.decision
    found = [
        describe(check, item.model, report)
        for item in report.comparisons
        for check in item.checks
        if check.decision == wanted
    ]
    found += [
        f"in the step {step.name} {describe(check, step.after_model, report)}"
        for step, checks in zip(report.steps, report.step_checks, strict=True)
        for check in checks
        if check.decision == wanted
    ]
    return found


def describe(check: Check, model: str, report: "ParityReport") -> str:
    """Return what became of one demand, as the rest of a sentence about the model."""
    if check.interval is None:
        return _describe_budget(check, model)
    decimals = decimals_for(len(report.reference))
    low, high = check.interval
    if check.demand == "agreement":
        return (
            f"{model} gives the same answer to {percent(check.value, decimals)} % of the images "
            f"({_range(low, high, max(2, decimals))} %), where "
            f"{percent(check.limit, 2)} % are asked"
        )
    if check.demand == "ece":
        return (
            f"the calibration error of {model} changes by {points(check.value, 2)} points "
            f"({points(low, 2)} to {points(high, 2)}), where +{percent(check.limit, 2)} is "
            "allowed"
        )
    what = "accuracy"
    if check.class_index is not None:
        what = f"recall of '{report.reference.class_names[check.class_index]}'"
    return (
        f"{model} changes by {points(check.value, decimals)} points of {what} "
        f"({points(low, max(2, decimals))} to {points(high, max(2, decimals))}), where a loss of "
        f"{points_allowed(check.limit)} is allowed"
    )


def _describe_budget(check: Check, model: str) -> str:
    what, unit = {
        "size_bytes": ("is", "bytes"),
        "latency_us": ("takes", "µs per image"),
        "memory_bytes": ("needs", "bytes of memory"),
    }[check.demand]
    comparison = "above" if check.decision == "broken" else "within"
    return f"{model} {what} {check.value:,.0f} {unit}, {comparison} the budget of {check.limit:,g}"


def _blame(report: "ParityReport") -> str:
    """Return which step the worst model's changed answers arose at."""
    broken = [item for item in report.comparisons if item.decision == "broken" and item.flips]
    if not broken:
        return ""
    item = min(broken, key=lambda item: item.counts.accuracy_difference)
    name, count = _blamed(item)
    lost = [flip for flip in item.flips if flip.effect == "lost"]
    among = lost or item.flips
    kind = "lost" if lost else "changed"
    changed = next((step.changed for step in report.path(item) if step.name == name), "")
    where = f" ({changed})" if changed else ""
    answers = "answer" if len(among) == 1 else "answers"
    return (
        f" To blame is {name}{where}: {count:,} of the {len(among):,} {kind} {answers} of "
        f"{item.model} arose there."
    )


def _blamed(item: "Comparison") -> tuple[str, int]:
    """Return the name that most lost (or else changed) answers are put down to, and how many."""
    lost = [flip.blame for flip in item.flips if flip.effect == "lost"]
    names = lost or [flip.blame for flip in item.flips]
    name = max(dict.fromkeys(names), key=names.count)
    return name, names.count(name)


def _advice(report: "ParityReport") -> str:
    count = len(report.reference)
    if report.images_needed is None:
        return f" No number of images is likely to decide it: the {count:,} lie on the limit."
    return (
        f" {count:,} images do not decide it; about {report.images_needed:,} would, if the rates "
        "stay as they are."
    )


def _confidence(report: "ParityReport") -> float:
    return report.contract.confidence


def _range(low: float, high: float, decimals: int) -> str:
    return f"{percent(low, decimals)} to {percent(high, decimals)}"
