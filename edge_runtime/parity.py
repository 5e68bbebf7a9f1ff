"""Does the converted model still answer like the full one? The comparison, on the same images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from edge_runtime.errors import PredictionsError
from edge_runtime.metrics import PairedCounts, count_pairs, decimals_for, recalls
from edge_runtime.predictions import Predictions, refuse_different_images

SCHEMA_VERSION = 1

TIE_RULE = "Of equal probabilities the first class counts as the answer."


@dataclass(frozen=True)
class Flip:
    """An image whose answer changed.

    Attributes:
        image: its index in the test split.
        label: the true class.
        reference: the full model's answer.
        candidate: the converted model's answer.
        reference_confidence: the probability that the full model gave to its answer.
        candidate_confidence: the probability that the converted model gave to its answer.
    """

    image: int
    label: int
    reference: int
    candidate: int
    reference_confidence: float
    candidate_confidence: float

    @property
    def effect(self) -> Literal["lost", "won", "neither right"]:
        """Whether the flip lost a right answer, won one, or changed one wrong answer to another."""
        if self.reference == self.label:
            return "lost"
        return "won" if self.candidate == self.label else "neither right"


@dataclass(frozen=True)
class Comparison:
    """One converted model against the full model.

    Attributes:
        model: the candidate's name.
        counts: what both answered, counted.
        flips: the images whose answer changed, the most confident changes first.
        details: who computed the candidate's predictions.
        holds: whether the accuracy dropped by no more than was allowed.
    """

    model: str
    counts: PairedCounts
    flips: tuple[Flip, ...]
    details: Mapping[str, Any]
    holds: bool

    def to_dict(self) -> dict[str, Any]:
        """Return all figures, for JSON."""
        counts = self.counts
        reference, candidate = counts.reference_confusion, counts.candidate_confusion
        return {
            "model": self.model,
            "holds": self.holds,
            "accuracy": counts.candidate_accuracy.to_dict(),
            "accuracy_difference": counts.accuracy_difference,
            "agreement": counts.agreement.to_dict(),
            "ties": counts.candidate_ties,
            "mean_probability_difference": counts.mean_difference,
            "largest_probability_difference": counts.largest_difference,
            "recall_full": [rate.to_dict() for rate in recalls(reference)],
            "recall": [rate.to_dict() for rate in recalls(candidate)],
            "confusion": candidate.tolist(),
            "confusion_difference": counts.confusion_difference.tolist(),
            "flips": [{**vars(flip), "effect": flip.effect} for flip in self.flips],
            "details": dict(self.details),
        }


@dataclass(frozen=True)
class ParityReport:
    """The full model against its converted forms, on the same test images.

    Attributes:
        reference: the full model's predictions.
        comparisons: one for each converted model.
        max_drop: the drop in accuracy that is allowed, as a fraction.
    """

    reference: Predictions
    comparisons: tuple[Comparison, ...]
    max_drop: float

    @property
    def holds(self) -> bool:
        """Whether every comparison holds."""
        return all(comparison.holds for comparison in self.comparisons)

    @property
    def verdict(self) -> str:
        """The result in one sentence."""
        decimals = decimals_for(len(self.reference))
        broken = [comparison for comparison in self.comparisons if not comparison.holds]
        if broken:
            drops = ", ".join(
                f"{item.model} loses {-item.counts.accuracy_difference * 100:.{decimals}f} points"
                for item in broken
            )
            return f"Parity is broken: {drops}; the limit is {self.limit}."
        worst = min(self.comparisons, key=lambda item: item.counts.accuracy_difference)
        change = worst.counts.accuracy_difference * 100
        found = (
            "no model loses accuracy"
            if change >= 0
            else f"the largest loss is {-change:.{decimals}f} points ({worst.model})"
        )
        return f"Parity holds: {found}; the limit is {self.limit}."

    @property
    def limit(self) -> str:
        """The drop that is allowed, in words: "1 point"."""
        points = round(self.max_drop * 100, 6)
        return f"{points:g} point" + ("" if points == 1 else "s")

    def to_dict(self) -> dict[str, Any]:
        """Return the report for JSON."""
        counts = self.comparisons[0].counts
        return {
            "schema_version": SCHEMA_VERSION,
            "holds": self.holds,
            "verdict": self.verdict,
            "max_drop": self.max_drop,
            "tie_rule": TIE_RULE,
            "image_count": len(self.reference),
            "class_names": list(self.reference.class_names),
            "full": {
                "model": self.reference.model,
                "accuracy": counts.reference_accuracy.to_dict(),
                "confusion": counts.reference_confusion.tolist(),
                "details": dict(self.reference.details),
            },
            "comparisons": [comparison.to_dict() for comparison in self.comparisons],
        }


def compare(
    reference: Predictions, candidates: Sequence[Predictions], *, max_drop: float = 0.01
) -> ParityReport:
    """Compare converted models with the full model on the same images.

    Args:
        reference: the full model's predictions.
        candidates: the converted models'; one or more.
        max_drop: the drop in accuracy that is allowed, 0 to 1.

    Raises:
        PredictionsError: they are not about the same images, or there is nothing to compare.
    """
    if not candidates:
        raise PredictionsError("There is nothing to compare: give one converted model or more.")
    if not 0 <= max_drop <= 1:
        raise PredictionsError(
            f"The allowed drop must be 0 to 1 (0.01 is one point), got {max_drop}."
        )
    for candidate in candidates:
        refuse_different_images(reference, candidate)
    comparisons = tuple(_compare_one(reference, candidate, max_drop) for candidate in candidates)
    return ParityReport(reference, comparisons, max_drop)


def _compare_one(reference: Predictions, candidate: Predictions, max_drop: float) -> Comparison:
    counts = count_pairs(reference.probabilities, candidate.probabilities, reference.labels)
    # Compared as a number of images: 0.83 - 0.82 is more than 0.01 in floating point.
    lost = counts.reference_accuracy.successes - counts.candidate_accuracy.successes
    holds = lost <= max_drop * len(reference) + 1e-9
    return Comparison(
        candidate.model, counts, _flips(reference, candidate), candidate.details, holds
    )


def _flips(reference: Predictions, candidate: Predictions) -> tuple[Flip, ...]:
    before, after = reference.answers, candidate.answers
    flips = [
        Flip(
            image=int(index),
            label=int(reference.labels[index]),
            reference=int(before[index]),
            candidate=int(after[index]),
            reference_confidence=float(reference.probabilities[index, before[index]]),
            candidate_confidence=float(candidate.probabilities[index, after[index]]),
        )
        for index in np.flatnonzero(before != after)
    ]
    return tuple(
        sorted(flips, key=lambda flip: -flip.reference_confidence * flip.candidate_confidence)
    )
