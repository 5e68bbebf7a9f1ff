"""The report for a terminal: plain text, at most 100 columns."""

import textwrap
from collections.abc import Sequence

from edge_runtime.metrics import PairedCounts, decimals_for
from edge_runtime.parity import CellChange, Comparison, ParityReport, cell_changes, class_changes
from edge_runtime.report.calibration import threshold_sentence
from edge_runtime.report.entries import Entry, blamed_steps, entries, twin
from edge_runtime.report.grid import WIDTH, aligned
from edge_runtime.report.judged import judged_demands
from edge_runtime.report.recall import ordered
from edge_runtime.wording import (
    ABSENT,
    columns,
    fitted,
    microseconds,
    p_equals,
    p_value,
    percent,
    percent_interval,
    plural,
    points,
    points_interval,
    printable,
    probability,
    span,
)

_NAME_WIDTH = 30
_MOST_CLASSES = 3
_MOST_BEYOND = 5
_MOST_DEMANDS = 12
_MOST_ABSENT = 5
_THRESHOLD = 0.80
# Float models of the same weights differ by less; an int8 softmax has steps of 1/256.
_ROUNDING = 0.001

_LEGEND = (
    "Flips: images whose answer changed; lost: from right to wrong; won: from wrong to right.",
    "The interval of the change is the contract's, all others are at 95 %.",
)


