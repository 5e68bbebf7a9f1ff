"""The report for a terminal: plain text, at most 100 columns."""

import textwrap
import unicodedata

from edge_runtime.metrics import decimals_for
from edge_runtime.parity import Comparison, ParityReport
from edge_runtime.report.entries import ClassRecall, Entry, class_recalls, entries, flip_counts
from edge_runtime.wording import (
    ABSENT,
    microseconds,
    percent,
    percent_interval,
    plural,
    points,
    printable,
    probability,
    shortened,
)

_WIDTH = 100
_LEAST_MODEL_WIDTH = 10
_CLASS_WIDTH = 32
_MOST_CLASSES = 20

_HEADINGS = (
    ("", "model"),
    ("size", "bytes"),
    ("accuracy", "% [95 % interval]"),
    ("change", "points"),
    ("same", "answer %"),
    ("mean", "|Δp|"),
    ("max", "|Δp|"),
    ("flips", "(lost/won)"),
    ("median", "µs"),
)

_LEGEND = (
    "flips: images whose answer changed; lost: from right to wrong; won: from wrong to right.",
    "|Δp|: how far a probability (0 to 1) moved; mean and max over all images and classes.",
)


def report_table(report: ParityReport) -> str:
    """Return the report as plain text of at most 100 columns, without a newline at the end."""
    recalls = [line for item in report.comparisons for line in [*_recall_lines(report, item), ""]]
    return "\n".join(
        [
            *_wrapped(_subject(report)),
            "",
            *_model_lines(report),
            "",
            *_LEGEND,
            "",
            *recalls,
            *_wrapped(printable(report.verdict)),
        ]
    )


def _wrapped(sentence: str) -> list[str]:
    wide = _columns(sentence) > len(sentence)
    return textwrap.wrap(sentence, _WIDTH // 2 if wide else _WIDTH)


def _subject(report: ParityReport) -> str:
    dataset = report.reference.details.get("dataset")
    origin = f" of {printable(dataset)}" if dataset else ""
    return (
        f"{plural(len(report.reference), 'test image')}{origin}, "
        f"{plural(len(report.reference.class_names), 'class', 'classes')}. "
        f"{_allowance(report)}"
    )


def _allowance(report: ParityReport) -> str:
    margin = report.contract.margins.accuracy
    return "" if margin is None else f"A loss of up to {margin * 100:g} points is allowed."


def _model_lines(report: ParityReport) -> list[str]:
    decimals = decimals_for(len(report.reference))
    rows = [[heading[line] for heading in _HEADINGS] for line in (0, 1)]
    rows += [_cells(entry, decimals) for entry in entries(report)]
    # Figures that nobody measured get no column.
    kept = [c for c in range(len(_HEADINGS)) if c == 0 or {row[c] for row in rows[2:]} != {ABSENT}]
    return _aligned([[row[column] for column in kept] for row in rows])


def _cells(entry: Entry, decimals: int) -> list[str]:
    size, latency = entry.size_bytes, entry.latency_us("median")
    accuracy = (
        f"{percent(entry.accuracy.value, decimals)} [{percent_interval(entry.accuracy, decimals)}]"
    )
    own = [entry.model, ABSENT if size is None else f"{size:,}", accuracy]
    time = ABSENT if latency is None else microseconds(latency)
    if entry.comparison is None:
        return [*own, *[ABSENT] * 5, time]
    counts = entry.comparison.counts
    lost, won, _ = flip_counts(entry.comparison)
    return [
        *own,
        points(counts.accuracy_difference, decimals),
        percent(counts.agreement.value, decimals),
        probability(counts.mean_difference),
        probability(counts.largest_difference),
        f"{len(entry.comparison.flips):,} ({lost}/{won})",
        time,
    ]


def _aligned(rows: list[list[str]]) -> list[str]:
    """Return rows with the first column on the left, the others on the right."""
    widths = [max(len(cell) for cell in column) for column in list(zip(*rows, strict=True))[1:]]
    gap = "  "
    if sum(widths) + len(gap) * len(widths) > _WIDTH - _LEAST_MODEL_WIDTH:
        gap = " "
    room = max(1, _WIDTH - sum(widths) - len(gap) * len(widths))
    models = [_cut(row[0], room) for row in rows]
    width = max(_columns(model) for model in models)
    lines = [
        gap.join([_padded(model, width), *map(str.rjust, row[1:], widths)])
        for model, row in zip(models, rows, strict=True)
    ]
    rule = "─" * max(map(_columns, lines))
    return [*lines[:2], rule, *lines[2:]]


def _recall_lines(report: ParityReport, comparison: Comparison) -> list[str]:
    changed, unchanged = class_recalls(comparison, report.reference.class_names)
    model = _cut(printable(comparison.model), 40)
    if not comparison.flips:
        return [f"{model}: no answer changed."]
    if not changed:
        return [f"{model}: every class is found as often as before."]
    shown = changed[:_MOST_CLASSES]
    width = max(_columns(_cut(row.name, _CLASS_WIDTH)) for row in shown)
    rest = [f"  and {len(changed) - len(shown)} more"] if len(changed) > len(shown) else []
    same = [f"  {plural(len(unchanged), 'class', 'classes')} as before"] if unchanged else []
    return [
        f"{model}: recall by class, % of its images found, full → converted",
        *(_recall_line(row, width) for row in shown),
        *rest,
        *same,
    ]


def _recall_line(row: ClassRecall, width: int) -> str:
    return (
        f"  {_padded(_cut(row.name, _CLASS_WIDTH), width)}"
        f"  {percent(row.full.value):>5} → {percent(row.converted.value):>5}"
        f"  {points(row.difference):>6} points"
        f"  ({row.full.successes:,} → {row.converted.successes:,} of {row.full.total:,})"
    )


def _cut(text: str, columns: int) -> str:
    """Return ``text`` cut so that it fits into so many columns of a terminal."""
    limit = len(text)
    while _columns(shortened(text, limit)) > columns:
        limit -= 1
    return shortened(text, limit)


def _columns(text: str) -> int:
    """Return how many columns a terminal gives to ``text``: Chinese letters take two."""
    return sum(
        0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF")
        for letter in text
    )


def _padded(text: str, columns: int) -> str:
    return text + " " * (columns - _columns(text))
