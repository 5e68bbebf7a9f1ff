"""The model card of a bundle, filled with what is recorded and with nothing else."""

from collections.abc import Mapping
from typing import Any

from edge_runtime.models.inspection import ModelSummary
from edge_runtime.proof.report.rendering import render

_TEMPLATE = "model_card.md.jinja"
# The longest list that a card takes; a thousand classes would hide the rest of it.
_MOST_CLASSES = 100
_SETTINGS = ("model", "epochs", "batch_size", "learning_rate", "dropout", "seed")


def model_card(
    manifest: Mapping[str, Any],
    summary: ModelSummary,
    *,
    version: int,
    training: Mapping[str, Any],
) -> str:
    """Return the card as Markdown.

    Args:
        manifest: of the bundle, as far as it is known.
        summary: what the .tflite is.
        version: of the bundle.
        training: how the full model was trained, if that is known.

    Raises:
        MissingDependencyError: Jinja2 is not installed.
    """
    metrics = manifest["metrics"]
    rates = [("accuracy", "", metrics["accuracy"])]
    if "agreement_with_full_model" in metrics:
        rates.append(("same answer as the full model", "", metrics["agreement_with_full_model"]))
    rates += [("recall of", name, rate) for name, rate in metrics["recall"].items()]
    versions = manifest.get("versions") or {}
    oldest = manifest["minimum_runtime"]
    settings = [f"{key} {training[key]}" for key in _SETTINGS if training.get(key) is not None]
    values = {
        **manifest,
        "version": version,
        "summary": summary,
        "most": _MOST_CLASSES,
        "operators": ", ".join(f"{use.name} v{use.version}" for use in summary.operators),
        "runs_on": ", ".join(f"{name} ≥ {release}" for name, release in oldest.items()),
        "converted_from": (manifest.get("source") or {}).get("file", "not recorded"),
        "converted_with": ", ".join(f"{name} {number}" for name, number in versions.items()),
        "settings": ", ".join(settings),
        "calibration": manifest.get("representative_dataset"),
        "rates": rates,
    }
    return render(_TEMPLATE, values, package=__name__.rpartition(".")[0])
