"""The report as one HTML page that needs no network and no script."""

from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from edge_runtime.metrics import decimals_for
from edge_runtime.parity import TIE_RULE, ParityReport
from edge_runtime.report.charts import accuracy_chart
from edge_runtime.report.entries import (
    Entry,
    entries,
    facts,
    flip_counts,
    float32_size_bytes,
)
from edge_runtime.report.gallery import refuse_other_images
from edge_runtime.report.markup import definitions, escaped, folded, mark, scroller, verdict_tag
from edge_runtime.report.model import measured_on, model_section, size_note
from edge_runtime.wording import (
    ABSENT,
    microseconds,
    percent,
    percent_interval,
    points,
    probability,
    size,
)

# Nothing may be loaded or run, even if a name in the report got past the escaping.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

_GLOSSARY = (
    (
        "Full model",
        "The trained model, before it was converted. All others are measured against it.",
    ),
    ("Accuracy", "The share of the test images that a model names rightly."),
    (
        "95 % interval",
        "The test images are a sample. With other images of the same kind the accuracy would be "
        "a little different; the interval (Wilson's) holds the values that fit what was seen. "
        "All models saw the same images, so their intervals may overlap although one is worse; "
        "the verdict compares how many of these each names rightly.",
    ),
    ("Point", "One percentage point: from 83 % to 82 % is a loss of 1 point."),
    ("Allowed drop", "How many points of accuracy a converted model may lose."),
    (
        "Changed answer",
        "An image that the two models name differently. It is lost if only the full model was "
        "right, won if only the converted model is, and otherwise neither was.",
    ),
    (
        "Probability",
        "What a model gives to each class: 0 is no, 1 is certain. Converting rounds numbers, so "
        "probabilities move a little; an answer changes where two classes were close.",
    ),
    ("Recall", "Of the images of one class, the share that the model finds."),
    (
        "Confusion matrix",
        "How many images of each class (row) got each answer (column). What is off the diagonal "
        "is a mistake.",
    ),
    (
        "Median time",
        "Half of the images took less time, half took more. One µs is a millionth of a second.",
    ),
)


def report_html(report: ParityReport, images: NDArray[np.uint8] | None) -> str:
    """Return the report as one self-contained HTML page; the same report, the same bytes.

    Args:
        report: the comparison.
        images: (N, H, W, 1 or 3) uint8, the test images in the order of the predictions, for the
            gallery of changed answers; None for a gallery without pictures.

    Raises:
        PredictionsError: the images are not as many as the predictions, or no such array.
    """
    if images is not None:
        refuse_other_images(images, len(report.reference))
    models = entries(report)
    sections = "".join(
        model_section(report, entry, comparison, images, anchor=f"model-{number}")
        for number, (entry, comparison) in enumerate(
            zip(models[1:], report.comparisons, strict=True), start=1
        )
    )
    title = _title(report, models[0])
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="description" content="{escaped(report.verdict)}">'
        f"<title>{escaped(title)}</title><style>\n{_style()}</style></head>\n<body><main>\n"
        f"{_header(report, title)}{_summary(report, models)}{_accuracy(report)}{sections}"
        f"{_footer(models[0])}</main></body></html>\n"
    )


def _style() -> str:
    return files("edge_runtime.report").joinpath("style.css").read_text("utf-8")


def _title(report: ParityReport, full: Entry) -> str:
    dataset = report.reference.details.get("dataset")
    return f"Parity report: {full.model}" + (f" on {dataset}" if dataset else "")


def _header(report: ParityReport, title: str) -> str:
    word = report.decision
    headline, _, finding = report.verdict.partition(": ")
    counts = [
        ("Test images", f"{len(report.reference):,}"),
        ("Classes", f"{len(report.reference.class_names):,}"),
    ]
    facts_line = definitions(counts + facts(report), css_class="facts")
    return (
        f'<header class="{word}"><p class="title">{escaped(title)}</p>'
        f'<div class="verdict">{mark(report.decision)}<h1>{escaped(headline)}'
        f"<span>{escaped(finding)}</span></h1></div>"
        f"{facts_line}</header>\n"
    )


def _summary(report: ParityReport, models: list[Entry]) -> str:
    heads = (
        ("Model", ""),
        ("Verdict", ""),
        ("Size", ""),
        ("Accuracy", "% [95 % interval]"),
        ("Change", "points"),
        ("Same answer", "%"),
        ("Changed answers", "lost / won / neither"),
        ("Probability moved", "mean / most"),
        ("Median time", "µs per image"),
    )
    head = "".join(f'<th scope="col">{name} <small>{unit}</small></th>' for name, unit in heads)
    decimals = decimals_for(len(report.reference))
    rows = "".join(
        _summary_row(entry, number, decimals, float32_size_bytes(report))
        for number, entry in enumerate(models)
    )
    table = f'<table class="summary"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    return f"<section><h2>All models</h2>{scroller(table, 'All models')}</section>\n"


def _summary_row(entry: Entry, number: int, decimals: int, float32_bytes: int | None) -> str:
    latency = entry.latency_us("median")
    name = escaped(entry.model)
    if entry.comparison is not None:
        name = f'<a href="#model-{number}">{name}</a>'
    cells = (
        "reference" if entry.comparison is None else verdict_tag(entry.comparison.decision),
        _size_cell(entry, float32_bytes),
        f"<b>{percent(entry.accuracy.value, decimals)}</b> "
        f"<small>[{percent_interval(entry.accuracy, decimals)}]</small>",
        *_comparison_cells(entry, decimals),
        ABSENT if latency is None else microseconds(latency),
    )
    columns = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr><th scope="row">{name}</th>{columns}</tr>'


def _size_cell(entry: Entry, float32_bytes: int | None) -> str:
    if entry.size_bytes is None:
        return ABSENT
    note = "" if entry.comparison is None else size_note(entry.size_bytes, float32_bytes)
    return f"{size(entry.size_bytes)} <small>{note}</small>"


def _comparison_cells(entry: Entry, decimals: int) -> tuple[str, str, str, str]:
    if entry.comparison is None:
        return ABSENT, ABSENT, ABSENT, ABSENT
    counts = entry.comparison.counts
    lost, won, neither = flip_counts(entry.comparison)
    return (
        points(counts.accuracy_difference, decimals),
        percent(counts.agreement.value, decimals),
        f"{len(entry.comparison.flips):,} <small>{lost:,} / {won:,} / {neither:,}</small>",
        f"{probability(counts.mean_difference)} "
        f"<small>{probability(counts.largest_difference)}</small>",
    )


def _accuracy(report: ParityReport) -> str:
    margin = report.contract.margins.accuracy
    allowed = "" if margin is None else f" of {margin * 100:g} points"
    return (
        "<section><h2>Accuracy</h2><figure>"
        f"{accuracy_chart(report)}"
        "<figcaption>Accuracy on the test images, with its 95 % interval, and in brackets the "
        'change in points. <i class="key line"></i>full model <i class="key band"></i>the allowed '
        f"drop{allowed}.</figcaption></figure></section>\n"
    )


def _footer(full: Entry) -> str:
    return (
        "<section><h2>How this was counted</h2><p>All models answered the same images, "
        f"in the same order. {escaped(TIE_RULE)} A model holds if its accuracy is at most the "
        "allowed drop below the full model's, counted in images.</p>"
        f"{measured_on(full)}"
        f"{folded('How to read this report', definitions(_GLOSSARY, css_class='glossary'))}"
        f'<p class="quiet">All figures, and every changed answer, are in report.json.</p></section>'
    )
