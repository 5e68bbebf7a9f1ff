"""The report for a terminal: plain text, as wide as it is, at most 100 columns."""

import textwrap
from collections.abc import Sequence

from edge_runtime.proof.metrics import PairedCounts, decimals_for
from edge_runtime.proof.parity import (
    CellChange,
    Comparison,
    ParityReport,
    cell_changes,
    class_changes,
)
from edge_runtime.proof.report.calibration import threshold_sentence
from edge_runtime.proof.report.entries import Entry, entries, twin
from edge_runtime.proof.report.grid import WIDTH, aligned
from edge_runtime.proof.report.judged import Judged, judged_demands
from edge_runtime.proof.report.layout import Arrow, arrows
from edge_runtime.proof.report.movement import movements
from edge_runtime.proof.report.recall import ordered
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
    scores_interval,
    signed,
    span,
)

_NAME_WIDTH = 30
_LEAST_CHANGE = 16
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


def report_table(report: ParityReport, width: int = WIDTH) -> str:
    """Return the report as plain text, without a newline at the end.

    Args:
        report: the comparison.
        width: how many columns a line takes at most; 72 to 100 are readable.
    """
    blocks = [
        [*_wrapped(_subject(report), width), *_basis(report, width)],
        _models(report, width),
        _steps(report, width),
        *_movements(report, width),
        [line for sentence in _LEGEND for line in _wrapped(sentence, width)],
        _contract(report, width),
        *(_classes(report, item, width) for item in report.comparisons),
        _wrapped(printable(report.verdict), width),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _wrapped(sentence: str, width: int, *, first: str = "", others: str = "") -> list[str]:
    """Return a sentence in lines, which begin as is said."""
    wide = columns(sentence) > len(sentence)
    return textwrap.wrap(
        sentence, width // 2 if wide else width, initial_indent=first, subsequent_indent=others
    )


def _subject(report: ParityReport) -> str:
    dataset = report.reference.details.get("dataset")
    origin = f" of {printable(dataset)}" if dataset else ""
    return (
        f"{plural(len(report.reference), 'test image')}{origin}, "
        f"{plural(len(report.reference.class_names), 'class', 'classes')}"
        f"{_absent(report.reference.absent_classes)}"
    )


def _basis(report: ParityReport, width: int) -> list[str]:
    return _wrapped(report.basis.in_words, width) if report.basis else []


def _absent(names: Sequence[str]) -> str:
    """Return which classes have no images, and so are not judged."""
    if not names:
        return ""
    more = f" and {len(names) - _MOST_ABSENT:,} more" if len(names) > _MOST_ABSENT else ""
    shown = ", ".join(fitted(printable(name), _NAME_WIDTH) for name in names[:_MOST_ABSENT])
    return f"; none of the images is: {shown}{more}"


def _models(report: ParityReport, width: int) -> list[str]:
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
    # What nobody measured gets no column, and what a name needs more is left out first; on narrow
    # terminals also how many answers are the same, which is said below the table again.
    optional = (2, 1) if width >= WIDTH else (2, 1, 5)
    head = [list(pair) for pair in zip(*heads, strict=True)]
    return aligned(head, rows, width=width, optional=optional)


def _model_row(entry: Entry, confidence: float) -> list[str]:
    decimals = decimals_for(entry.accuracy.total)
    latency = entry.latency_us("median")
    own = [
        entry.model,
        ABSENT if entry.size_bytes is None else f"{entry.size_bytes:,}",
        ABSENT if latency is None else microseconds(latency),
        f"{percent(entry.accuracy.value, decimals)} "
        f"[{percent_interval(entry.accuracy.interval, decimals)}]",
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


def _steps(report: ParityReport, width: int) -> list[str]:
    limit = 15 if width >= WIDTH else 12
    drawn = arrows(report)
    names = [
        fitted(step.name, 31) + (" ◄ to blame" if drawn[step.after].blamed else "")
        for step in report.steps
    ]
    models = [
        f"{fitted(printable(step.before_model), limit)} → "
        f"{fitted(printable(step.after_model), limit)}"
        for step in report.steps
    ]
    flips = [_flips(step.counts) for step in report.steps]
    head = ["step", "models", "what changed", "flips (lost/won)"]
    taken = sum(max(map(columns, cells)) + 2 for cells in (names, models, [head[3], *flips]))
    room = max(_LEAST_CHANGE, width - taken)
    changed = [_changed(drawn[step.after], room) for step in report.steps]
    rows = [list(row) for row in zip(names, models, changed, flips, strict=True)]
    return aligned([head], rows, width=width, left=3)


def _movements(report: ParityReport, width: int) -> list[list[str]]:
    """Return what another runtime or processor changed about the same file, and why."""
    return [
        _wrapped(f"{fitted(printable(step.after_model), _NAME_WIDTH)}: {words}", width, others="  ")
        for step, words in movements(report)
    ]


def _changed(step: Arrow, room: int) -> str:
    """Return what changed, from what to what only where there is room for it."""
    text = printable(step.changed)
    return text if columns(text) <= room else fitted(printable(step.briefly), room)


def _contract(report: ParityReport, width: int) -> list[str]:
    """Return the demands, unless the table above says all of them."""
    found = judged_demands(report)
    if all(_is_in_models_table(item) for item in found):
        return []
    rows = [
        [
            fitted(item.group.name, 32),
            fitted(f"{item.what}: {item.asked}", width - 43),
            item.measured,
            item.check.decision,
        ]
        for item in found[:_MOST_DEMANDS]
    ]
    head = ["asked of", "what", "measured", "decision"]
    lines = aligned([head], rows, width=width, left=2)
    more = len(found) - _MOST_DEMANDS
    return lines + ([f"and {more:,} more in the reports"] if more > 0 else [])


def _is_in_models_table(item: Judged) -> bool:
    """Say whether a demand is decided by a column of the table of all models, as far as it says."""
    if item.group.kind != "model":
        return False
    return item.check.demand == "accuracy" or (
        item.check.demand == "agreement" and item.check.decision == "holds"
    )


def _classes(report: ParityReport, item: Comparison, width: int) -> list[str]:
    """Return what became of one model's classes, cells and confidences."""
    class_names = report.reference.class_names
    same = twin(report, item)
    if same is not None:
        before = fitted(entries(report)[same].model, _NAME_WIDTH)
        return [f"{fitted(printable(item.model), _NAME_WIDTH)}: exactly as {before}"]
    model, counts = fitted(printable(item.model), _NAME_WIDTH), item.counts
    if not counts.flips:
        return [f"{model}: no answer changed", *_confidence_lines(counts, width)]
    low, high = counts.agreement.exact_interval()
    decimals = decimals_for(counts.image_count)
    agreement = span(percent(low, decimals), percent(high, decimals))
    same_answers = (
        f"{model}: {percent(counts.agreement.value, decimals)} % [{agreement}] the same; equally "
        f"accurate: {p_equals(counts.mcnemar_p_value)} (McNemar)"
    )
    return [
        *_wrapped(same_answers, width, others="  "),
        *_class_lines(counts, class_names, width),
        *_cell_lines(cell_changes(counts), class_names, width),
        *_confidence_lines(counts, width),
    ]


def _confidence_lines(counts: PairedCounts, width: int) -> list[str]:
    """Return what became of the confidences; nothing where they are the same but for rounding."""
    if counts.largest_difference < _ROUNDING:
        return []
    rise = counts.brier_rise
    confidence = (
        f"calibration error {percent(counts.reference_confidence.ece)} → "
        f"{percent(counts.candidate_confidence.ece)} %; Brier score {signed(rise.mean, 4)} "
        f"({scores_interval(rise.interval())}); a probability moved by "
        f"{probability(counts.largest_difference)} at most"
    )
    threshold = threshold_sentence(counts.at_threshold(_THRESHOLD), counts.image_count)
    return [
        *_wrapped(confidence, width, first="  ", others="    "),
        *_wrapped(threshold, width, first="  ", others="    "),
    ]


def _class_lines(counts: PairedCounts, class_names: tuple[str, ...], line_width: int) -> list[str]:
    """Return the classes beyond chance, or else the few that lost most."""
    changes = ordered(class_changes(counts))
    beyond = [change for change in changes if change.beyond_chance]
    losing = [change for change in changes if change.after.value < change.before.value]
    shown = beyond[:_MOST_BEYOND] or losing[:_MOST_CLASSES]
    # The figures behind a name take 62 columns at most.
    limit = min(_NAME_WIDTH, line_width - 62)
    names = [fitted(printable(class_names[change.index]), limit) for change in shown]
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


def _cell_lines(
    changes: tuple[CellChange, ...], class_names: tuple[str, ...], width: int
) -> list[str]:
    """Return the confusions that moved beyond chance."""
    limit = min(24, (width - 48) // 2)
    beyond = [change for change in changes if change.beyond_chance and change.true != change.answer]
    return [
        f"  {fitted(printable(class_names[change.true]), limit)} taken for "
        f"{fitted(printable(class_names[change.answer]), limit)}: {change.entered:,} more, "
        f"{change.left:,} fewer, p {p_value(change.p_value)}"
        for change in beyond[:_MOST_CLASSES]
    ]
