"""The verdict in words: a headline, what decided it, and what follows from that."""

from edge_runtime.proof.metrics import decimals_for
from edge_runtime.proof.parity.checks import Check, Decision
from edge_runtime.proof.parity.contract import DEFAULT_MAX_DROP
from edge_runtime.proof.parity.judgement import Comparison, Judgement
from edge_runtime.proof.parity.steps import NOT_RECORDED
from edge_runtime.wording import (
    about,
    called,
    decimals_beside,
    percent,
    plural,
    points,
    points_allowed,
    points_interval,
    score_decimals,
    scores_interval,
    signed,
)

_HEADLINES: dict[Decision, str] = {
    "holds": "Parity holds",
    "broken": "Parity is broken",
    "inconclusive": "Inconclusive",
}
_MOST_FINDINGS = 3


def verdict_sentence(report: Judgement) -> str:
    """Return the headline, a colon, the findings that decided it, and what follows from them."""
    found = findings(report)
    shown = "; ".join(found[:_MOST_FINDINGS])
    more = len(found) - _MOST_FINDINGS
    rest = f" ({more:,} more.)" if more > 0 else ""
    parts = [f"{headline(report)}: {shown}.{rest}", *remarks(report), consequence(report)]
    return " ".join(filter(None, parts))


def headline(report: Judgement) -> str:
    """Return the verdict in a word or three."""
    return _HEADLINES[report.decision]


def findings(report: Judgement) -> list[str]:
    """Return what decided, each without a full stop: the worst of the demands, by model.

    The model whose accuracy fell furthest, or may have, comes first.
    """
    if report.decision == "holds":
        return [_holding(report)]
    confidence = report.contract.confidence
    worst_first = sorted(
        report.comparisons, key=lambda item: item.counts.difference_interval(confidence)
    )
    asked = [("", item.model, item.checks) for item in worst_first]
    asked += [
        (f"in the step {step.name} ", step.after_model, checks)
        for step, checks in zip(report.steps, report.step_checks, strict=True)
    ]
    return [
        where + describe(check, model, report)
        for where, model, checks in asked
        for check in checks
        if check.decision == report.decision
    ]


def remarks(report: Judgement) -> list[str]:
    """Return a sentence for each model whose answers moved more than its accuracy shows."""
    found = (remark(item, report.contract.confidence) for item in report.comparisons)
    return list(filter(None, found))


def remark(item: Comparison, confidence: float) -> str:
    """Return that more answers moved than the accuracy shows, a sentence, or "".

    It is said, whatever the contract asks, of a model that changed more answers than the accuracy
    may lose by default, most of which the accuracy does not show.
    """
    counts = item.counts
    shown = abs(counts.won - counts.lost)
    if counts.flips <= DEFAULT_MAX_DROP * counts.image_count or 2 * shown > counts.flips:
        return ""
    interval = counts.difference_interval(confidence)
    decimals = decimals_for(counts.image_count)
    same = interval[0] <= 0 <= interval[1]
    though = "though its accuracy did not" if same else "more than its accuracy shows"
    return (
        f"{counts.flips:,} of {counts.image_count:,} answers of {called(item.model)} changed, "
        f"{though}: {counts.lost:,} were lost, {counts.won:,} won, {counts.neither:,} wrong "
        f"before and after ({points(counts.accuracy_difference, decimals)} points, "
        f"{confidence * 100:g} % interval {points_interval(interval, decimals)})."
    )


def consequence(report: Judgement) -> str:
    """Return which step is to blame, or how many images would decide; "" when parity holds."""
    if report.decision == "broken":
        return _blame(report)
    return _advice(report) if report.decision == "inconclusive" else ""


def _holding(report: Judgement) -> str:
    confidence = report.contract.confidence
    worst = min(report.comparisons, key=lambda item: item.counts.difference_interval(confidence)[0])
    margin = report.contract.margins.accuracy
    low = worst.counts.difference_interval(confidence)[0]
    decimals = decimals_for(worst.counts.image_count)
    if margin is not None:
        decimals = decimals_beside(margin, low, decimals=decimals)
    only = len(report.comparisons) == 1
    name = called(worst.model)
    who = name if only else f"no model does worse than {name}, which"
    allowed = f"; {points_allowed(margin)} may be lost" if margin is not None else ""
    change = worst.counts.accuracy_difference
    loss = f"{percent(-change, decimals)} points of" if change < 0 else "no"
    return (
        f"{who} loses {loss} accuracy here and, at {report.contract.sure} confidence, at most "
        f"{percent(max(0.0, -low), decimals)} points{allowed}{_agreeing(report)}"
    )


def _agreeing(report: Judgement) -> str:
    """Return what the least agreement is shown to be, where it is asked for."""
    limit = report.contract.margins.agreement
    if not limit:
        return ""
    least = min(report.comparisons, key=lambda item: item.counts.agreement.value)
    rate = least.counts.agreement
    low, _ = rate.exact_interval(report.contract.confidence)
    decimals = decimals_beside(limit, low, decimals=decimals_for(rate.total))
    who = "its" if len(report.comparisons) == 1 else f"{called(least.model)}'s"
    most = "" if len(report.comparisons) == 1 else ", which differ most,"
    return (
        f"; of {who} answers{most} {percent(rate.value, decimals)} % are the same, and at least "
        f"{percent(low, decimals)} % with that confidence, where {limit * 100:g} % are asked"
    )


