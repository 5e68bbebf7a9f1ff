"""The tables of all models and of all steps."""

from edge_runtime.proof.metrics import PairedCounts, decimals_for
from edge_runtime.proof.parity import ParityReport, Step
from edge_runtime.proof.report.entries import (
    Entry,
    blamed_steps,
    float32_size_bytes,
    neither,
)
from edge_runtime.proof.report.markup import escaped, named, row, scroller, table, verdict_tag
from edge_runtime.proof.report.model import size_note
from edge_runtime.proof.report.movement import movements
from edge_runtime.wording import (
    ABSENT,
    microseconds,
    p_value,
    percent,
    percent_interval,
    points,
    points_interval,
    size,
    span,
)

_LONGEST_NAME = 40


def models_table(report: ParityReport, models: list[Entry]) -> str:
    """Return accuracy, change, agreement, flips, size and time of every model."""
    confidence = report.contract.confidence
    sure = f"{confidence * 100:g} %"
    heads = (
        ("Model", ""),
        ("Decision", ""),
        ("Accuracy", "% [95 % interval]"),
        ("Change", f"points ({sure} interval)"),
        ("p", "McNemar"),
        ("Same answer", f"% [{sure} interval]"),
        ("Changed answers", "lost / won / neither"),
        ("Size", ""),
        ("Median time", "µs per image"),
    )
    float32_bytes = float32_size_bytes(report)
    rows = [
        _model_row(entry, number, confidence, float32_bytes) for number, entry in enumerate(models)
    ]
    return scroller(table("summary", heads, rows), "All models")


def _model_row(entry: Entry, number: int, confidence: float, float32_bytes: int | None) -> str:
    decimals = decimals_for(entry.accuracy.total)
    latency = entry.latency_us("median")
    note = "" if entry.comparison is None else size_note(entry.size_bytes, float32_bytes)
    accuracy = (
        f"<b>{percent(entry.accuracy.value, decimals)}</b> "
        f"<small>[{percent_interval(entry.accuracy.interval, decimals)}]</small>"
    )
    name, decision, compared = named(entry.model, _LONGEST_NAME), "reference", (ABSENT,) * 4
    if entry.comparison is not None:
        name = f'<a href="#model-{number}">{name}</a>'
        decision = verdict_tag(entry.comparison.decision)
        compared = _comparison_cells(entry.comparison.counts, confidence, decimals)
    return row(
        name,
        (
            decision,
            accuracy,
            *compared,
            f"{size(entry.size_bytes)} <small>{note}</small>" if entry.size_bytes else ABSENT,
            ABSENT if latency is None else microseconds(latency),
        ),
    )


def _comparison_cells(
    counts: PairedCounts, confidence: float, decimals: int
) -> tuple[str, str, str, str]:
    low, high = counts.agreement.exact_interval(confidence)
    interval = points_interval(counts.difference_interval(confidence), decimals)
    return (
        f"<b>{points(counts.accuracy_difference, decimals)}</b> <small>({interval})</small>",
        escaped(p_value(counts.mcnemar_p_value)),
        f"{percent(counts.agreement.value, decimals)} "
        f"<small>[{span(percent(low, decimals), percent(high, decimals))}]</small>",
        f"{counts.flips:,} <small>{counts.lost:,} / {counts.won:,} / {neither(counts):,}</small>",
    )


def steps_table(report: ParityReport) -> str:
    """Return what changed at each step, and how many answers with it."""
    blamed = blamed_steps(report)
    heads = (
        ("Step", ""),
        ("From", ""),
        ("To", ""),
        ("What changed", ""),
        ("Flips", "lost / won / neither"),
        ("Change", f"points ({report.contract.confidence * 100:g} % interval)"),
    )
    rows = [
        _step_row(step, report.contract.confidence, index in blamed)
        for index, step in enumerate(report.steps)
    ]
    moved = "".join(
        f"<p>{named(step.after_model, _LONGEST_NAME)}: {escaped(words)}</p>"
        for step, words in movements(report)
    )
    return scroller(table("steps", heads, rows), "All steps") + moved


def _step_row(step: Step, confidence: float, is_blamed: bool) -> str:
    counts = step.counts
    decimals = decimals_for(counts.image_count)
    interval = points_interval(counts.difference_interval(confidence), decimals)
    tag = ' <b class="to-blame">◄ to blame</b>' if is_blamed else ""
    return row(
        f"{escaped(step.name)}{tag}",
        (
            named(step.before_model, _LONGEST_NAME),
            named(step.after_model, _LONGEST_NAME),
            escaped(step.changed),
            f"{counts.flips:,} <small>{counts.lost:,} / {counts.won:,} / {neither(counts):,}"
            "</small>",
            f"{points(counts.accuracy_difference, decimals)} <small>({interval})</small>",
        ),
        css_class="moved" if is_blamed else "",
    )
