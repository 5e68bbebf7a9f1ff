"""The section of the page about one converted model."""

import numpy as np
from numpy.typing import NDArray

from edge_runtime.metrics import PairedCounts, decimals_for
from edge_runtime.parity import Comparison, ParityReport
from edge_runtime.report.confusion import confusion_section, shared_matrix
from edge_runtime.report.entries import Entry, flip_counts, float32_size_bytes
from edge_runtime.report.gallery import gallery
from edge_runtime.report.markup import (
    definitions,
    escaped,
    flattened,
    folded,
    verdict_tag,
)
from edge_runtime.report.recall import RecallTables
from edge_runtime.wording import (
    TIMES,
    microseconds,
    percent,
    plural,
    points,
    probability,
    size,
    span,
)


def model_section(
    report: ParityReport,
    entry: Entry,
    comparison: Comparison,
    images: NDArray[np.uint8] | None,
    *,
    anchor: str,
) -> str:
    """Return everything about one converted model."""
    names = report.reference.class_names
    return (
        f'<section class="model" id="{anchor}">'
        f"<h2>{escaped(entry.model)} {verdict_tag(comparison.decision)}</h2>"
        f'<div class="tiles">{_answer_tiles(comparison)}{_cost_tiles(report, entry)}</div>'
        f"<p>{_probability_sentence(comparison.counts)}</p>"
        f"{_answers(comparison, entry.model, names, images)}{measured_on(entry)}</section>"
    )


def _answers(
    comparison: Comparison,
    model: str,
    class_names: tuple[str, ...],
    images: NDArray[np.uint8] | None,
) -> str:
    recall = RecallTables(comparison, model, class_names)
    if not comparison.flips:
        return (
            "<p>No answer changed.</p>"
            f"{recall.unchanged_classes()}{shared_matrix(comparison, class_names)}"
        )
    return (
        f"<h3>Recall by class</h3>{recall.section()}"
        f"<h3>Confusion</h3>{confusion_section(comparison, model, class_names)}"
        f"<h3>Changed answers</h3>{gallery(comparison, model, class_names, images)}"
    )


def measured_on(entry: Entry) -> str:
    """Return all that is known about a model and the machine that ran it, folded."""
    known = definitions(flattened(entry.details), css_class="details")
    return folded(f"{entry.model}: file, machine and versions", known)


def size_note(size_bytes: int | None, float32_bytes: int | None) -> str:
    """Return how much smaller or larger than the float32 model, or "" where that says nothing."""
    if not size_bytes or not float32_bytes or size_bytes == float32_bytes:
        return ""
    if size_bytes < float32_bytes:
        return f"{float32_bytes / size_bytes:.1f}{TIMES} smaller than float32"
    return f"{size_bytes / float32_bytes:.1f}{TIMES} as large as float32"


def _answer_tiles(comparison: Comparison) -> str:
    counts = comparison.counts
    decimals = decimals_for(counts.image_count)
    lost, won, neither = flip_counts(comparison)
    return (
        _tile(
            "Accuracy",
            f"{percent(counts.candidate_accuracy.value, decimals)} %",
            f"{points(counts.accuracy_difference, decimals)} points from "
            f"{percent(counts.reference_accuracy.value, decimals)} %"
            if counts.accuracy_difference
            else "as the full model",
        )
        + _tile(
            "Same answer",
            f"{percent(counts.agreement.value, decimals)} %",
            f"{counts.agreements:,} of {plural(counts.image_count, 'image')}",
        )
        + _tile(
            "Changed answers",
            f"{len(comparison.flips):,}",
            f"{lost:,} lost, {won:,} won, {neither:,} neither right"
            if comparison.flips
            else "none",
        )
    )


def _cost_tiles(report: ParityReport, entry: Entry) -> str:
    tiles = ""
    if entry.size_bytes is not None:
        note = size_note(entry.size_bytes, float32_size_bytes(report))
        tiles += _tile("Size", size(entry.size_bytes), note)
    median, low, high = (entry.latency_us(key) for key in ("median", "p10", "p90"))
    if median is not None:
        spread = (
            ""
            if low is None or high is None
            else f"median; 80 % within {span(microseconds(low), microseconds(high))}"
        )
        tiles += _tile("Time per image", f"{microseconds(median)} µs", spread)
    return tiles


def _tile(term: str, value: str, note: str) -> str:
    return (
        f'<div class="tile"><span class="term">{escaped(term)}</span>'
        f"<strong>{escaped(value)}</strong><small>{escaped(note)}</small></div>"
    )


def _probability_sentence(counts: PairedCounts) -> str:
    if not counts.largest_difference:
        moved = "Every probability is exactly the full model's."
    else:
        moved = (
            f"On a scale from 0 to 1, a probability moved by {probability(counts.mean_difference)} "
            f"on average and by {probability(counts.largest_difference)} at most."
        )
    if counts.candidate_ties:
        moved += (
            f" In {plural(counts.candidate_ties, 'image')} several classes shared the largest "
            "probability; the first of them counts as the answer."
        )
    return escaped(moved)
