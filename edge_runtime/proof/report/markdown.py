"""The report for a pull request: Markdown as GitHub and GitLab show it."""

from edge_runtime.proof.metrics import decimals_for
from edge_runtime.proof.parity import Check, Comparison, Decision, Flip, ParityReport, class_changes
from edge_runtime.proof.parity.verdict import called, consequence, findings, headline, remarks
from edge_runtime.proof.report.demands import DemandGroup, demand_groups, demanded, found
from edge_runtime.proof.report.entries import Entry, blamed_steps, entries
from edge_runtime.proof.report.markdown_markup import LONGEST_NAME, code, folded, plain, table
from edge_runtime.proof.report.movement import movements
from edge_runtime.wording import (
    ABSENT,
    microseconds,
    p_value,
    percent,
    percent_interval,
    plural,
    points,
    points_interval,
    printable,
    scores_interval,
    shortened,
    signed,
)

# GitHub takes 65,536 characters in a comment; some room is left for what a workflow adds.
LIMIT_CHARACTERS = 60_000
_MOST_FINDINGS = 5
_MOST_FLIPS = 10
_MOST_ABSENT = 5

_MARKS: dict[Decision, str] = {"holds": "✅", "inconclusive": "⚠️", "broken": "❌"}
_SEVERITY: tuple[Decision, ...] = ("broken", "inconclusive", "holds")
# What a figure must name, and the details that say it.
_MEASURED = {
    "dataset": ("dataset",),
    "runtime": ("backend", "backend_version"),
    "CPU": ("cpu",),
    "threads": ("threads",),
    "file, SHA-256": ("model_sha256",),
}
_LEFT_OUT = "_More is in report.json; a comment has no room for it._"


def report_markdown(report: ParityReport) -> str:
    """Return a report as Markdown of at most 60,000 characters, without a newline at the end.

    Names of models and classes come from other people's files: they stand in code spans, and in
    sentences without force, so that they neither format, link, nor call anybody.
    """
    parts = [
        _verdict(report),
        _demands(report),
        _models(report),
        _steps(report),
        *(_model_details(report, item) for item in report.comparisons),
        _measured_on(report),
    ]
    room = LIMIT_CHARACTERS - len(_LEFT_OUT) - 2
    kept: list[str] = []
    for part in filter(None, parts):
        if sum(len(text) + 2 for text in kept) + len(part) > room:
            kept.append(_LEFT_OUT)
            break
        kept.append(part)
    return "\n\n".join(kept)


def _verdict(report: ParityReport) -> str:
    decided = findings(report)
    lines = [f"- {plain(text)}." for text in decided[:_MOST_FINDINGS]]
    if len(decided) > _MOST_FINDINGS:
        lines.append(f"- and {len(decided) - _MOST_FINDINGS:,} more, in the table")
    after = "\n\n".join(plain(text) for text in [*remarks(report), consequence(report)] if text)
    title = f"## {_MARKS[report.decision]} {headline(report)}"
    return "\n\n".join(filter(None, [title, "\n".join(lines), after]))


def _demands(report: ParityReport) -> str:
    rows = [
        (check.decision, _demand_row(group, check, report))
        for group in demand_groups(report)
        for check in group.checks
    ]
    # The gravest first, for what has no room is at the end.
    rows.sort(key=lambda row: _SEVERITY.index(row[0]))
    if not rows:
        return ""
    return "### Demands\n\n" + table(["", "of", "demand", "found"], [row for _, row in rows])


def _demand_row(group: DemandGroup, check: Check, report: ParityReport) -> list[str]:
    return [
        f"{_MARKS[check.decision]} {check.decision}",
        f"{group.kind} {code(group.name, in_table=True)}",
        demanded(check),
        plain(found(check, group, report)),
    ]


def _models(report: ParityReport) -> str:
    decimals = decimals_for(len(report.reference))
    confidence = report.contract.confidence
    headings = [
        "model",
        "accuracy % [95 %]",
        f"change, points [{confidence * 100:g} %]",
        "same answer %",
        "lost / won",
        "bytes",
        "median µs",
    ]
    rows = [_model_row(entry, decimals, confidence) for entry in entries(report)]
    images = plural(len(report.reference), "test image")
    absent = report.reference.absent_classes
    if absent:
        more = f" and {len(absent) - _MOST_ABSENT:,} more" if len(absent) > _MOST_ABSENT else ""
        images += f"; none of them is: {', '.join(map(code, absent[:_MOST_ABSENT]))}{more}"
    basis = f" {plain(report.basis.in_words)}" if report.basis else ""
    return f"### Models\n\n{images}.{basis}\n\n" + table(headings, rows, numbers_from=1)


