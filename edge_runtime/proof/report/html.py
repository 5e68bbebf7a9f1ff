"""The report as one HTML page that needs no network and no script."""

from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from edge_runtime.proof.parity import TIE_RULE, ParityReport
from edge_runtime.proof.parity.verdict import (
    consequence,
    findings,
    headline,
    images_wanted,
    remarks,
)
from edge_runtime.proof.report.chain import chain_picture
from edge_runtime.proof.report.charts import difference_chart
from edge_runtime.proof.report.contract import contract_section
from edge_runtime.proof.report.entries import Entry, entries, leading
from edge_runtime.proof.report.gallery import PICTURE_BYTES, Pictures, refuse_other_images
from edge_runtime.proof.report.glossary import GLOSSARY
from edge_runtime.proof.report.markup import definitions, escaped, folded, mark, named, tile
from edge_runtime.proof.report.measured import measured_section
from edge_runtime.proof.report.model import answer_tiles, model_section
from edge_runtime.proof.report.overview import models_table, steps_table
from edge_runtime.wording import plural

# Nothing may be loaded or run, even if a name in the report got past the escaping.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

# So many models get a section of their own, so that the page stays small.
_MOST_SECTIONS = 12


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
    title = _title(models[0])
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="description" content="{escaped(report.verdict)}">'
        f"<title>{escaped(headline(report))}: {escaped(title)}</title><style>\n{_style()}</style>"
        f"</head>\n<body><main>\n{_header(report, models, title)}{contract_section(report)}"
        f"{_chain(report)}{_accuracy(report, models)}{_details(report, models, images)}"
        f"{_footer(models)}</main></body></html>\n"
    )


def _style() -> str:
    return files("edge_runtime.proof.report").joinpath("style.css").read_text("utf-8")


def _title(full: Entry) -> str:
    dataset = full.detail("dataset")
    return f"Parity report of {full.model}" + (f" on {dataset}" if dataset else "")


def _header(report: ParityReport, models: list[Entry], title: str) -> str:
    found = findings(report)
    more = len(found) - 1
    rest = f' <a href="#contract">{more:,} more</a>' if more else ""
    follows = consequence(report)
    subject = models[1 + leading(report)]
    about = f"{named(subject.model)} against the full model" if len(models) > 2 else ""
    return (
        f'<header class="{report.decision}"><p class="title">{escaped(title)}, '
        f"{_measured_in_short(report)}</p>"
        f'<div class="verdict">{mark(report.decision)}<h1>{escaped(headline(report))}</h1></div>'
        f'<p class="finding">{escaped(_capitalized(found[0]))}.{rest}</p>'
        + "".join(f'<p class="finding">{escaped(text)}</p>' for text in remarks(report))
        + (f'<p class="finding"><b>{escaped(follows)}</b></p>' if follows else "")
        + (f'<p class="about">{about}</p>' if about else "")
        + f'<div class="tiles">{_first_tiles(report)}</div></header>\n'
    )


def _capitalized(finding: str) -> str:
    """Return a finding as the beginning of a paragraph; the name of a model stays as it is."""
    return "N" + finding[1:] if finding.startswith("no model") else finding


def _measured_in_short(report: ParityReport) -> str:
    images = plural(len(report.reference), "test image")
    return f"{images}, {plural(len(report.reference.class_names), 'class', 'classes')}"


def _first_tiles(report: ParityReport) -> str:
    tiles = answer_tiles(report.comparisons[leading(report)], report.contract.confidence)
    wanted = images_wanted(report)
    if wanted:
        tiles += tile("Images needed", wanted, f"{len(report.reference):,} are here")
    return tiles


def _chain(report: ParityReport) -> str:
    return (
        '<section><h2>Where answers change</h2><figure class="chain-figure">'
        f"{chain_picture(report)}<figcaption>Each box is a model with its accuracy, each arrow a "
        "step from one to the next, the thicker the more answers changed at it. Lost: from right "
        "to wrong; won: from wrong to right; neither: wrong before and after.</figcaption>"
        f"</figure>{steps_table(report)}</section>\n"
    )


def _accuracy(report: ParityReport, models: list[Entry]) -> str:
    confidence = f"{report.contract.confidence * 100:g} %"
    margin = report.contract.margins.accuracy
    rule = (
        "A model holds when its whole interval lies in the shaded region, right of the limit."
        if margin is not None
        else "The contract has no limit for it."
    )
    return (
        "<section><h2>Accuracy against the full model</h2><figure>"
        f"{difference_chart(report)}<figcaption>Change of accuracy with its {confidence} interval, "
        f"from the images that were lost or won. {rule}</figcaption></figure>"
        f"{models_table(report, models)}{_basis(report)}</section>\n"
    )


def _basis(report: ParityReport) -> str:
    return f'<p class="quiet">{escaped(report.basis.in_words)}</p>' if report.basis else ""


def _details(report: ParityReport, models: list[Entry], images: NDArray[np.uint8] | None) -> str:
    """Return a section for each model; the pictures are shared out evenly."""
    first = leading(report)
    chosen = sorted(range(len(report.comparisons)), key=lambda index: index != first)
    chosen = sorted(chosen[:_MOST_SECTIONS])
    pictures = Pictures(images, PICTURE_BYTES // len(chosen))
    sections = "".join(
        model_section(
            report,
            models[1 + index],
            pictures,
            anchor=f"model-{1 + index}",
            is_open=index == first,
        )
        for index in chosen
    )
    more = len(report.comparisons) - len(chosen)
    note = f'<p class="quiet">and {more:,} more models in report.json</p>' if more else ""
    return f'<section class="models">{sections}{note}</section>\n'


def _footer(models: list[Entry]) -> str:
    return (
        f"<section><h2>What it was measured on</h2>{measured_section(models)}"
        f'<p class="quiet">All models answered the same images. {escaped(TIE_RULE)}</p></section>'
        '<section id="help"><h2>Help</h2>'
        f"{folded('How to read this report', definitions(GLOSSARY, css_class='glossary'))}"
        '<p class="quiet">All figures, and every changed answer, are in report.json.</p></section>'
    )