def describe(check: Check, model: str, report: Judgement) -> str:
    """Return what became of one demand, as a clause about the model without a full stop."""
    value, interval = measured(check, len(report.reference))
    model = called(model)
    if check.interval is None:
        verb, unit = _COSTS[check.demand]
        comparison = "above" if check.decision == "broken" else "within"
        return f"{model} {verb} {value}{unit}, {comparison} the budget of {check.limit:,g}"
    at_once = " for all at once" if check.broken_alone else ""
    bounds = f"{report.contract.sure} interval{at_once} {interval}"
    reason = undecided_among_many(check, report)
    because = f": {reason}" if reason else ""
    if check.demand == "agreement":
        return (
            f"{model} gives the same answer to {value} of the images ({bounds} %), where "
            f"{check.limit * 100:g} % are asked{because}"
        )
    if check.demand == "brier":
        return (
            f"the Brier score of {model} changes by {value} ({bounds}), where a rise by "
            f"{check.limit:g} is allowed{because}"
        )
    what = "accuracy"
    if check.class_index is not None:
        what = f"recall of '{called(report.reference.class_names[check.class_index])}'"
    return (
        f"{model} changes by {value} of {what} ({bounds}), where a loss of "
        f"{points_allowed(check.limit)} is allowed{because}"
    )


_COSTS = {
    "size_bytes": ("is", ""),
    "latency_us": ("takes", " per image"),
    "memory_bytes": ("needs", " of memory"),
}


def measured(check: Check, image_count: int) -> tuple[str, str]:
    """Return what was measured and its interval, with no more decimals than the images support."""
    if check.interval is None:
        return f"{check.value:,.0f} {'µs' if check.demand == 'latency_us' else 'bytes'}", ""
    if check.demand == "brier":
        decimals = score_decimals(check.limit, check.interval)
        return signed(check.value, decimals), scores_interval(check.interval, decimals)
    decimals = decimals_beside(check.limit, *check.interval, decimals=decimals_for(image_count))
    if check.demand != "agreement":
        interval = points_interval(check.interval, decimals)
        return f"{points(check.value, decimals)} points", interval
    low, high = (percent(bound, decimals) for bound in check.interval)
    return f"{percent(check.value, decimals)} %", f"{low} to {high}"


def undecided_among_many(check: Check, report: Judgement) -> str:
    """Return why a demand is not called broken though it would be by itself, or ""."""
    if not check.broken_alone:
        return ""
    among = [plural(report.judged_demands, "demand")] if report.judged_demands > 1 else []
    if check.class_index is not None:
        classes = len(report.reference.class_names) - len(report.reference.absent_classes)
        among += [plural(classes, "class", "classes")]
    return f"beyond the limit by itself, but not among {' and '.join(among)}"


def _blame(report: Judgement) -> str:
    """Return at which step the answers of the worst model changed."""
    broken = [item for item in report.comparisons if item.answers_are_broken and item.flips]
    if not broken:
        return ""
    item = min(broken, key=lambda item: item.counts.accuracy_difference)
    flips = item.decisive_flips
    names = [flip.blame for flip in flips]
    name = max(dict.fromkeys(names), key=names.count)
    blamed = next((step for step in report.path(item) if step.name == name), None)
    where = f"{name} ({blamed.changed})" if blamed else name
    if blamed and blamed.changed == NOT_RECORDED:
        where = (
            f"what lies between {called(blamed.before_model)} and {called(blamed.after_model)}, "
            "which their files do not say"
        )
    among = plural(len(flips), "lost answer" if flips[0].effect == "lost" else "changed answer")
    apart = ""
    if blamed and len(blamed.kinds) > 1:
        apart = " Add predictions of what lies between to tell these apart."
    return (
        f"To blame is {where}: {names.count(name):,} of the {among} of {called(item.model)} arose "
        f"there.{apart}"
    )


def images_wanted(report: Judgement) -> str:
    """Return how many images it takes to decide a report, "" if no number is known or due."""
    if report.images_needed is not None:
        return about(report.images_needed)
    return f"at least {report.images_at_least:,}" if report.images_at_least is not None else ""


def _advice(report: Judgement) -> str:
    verb = "does" if len(report.reference) == 1 else "do"
    undecided = f"{plural(len(report.reference), 'image')} {verb} not decide it"
    if not (wanted := images_wanted(report)):
        reason = "what was measured lies too near the limit"
        return f"{undecided}, and no number is likely to: {reason}."
    if report.images_needed is not None:
        return f"{undecided}; {wanted} would in four of five cases, if the rates stay as they are."
    likely = "very likely decide it if the rates stay as they are"
    return f"{undecided}; {wanted} are needed, and {likely}."
