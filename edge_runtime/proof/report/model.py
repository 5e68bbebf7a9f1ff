"""The section of the page about one converted model, folded unless the verdict is about it."""

from edge_runtime.proof.metrics import PairedCounts, decimals_for
from edge_runtime.proof.parity import TIE_RULE, Comparison, ParityReport
from edge_runtime.proof.report.calibration import calibration_section
from edge_runtime.proof.report.confusion import confusion_section
from edge_runtime.proof.report.entries import Entry, entries, float32_size_bytes, neither, twin
from edge_runtime.proof.report.gallery import Pictures, gallery
from edge_runtime.proof.report.markup import escaped, named, row, scroller, table, tile, verdict_tag
from edge_runtime.proof.report.recall import recall_section
from edge_runtime.wording import (
    TIMES,
    distance,
    microseconds,
    p_equals,
    percent,
    plural,
    points,
    points_interval,
    probability,
    size,
    span,
)


def model_section(
    report: ParityReport, entry: Entry, pictures: Pictures, *, anchor: str, is_open: bool
) -> str:
    """Return everything about one converted model."""
    comparison = entry.comparison
    if comparison is None:
        return ""
    opening = " open" if is_open else ""
    return (
        f'<details class="model"{opening}><summary><h2>{named(entry.model)} '
        f"{verdict_tag(comparison.decision)}</h2></summary>"
        f'<div class="tiles" id="{anchor}">'
        f"{answer_tiles(comparison, report.contract.confidence)}{_cost_tiles(report, entry)}</div>"
        f"{_answers(report, comparison, entry.model, pictures)}</details>"
    )


def _answers(report: ParityReport, comparison: Comparison, model: str, pictures: Pictures) -> str:
    same = twin(report, comparison)
    if same is not None:
        before = named(entries(report)[same].model)
        return (
            f'<p>Every probability is exactly that of <a href="#model-{same}">{before}</a>, from '
            "which it was made: see there.</p>"
        )
    names, contract = report.reference.class_names, report.contract
    counts = comparison.counts
    return (
        f"<h3>Changed answers</h3>{gallery(comparison, model, names, pictures)}"
        "<h3>Recall by class</h3>"
        f"{recall_section(comparison, names, contract.margins.class_recall)}"
        f"<h3>Confusion</h3>{confusion_section(comparison, model, names)}"
        f"<h3>Confidence</h3>{calibration_section(counts, model, contract.confidence)}"
        f"<h3>Distance of the probabilities</h3>{_distances(counts)}"
    )


def answer_tiles(comparison: Comparison, confidence: float) -> str:
    """Return the three figures about a model's answers that matter most."""
    counts = comparison.counts
    decimals = decimals_for(counts.image_count)
    interval = points_interval(counts.difference_interval(confidence), decimals)
    low, high = counts.agreement.exact_interval(confidence)
    sure = f"{confidence * 100:g} %"
    return (
        tile(
            "Accuracy",
            f"{percent(counts.reference_accuracy.value, decimals)} → "
            f"{percent(counts.candidate_accuracy.value, decimals)} %",
            f"{points(counts.accuracy_difference, decimals)} points ({sure}: {interval})",
        )
        + tile(
            "Same answer",
            f"{percent(counts.agreement.value, decimals)} %",
            f"of {plural(counts.image_count, 'image')} ({sure}: "
            f"{span(percent(low, decimals), percent(high, decimals))} %)",
        )
        + tile(
            "Changed answers",
            f"{counts.flips:,}",
            _effects(counts) if counts.flips else "none",
        )
    )


def _effects(counts: PairedCounts) -> str:
    p_value = escaped(p_equals(counts.mcnemar_p_value)).replace(" ", "&nbsp;")
    return f"{counts.lost:,} lost, {counts.won:,} won, {neither(counts):,} neither right; {p_value}"


def _cost_tiles(report: ParityReport, entry: Entry) -> str:
    tiles = ""
    if entry.size_bytes is not None:
        note = size_note(entry.size_bytes, float32_size_bytes(report))
        tiles += tile("Size", size(entry.size_bytes), note)
    median, low, high = (entry.latency_us(key) for key in ("median", "p10", "p90"))
    if median is not None:
        spread = (
            ""
            if low is None or high is None
            else f"median; 80 % within {span(microseconds(low), microseconds(high))}"
        )
        tiles += tile("Time per image", f"{microseconds(median)} µs", spread)
    return tiles


def size_note(size_bytes: int | None, float32_bytes: int | None) -> str:
    """Return how much smaller or larger than the float32 model, or "" where that says nothing."""
    if not size_bytes or not float32_bytes or size_bytes == float32_bytes:
        return ""
    if size_bytes < float32_bytes:
        return f"{float32_bytes / size_bytes:.1f}{TIMES} smaller than float32"
    return f"{size_bytes / float32_bytes:.1f}{TIMES} as large as float32"


def _distances(counts: PairedCounts) -> str:
    rows = [
        row(
            name,
            [
                escaped(distance(value))
                for value in (distances.mean, distances.percentile(99), distances.largest)
            ],
        )
        for name, distances in (
            ("Total variation <small>0 to 1</small>", counts.total_variation),
            ("KL divergence <small>nats</small>", counts.kl),
        )
    ]
    heads = (
        ("", ""),
        ("Mean", ""),
        ("99th percentile", "at most 2.2 % too large"),
        ("Largest", ""),
    )
    return (
        f"{scroller(table('plain', heads, rows), 'Distances')}"
        f"<p>{escaped(_moved(counts))} {escaped(_ties(counts))}</p>"
    )


def _moved(counts: PairedCounts) -> str:
    if not counts.largest_difference:
        return "Every probability is exactly the full model's."
    return (
        f"On a scale from 0 to 1, a class's probability moved by "
        f"{probability(counts.mean_difference)} on average and by "
        f"{probability(counts.largest_difference)} at most."
    )


def _ties(counts: PairedCounts) -> str:
    if not counts.reference_ties and not counts.candidate_ties:
        return "No image had several classes with the same, largest probability."
    return (
        f"Several classes shared the largest probability in {counts.reference_ties:,} of the full "
        f"model's answers and in {counts.candidate_ties:,} of the converted model's. {TIE_RULE} "
        f"{_tied_flips(counts.tied_flips)}"
    )


def _tied_flips(count: int) -> str:
    if not count:
        return "No answer changed only because of that."
    return (
        f"{plural(count, 'answer')} changed although the converted model gave the full model's "
        "answer the same probability as its own."
    )
