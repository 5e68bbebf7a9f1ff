"""The report for a pull request: Markdown as GitHub and GitLab show it."""

from collections.abc import Mapping, Sequence

from edge_runtime.data.predictions import Predictions
from edge_runtime.proof.parity import Comparison, Flip, Judgement
from edge_runtime.proof.parity.verdict import consequence, findings, headline, remarks
from edge_runtime.proof.report import once, tables
from edge_runtime.proof.report.demands import demand_figures
from edge_runtime.proof.report.figures import (
    Figures,
    all_models,
    class_figures,
    detail,
    model_figures,
    step_figures,
)
from edge_runtime.proof.report.markdown_markup import LONGEST_NAME
from edge_runtime.proof.report.rendering import render
from edge_runtime.proof.report.sentences import movements
from edge_runtime.proof.report.tables import table
from edge_runtime.wording import percent, printable, shortened

# GitHub takes 65,536 characters in a comment; some room is left for what a workflow adds.
LIMIT_CHARACTERS = 60_000
_MOST_FLIPS = 10

# The details that say what a figure must name.
_MEASURED = {
    "dataset": ("dataset",),
    "runtime": ("backend", "backend_version"),
    "cpu": ("cpu",),
    "threads": ("threads",),
    "model_sha256": ("model_sha256",),
}
_LEFT_OUT = "_More is in report.json; a comment has no room for it._"


def report_markdown(report: Judgement) -> str:
    """Return a report as Markdown of at most 60,000 characters, without a newline at the end.

    Names of models and classes come from other people's files: they stand in code spans, and in
    sentences without force, so that they neither format, link, nor call anybody.

    Raises:
        MissingDependencyError: Jinja2 is not installed.
    """
    parts = render("report.md.jinja", _values(report)).split("\f")
    room = LIMIT_CHARACTERS - len(_LEFT_OUT) - 2
    kept: list[str] = []
    for part in filter(None, map(str.strip, parts)):
        if sum(len(text) + 2 for text in kept) + len(part) > room:
            kept.append(_LEFT_OUT)
            break
        kept.append(part)
    return "\n\n".join(kept)


def _values(report: Judgement) -> Mapping[str, object]:
    return {
        "decision": report.decision,
        "headline": headline(report),
        "findings": findings(report),
        "follows": [text for text in [*remarks(report), consequence(report)] if text],
        "demands": table(tables.DEMANDS_IN_MARKDOWN, demand_figures(report)),
        "image_count": len(report.reference),
        "absent": report.reference.absent_classes,
        "basis": report.basis.in_words if report.basis else "",
        "models": table(tables.MODELS_IN_MARKDOWN, model_figures(report), report.contract.sure),
        "steps": table(tables.STEPS_IN_MARKDOWN, step_figures(report)),
        "movements": movements(report),
        "details": [_details(report, item) for item in report.comparisons],
        "measured": table(tables.MEASURED_IN_MARKDOWN, map(_measured, all_models(report))),
    }


def _details(report: Judgement, item: Comparison) -> Mapping[str, object]:
    names = report.reference.class_names
    moved = [change for change in once.class_changes(item.counts) if change.lost or change.won]
    moved.sort(key=lambda change: change.difference)
    return {
        "model": item.model,
        "counts": item.counts,
        "brier_interval": once.brier_interval(item.counts, report.contract.confidence),
        "classes": table(
            tables.CLASSES_IN_MARKDOWN, [class_figures(change, names) for change in moved]
        ),
        "flips": table(
            tables.FLIPS_IN_MARKDOWN, [_flip(flip, names) for flip in item.flips[:_MOST_FLIPS]]
        ),
    }


def _flip(flip: Flip, names: Sequence[str]) -> Figures:
    return {
        "image": f"{flip.image}",
        "label": names[flip.label],
        "before": names[flip.reference],
        "before_sure": percent(flip.reference_confidence, 0),
        "after": names[flip.candidate],
        "after_sure": percent(flip.candidate_confidence, 0),
        "effect": flip.effect,
        "blame": flip.blame,
    }


def _measured(model: Predictions | Comparison) -> Figures:
    said = {name: detail(model.details, *keys) for name, keys in _MEASURED.items()}
    known = {name: shortened(text, LONGEST_NAME) for name, text in said.items() if text}
    return {"model": printable(model.model), **known}