def _model_row(entry: Entry, decimals: int, confidence: float) -> list[str]:
    size, latency = entry.size_bytes, entry.latency_us("median")
    change = agreement = flips = ABSENT
    if entry.comparison is not None:
        counts = entry.comparison.counts
        interval = points_interval(counts.difference_interval(confidence), decimals)
        change = f"{points(counts.accuracy_difference, decimals)} [{interval}]"
        agreement = percent(counts.agreement.value, decimals)
        flips = f"{counts.lost:,} / {counts.won:,}"
    accuracy = percent(entry.accuracy.value, decimals)
    return [
        code(entry.model, in_table=True),
        f"{accuracy} [{percent_interval(entry.accuracy.interval, decimals)}]",
        change,
        agreement,
        flips,
        ABSENT if size is None else f"{size:,}",
        ABSENT if latency is None else microseconds(latency),
    ]


def _steps(report: ParityReport) -> str:
    blamed = blamed_steps(report)
    rows = []
    for index, step in enumerate(report.steps):
        mark = " ← to blame" if index in blamed else ""
        counts = step.counts
        rows.append(
            [
                f"{step.name}{mark}",
                f"{code(step.before_model, in_table=True)} → "
                f"{code(step.after_model, in_table=True)}",
                plain(shortened(printable(step.changed), 2 * LONGEST_NAME)),
                f"{counts.flips:,}",
                f"{counts.lost:,} / {counts.won:,}",
            ]
        )
    headings = ["step", "from → to", "what changed", "changed answers", "lost / won"]
    moved = [f"- {called(step.after_model)}: {plain(words)}" for step, words in movements(report)]
    return "\n\n".join(
        ["### Steps", table(headings, rows, numbers_from=3), *filter(None, ["\n".join(moved)])]
    )


def _model_details(report: ParityReport, item: Comparison) -> str:
    """Return what became of the answers of one model, folded."""
    counts = item.counts
    neither = counts.flips - counts.lost - counts.won
    changed = (
        f"{plural(counts.flips, 'answer')} changed: {counts.lost:,} lost, {counts.won:,} won, "
        f"{neither:,} neither right. McNemar p {_equal(counts.mcnemar_p_value)}."
        if item.flips
        else "No answer changed."
    )
    calibration = (
        f"Brier score {signed(counts.brier_rise.mean, 4)} "
        f"[{scores_interval(counts.brier_rise.interval(report.contract.confidence))}]. "
        f"Calibration error {percent(counts.reference_confidence.ece)} → "
        f"{percent(counts.candidate_confidence.ece)} %. "
        f"Mean total variation {counts.total_variation.mean:.4f}, 99 of 100 images below "
        f"{counts.total_variation.percentile(99):.4f}."
    )
    parts = [changed, _classes(report, item), _flips(report, item), calibration]
    return folded(f"{called(item.model)}: classes and changed answers", filter(None, parts))


def _classes(report: ParityReport, item: Comparison) -> str:
    moved = [change for change in class_changes(item.counts) if change.lost or change.won]
    moved.sort(key=lambda change: change.after.value - change.before.value)
    rows = [
        [
            code(report.reference.class_names[change.index], in_table=True),
            f"{percent(change.before.value)} → {percent(change.after.value)}",
            f"{points(change.after.value - change.before.value)} "
            f"[{points_interval(change.interval, 1)}]",
            f"{change.lost:,} / {change.won:,}",
            f"beyond chance (p {_equal(change.p_value)})"
            if change.beyond_chance
            else "within chance",
        ]
        for change in moved
    ]
    headings = ["class", "recall %", "change, points [95 %]", "lost / won", ""]
    return table(headings, rows, numbers_from=1) if rows else ""


def _equal(value: float) -> str:
    text = p_value(value)
    return text.replace("<", "&lt; ") if text.startswith("<") else f"= {text}"


def _flips(report: ParityReport, item: Comparison) -> str:
    def answer(index: int, confidence: float) -> str:
        name = code(report.reference.class_names[index], in_table=True)
        return f"{name} {percent(confidence, 0)} %"

    def row(flip: Flip) -> list[str]:
        return [
            f"{flip.image}",
            code(report.reference.class_names[flip.label], in_table=True),
            answer(flip.reference, flip.reference_confidence),
            answer(flip.candidate, flip.candidate_confidence),
            flip.effect,
            flip.blame,
        ]

    if not item.flips:
        return ""
    headings = ["image", "is", "full model", "converted", "effect", "arose at"]
    return table(headings, [row(flip) for flip in item.flips], most=_MOST_FLIPS)


def _measured_on(report: ParityReport) -> str:
    """Return which file ran where, folded."""
    rows = [
        [code(entry.model, in_table=True)]
        + [
            plain(shortened(entry.detail(*keys), LONGEST_NAME)) or ABSENT
            for keys in _MEASURED.values()
        ]
        for entry in entries(report)
    ]
    return folded("Measured on", [table(["model", *_MEASURED], rows)])
