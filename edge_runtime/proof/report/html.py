"""The report as one HTML page that needs no network and no script, and in short for a notebook."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.proof.metrics import decimals_for
from edge_runtime.proof.parity import TIE_RULE, Judgement
from edge_runtime.proof.parity.verdict import (
    consequence,
    findings,
    headline,
    images_wanted,
    remarks,
    verdict_sentence,
)
from edge_runtime.proof.report import once, tables
from edge_runtime.proof.report.axis import Axis
from edge_runtime.proof.report.chain import chain
from edge_runtime.proof.report.demands import demand_figures
from edge_runtime.proof.report.figures import Figures, detail, model_figures, step_figures, twin
from edge_runtime.proof.report.measured import measured_view
from edge_runtime.proof.report.pictures import Pictures
from edge_runtime.proof.report.rendering import render
from edge_runtime.proof.report.sections import answers_view
from edge_runtime.proof.report.sentences import movements
from edge_runtime.proof.report.tables import table
from edge_runtime.wording import printable

# So many models get a section of their own, so that the page stays small.
_MOST_SECTIONS = 12
# What holds is folded from so many demands on; what does not never is.
_MOST_DEMANDS = 8


def report_html(report: Judgement, images: NDArray[np.uint8] | None) -> str:
    """Return the report as one self-contained HTML page; the same report, the same bytes.

    ``images`` are the (N, H, W, 1 or 3) uint8 test images in the order of the predictions, for the
    gallery of changed answers; without them it has no pictures.

    Raises:
        PredictionsError: the images are not as many as the predictions, or no such array.
        MissingDependencyError: Jinja2 is not installed.
    """
    first = _leading(report)
    figures = _with_anchors(model_figures(report), first)
    values = {
        "is_page": True,
        **_summary(report, figures, first),
        **_overview(report, figures),
        "sections": _sections(report, figures, first, images),
        "measured": measured_view(report),
    }
    return render("report.html.jinja", values)


def notebook_html(report: Judgement) -> str:
    """Return the verdict and all models as HTML for a notebook: a fragment with a style of its own.

    Raises:
        MissingDependencyError: Jinja2 is not installed.
    """
    values = _summary(report, model_figures(report), _leading(report))
    return render("notebook.html.jinja", {**values, "is_page": False})


def _leading(report: Judgement) -> int:
    """Return the index of the model that the page shows first.

    The one that the verdict is about, the worst of the worst; where all is well, the one with most
    changed answers, which are what there is to see.
    """
    items = dict(enumerate(report.comparisons, start=1))
    if report.decision == "holds":
        return max(items, key=lambda index: items[index].counts.flips)
    confidence = report.contract.confidence
    deciding = [index for index, item in items.items() if item.decision == report.decision]
    return min(
        deciding or items, key=lambda index: once.change_interval(items[index].counts, confidence)
    )


def _with_anchors(figures: list[Figures], first: int) -> list[Figures]:
    """Return what is said of each model, with where its section is, if it has one."""
    chosen = sorted(range(1, len(figures)), key=lambda index: index != first)[:_MOST_SECTIONS]
    return [
        model | {"anchor": f"model-{index}" if index in chosen else ""}
        for index, model in enumerate(figures)
    ]


def _summary(report: Judgement, figures: Sequence[Figures], first: int) -> dict[str, object]:
    """Return what comes first: the verdict, the figures that matter most, and all models."""
    dataset = detail(report.reference.details, "dataset")
    title = f"Parity report of {printable(report.reference.model)}"
    return {
        "title": f"{title} on {dataset}" if dataset else title,
        "verdict": verdict_sentence(report),
        "decision": report.decision,
        "headline": headline(report),
        # The name of a model at the beginning of a paragraph stays as it is.
        "findings": [re.sub("^no model", "No model", finding) for finding in findings(report)],
        "remarks": remarks(report),
        "consequence": consequence(report),
        "image_count": len(report.reference),
        "class_names": report.reference.class_names,
        "about": figures[first]["model"] if len(figures) > 2 else "",
        "lead": figures[first],
        "sure": report.contract.sure,
        "wanted": images_wanted(report),
        "models": table(tables.MODELS_ON_PAGE, figures, report.contract.sure),
    }


def _overview(report: Judgement, figures: Sequence[Figures]) -> dict[str, object]:
    """Return the demands, the chain, and how accuracy changed."""
    confidence, sure = report.contract.confidence, report.contract.sure
    demands, steps = demand_figures(report), step_figures(report)
    urgent = sum(demand["decision"] != "holds" for demand in demands)
    shown = max(urgent, _MOST_DEMANDS)
    margin = report.contract.margins.accuracy
    intervals = [once.change_interval(item.counts, confidence) for item in report.comparisons]
    bounds = [bound for interval in intervals for bound in interval]
    return {
        "demands": table(tables.DEMANDS_ON_PAGE, demands[:shown], sure),
        "held": table(tables.DEMANDS_ON_PAGE, demands[shown:], sure),
        "chain": chain(report, figures, steps),
        "steps": table(tables.STEPS_ON_PAGE, steps, sure),
        "movements": movements(report),
        "margin": margin,
        "axis": Axis.around([*bounds, *([] if margin is None else [-margin])]),
        "changes": list(zip(report.comparisons, intervals, figures[1:], strict=True)),
        "basis": report.basis.in_words if report.basis else "",
        "decimals": decimals_for(len(report.reference)),
        "tie_rule": TIE_RULE,
    }


def _sections(
    report: Judgement, figures: Sequence[Figures], first: int, images: NDArray[np.uint8] | None
) -> list[dict[str, object]]:
    """Return what the section of each model shows; the pictures are shared out evenly."""
    chosen = [index for index, model in enumerate(figures) if model["anchor"]]
    pictures = Pictures(images, image_count=len(report.reference), sections=len(chosen))
    sections: list[dict[str, object]] = []
    for index in chosen:
        comparison = report.comparisons[index - 1]
        same = twin(report, comparison)
        sections.append(
            {
                "figures": figures[index],
                "counts": comparison.counts,
                "is_open": index == first,
                "twin": figures[same] if same is not None else None,
                **(answers_view(report, comparison, pictures) if same is None else {}),
            }
        )
    return sections