def report_table(report: ParityReport) -> str:
    """Return the report as plain text of at most 100 columns, without a newline at the end."""
    blocks = [
        _wrapped(_subject(report)),
        _models(report),
        _steps(report),
        list(_LEGEND),
        _contract(report),
        *(_classes(report, item) for item in report.comparisons),
        _wrapped(printable(report.verdict)),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _wrapped(sentence: str) -> list[str]:
    wide = columns(sentence) > len(sentence)
    return textwrap.wrap(sentence, WIDTH // 2 if wide else WIDTH)


def _subject(report: ParityReport) -> str:
    dataset = report.reference.details.get("dataset")
    origin = f" of {printable(dataset)}" if dataset else ""
    return (
        f"{plural(len(report.reference), 'test image')}{origin}, "
        f"{plural(len(report.reference.class_names), 'class', 'classes')}"
        f"{_absent(report.reference.absent_classes)}"
    )


def _absent(names: Sequence[str]) -> str:
    """Return which classes have no images, and so are not judged."""
    if not names:
        return ""
    more = f" and {len(names) - _MOST_ABSENT:,} more" if len(names) > _MOST_ABSENT else ""
    shown = ", ".join(fitted(printable(name), _NAME_WIDTH) for name in names[:_MOST_ABSENT])
    return f"; none of the images is: {shown}{more}"


def _models(report: ParityReport) -> list[str]:
    heads = [
        ["", "model"],
        ["size", "bytes"],
        ["median", "µs"],
        ["accuracy", "% [interval]"],
        ["change in points", f"({report.contract.confidence * 100:g} % interval)"],
        ["same", "%"],
        ["flips", "(lost/won)"],
        ["", "decision"],
    ]
    rows = [_model_row(entry, report.contract.confidence) for entry in entries(report)]
    # What nobody measured gets no column, and what a name needs more is left out first.
    return aligned([list(pair) for pair in zip(*heads, strict=True)], rows, optional=(2, 1))


def _model_row(entry: Entry, confidence: float) -> list[str]:
    decimals = decimals_for(entry.accuracy.total)
    latency = entry.latency_us("median")
    own = [
        entry.model,
        ABSENT if entry.size_bytes is None else f"{entry.size_bytes:,}",
        ABSENT if latency is None else microseconds(latency),
        f"{percent(entry.accuracy.value, decimals)} [{percent_interval(entry.accuracy, decimals)}]",
    ]
    if entry.comparison is None:
        return [*own, ABSENT, ABSENT, ABSENT, "reference"]
    counts = entry.comparison.counts
    interval = points_interval(counts.difference_interval(confidence), decimals)
    return [
        *own,
        f"{points(counts.accuracy_difference, decimals)} ({interval})",
        percent(counts.agreement.value, decimals),
        _flips(counts),
        entry.comparison.decision,
    ]


def _flips(counts: PairedCounts) -> str:
    return f"{counts.flips:,} ({counts.lost:,}/{counts.won:,})"


def _steps(report: ParityReport) -> list[str]:
    blamed = blamed_steps(report)
    rows = [
        [
            fitted(step.name, 27) + (" ◄ to blame" if index in blamed else ""),
            f"{fitted(printable(step.before_model), 15)} → "
            f"{fitted(printable(step.after_model), 15)}",
            fitted(printable(step.changed), 24),
            _flips(step.counts),
        ]
        for index, step in enumerate(report.steps)
    ]
    head = ["step", "models", "what changed", "flips (lost/won)"]
    return aligned([head], rows, left=3)


def _contract(report: ParityReport) -> list[str]:
    """Return the demands, unless they are only the one that the table above decides."""
    found = judged_demands(report)
    if all(item.check.demand == "accuracy" and item.group.kind == "model" for item in found):
        return []
    rows = [
        [
            fitted(item.group.name, 32),
            fitted(f"{item.what}: {item.asked}", 46),
            item.measured,
            item.check.decision,
        ]
        for item in found[:_MOST_DEMANDS]
    ]
    lines = aligned([["asked of", "what", "measured", "decision"]], rows, left=2)
    more = len(found) - _MOST_DEMANDS
    return lines + ([f"and {more:,} more in the reports"] if more > 0 else [])


def _classes(report: ParityReport, item: Comparison) -> list[str]:
    """Return what became of one model's classes, cells and confidences."""
    class_names = report.reference.class_names
    same = twin(report, item)
    if same is not None:
        before = fitted(entries(report)[same].model, _NAME_WIDTH)
        return [f"{fitted(printable(item.model), _NAME_WIDTH)}: exactly as {before}"]
    model, counts = fitted(printable(item.model), _NAME_WIDTH), item.counts
    if not counts.flips:
        return [f"{model}: no answer changed", *_confidence_lines(counts)]
    low, high = counts.agreement.exact_interval()
    decimals = decimals_for(counts.image_count)
    agreement = span(percent(low, decimals), percent(high, decimals))
    return [
        f"{model}: {percent(counts.agreement.value, decimals)} % [{agreement}] the same; equally "
        f"accurate: {p_equals(counts.mcnemar_p_value)} (McNemar)",
        *_class_lines(counts, class_names),
        *_cell_lines(cell_changes(counts), class_names),
        *_confidence_lines(counts),
    ]


def _confidence_lines(counts: PairedCounts) -> list[str]:
    """Return what became of the confidences; nothing where they are the same but for rounding."""
    if counts.largest_difference < _ROUNDING:
        return []
    ece = counts.joint_calibration.ece_difference_interval()
    return [
        f"  calibration error {percent(counts.reference_confidence.ece)} → "
        f"{percent(counts.candidate_confidence.ece)} % ({points_interval(ece)}); a probability "
        f"moved by {probability(counts.largest_difference)} at most",
        f"  {threshold_sentence(counts.at_threshold(_THRESHOLD), counts.image_count)}",
    ]


def _class_lines(counts: PairedCounts, class_names: tuple[str, ...]) -> list[str]:
    """Return the classes beyond chance, or else the few that lost most."""
    changes = ordered(class_changes(counts))
    beyond = [change for change in changes if change.beyond_chance]
    losing = [change for change in changes if change.after.value < change.before.value]
    shown = beyond[:_MOST_BEYOND] or losing[:_MOST_CLASSES]
    names = [fitted(printable(class_names[change.index]), _NAME_WIDTH) for change in shown]
    width = max(map(columns, names), default=0)
    lines = [
        f"  {name}{' ' * (width - columns(name))}"
        f"  {percent(change.before.value):>5} → {percent(change.after.value):>5} %"
        f"  {points(change.after.value - change.before.value):>6} points"
        f" ({points_interval(change.interval)}), p {p_value(change.p_value)}"
        for name, change in zip(names, shown, strict=True)
    ]
    if not beyond:
        return [*lines, "  no class changed beyond chance (Holm)"]
    rest = "; the others are in the reports" if len(beyond) > len(shown) else ""
    return [*lines, f"  {plural(len(beyond), 'class', 'classes')} changed beyond chance{rest}"]


def _cell_lines(changes: tuple[CellChange, ...], class_names: tuple[str, ...]) -> list[str]:
    """Return the confusions that moved beyond chance."""
    beyond = [change for change in changes if change.beyond_chance and change.true != change.answer]
    return [
        f"  {fitted(printable(class_names[change.true]), 24)} taken for "
        f"{fitted(printable(class_names[change.answer]), 24)}: {change.entered:,} more, "
        f"{change.left:,} fewer, p {p_value(change.p_value)}"
        for change in beyond[:_MOST_CLASSES]
    ]
