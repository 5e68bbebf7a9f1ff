"""The report for programs: JSON, described by a JSON Schema that comes with the package."""

import json
import math
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import numpy as np

from edge_runtime.proof.metrics import PairedCounts
from edge_runtime.proof.parity import (
    EXIT_CODES,
    TIE_RULE,
    Check,
    Comparison,
    Decision,
    Judgement,
    Step,
)
from edge_runtime.proof.parity.verdict import remark, verdict_sentence
from edge_runtime.proof.report import once
from edge_runtime.wording import json_escaped

SCHEMA_VERSION = 4
SCHEMA_ID = f"urn:fmnist-edge:schema:report:{SCHEMA_VERSION}"
THRESHOLDS = (0.50, 0.80, 0.90, 0.95, 0.99)

_MEANINGS: dict[Decision, str] = {
    "holds": "every demand of the contract is shown to be kept",
    "broken": "a demand of the contract is broken",
    "inconclusive": "there are too few images to tell whether the contract is kept",
}


def report_json(report: Judgement) -> str:
    """Return all figures of a report as indented JSON text, without a newline at the end.

    What is not finite in the details of a model becomes null.
    """
    return json_escaped(_text(_plain(report_document(report))))


def report_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of what `report_json` writes."""
    folder = files("edge_runtime.proof.report").joinpath("schema")
    schema = folder.joinpath(f"report-{SCHEMA_VERSION}.json").read_text("utf-8")
    return dict(json.loads(schema))


def report_document(report: Judgement) -> dict[str, Any]:
    """Return all figures of a report as it is written; details are as the predictions have them."""
    return {
        "$schema": SCHEMA_ID,
        "schema_version": SCHEMA_VERSION,
        "decision": report.decision,
        "holds": report.holds,
        "verdict": verdict_sentence(report),
        "exit_code": EXIT_CODES[report.decision],
        "exit_code_meaning": _MEANINGS[report.decision],
        "images_needed": report.images_needed,
        "images_at_least": report.images_at_least,
        "judged_demands": report.judged_demands,
        "contract": report.contract.to_dict(),
        "image_count": len(report.reference),
        "class_names": list(report.reference.class_names),
        "tie_rule": TIE_RULE,
        "reference": report.basis.to_dict() if report.basis else None,
        "full": _full(report),
        "steps": [
            _step(report, step, checks)
            for step, checks in zip(report.steps, report.step_checks, strict=True)
        ],
        "comparisons": [_comparison(report, item) for item in report.comparisons],
    }


def _full(report: Judgement) -> dict[str, Any]:
    counts = report.comparisons[0].counts
    return {
        "model": report.reference.model,
        "accuracy": counts.reference_accuracy.to_dict(),
        "calibration": counts.reference_confidence.to_dict(),
        "confusion": counts.reference_confusion.tolist(),
        "ties": counts.reference_ties,
        "details": report.reference.details,
    }


def _step(report: Judgement, step: Step, checks: tuple[Check, ...]) -> dict[str, Any]:
    return {
        "name": step.name,
        "kinds": list(step.kinds),
        "before": step.before,
        "after": step.after,
        "before_model": step.before_model,
        "after_model": step.after_model,
        "changed": step.changed,
        "checks": [check.to_dict() for check in checks],
        "movement": step.movement.to_dict() if step.movement else None,
        **_paired(step.counts, report.contract.confidence),
    }


def _comparison(report: Judgement, item: Comparison) -> dict[str, Any]:
    counts, hashes = item.counts, report.reference.image_sha256
    return {
        "model": item.model,
        "decision": item.decision,
        "holds": item.holds,
        "is_last": item.is_last,
        "path": list(item.steps),
        "blamed_step": item.blamed_step,
        "remark": remark(item, report.contract.confidence) or None,
        "checks": [check.to_dict() for check in item.checks],
        "accuracy": counts.candidate_accuracy.to_dict(),
        **_paired(counts, report.contract.confidence),
        "class_changes": [change.to_dict() for change in once.class_changes(counts)],
        "cell_changes": [change.to_dict() for change in once.cell_changes(counts)],
        "confusion": counts.candidate_confusion.tolist(),
        "confusion_difference": counts.confusion_difference.tolist(),
        "calibration": counts.candidate_confidence.to_dict(),
        "ece_difference": counts.ece_difference,
        "brier_difference": counts.brier_rise.mean,
        "brier_difference_interval": list(once.brier_interval(counts, report.contract.confidence)),
        "thresholds": [counts.at_threshold(value).to_dict() for value in THRESHOLDS],
        "distances": {
            "total_variation": counts.total_variation.to_dict(),
            "kl_divergence": counts.kl.to_dict(),
            "mean_probability_difference": counts.mean_difference,
            "largest_probability_difference": counts.largest_difference,
        },
        "ties": counts.candidate_ties,
        "tied_flips": counts.tied_flips,
        "flips": [
            {**flip.to_dict(), "image_sha256": hashes[flip.image].decode("ascii", "replace")}
            for flip in item.flips
        ],
        "details": item.details,
    }


def _paired(counts: PairedCounts, confidence: float) -> dict[str, Any]:
    """Return how the answers of two models differ, with intervals of the contract's confidence."""
    exact = once.same_interval(counts, confidence)
    return {
        "accuracy_difference": counts.accuracy_difference,
        "accuracy_difference_interval": list(once.change_interval(counts, confidence)),
        "flip_count": counts.flips,
        "lost": counts.lost,
        "won": counts.won,
        "mcnemar_p_value": counts.mcnemar_p_value,
        "agreement": {**counts.agreement.to_dict(), "exact_interval": list(exact)},
    }


def _text(value: Any, line: str = "\n") -> str:
    """Return indented JSON with each list of numbers on a line: a matrix reads as one.

    The json module indents in Python alone, half a minute for three matrices of 1,000 classes.
    """
    inner = f"{line}  "
    if isinstance(value, dict) and value:
        items = (
            f"{json.dumps(key, ensure_ascii=False)}: {_text(value[key], inner)}" for key in value
        )
        return f"{{{inner}{f',{inner}'.join(items)}{line}}}"
    if isinstance(value, list) and not all(type(item) in (int, float) for item in value):
        return f"[{inner}{f',{inner}'.join(_text(item, inner) for item in value)}{line}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    """Return a copy that JSON has words for: details come from files and from other programs."""
    if isinstance(value, Mapping):
        return {_encodable(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        if all(type(item) is int for item in value):
            return list(value)  # at once: a row of a confusion matrix
        return [_plain(item) for item in value]
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int) else _encodable(value)


def _encodable(value: object) -> str:
    """Return text without halves of characters, which UTF-8 cannot hold."""
    return str(value).encode("utf-8", "replace").decode("utf-8")
