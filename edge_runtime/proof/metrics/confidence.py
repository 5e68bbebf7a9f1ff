"""Does a model know how sure it may be? Calibration, and what a confidence threshold accepts."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.counting import count_numbers
from edge_runtime.proof.metrics.brier import squared_error_units
from edge_runtime.proof.metrics.mergeable import UNIT, Mergeable, sums_by_bin, to_units
from edge_runtime.proof.metrics.rates import Rate

# Confidences are counted in steps of 1 %, so that every threshold of whole percents is exact, and
# judged in steps of 10 %: more bins would measure the noise of a thousand images.
STEPS = 100
BINS = 10

# An int8 softmax answers in steps of 1/256 and so says 0 for anything below 1/512, of which the
# logarithm is infinite. Both models' probabilities count as at least this in logarithms.
PROBABILITY_FLOOR = 1 / 512

_EDGES = (np.arange(STEPS + 1) / STEPS).astype(np.float32)


@dataclass(frozen=True)
class ThresholdEffect:
    """What a device accepts that trusts only answers of at least this confidence.

    Accepted are shares of all images, wrong are shares of the accepted ones.
    """

    threshold: float
    reference_accepted: Rate
    candidate_accepted: Rate
    reference_wrong: Rate
    candidate_wrong: Rate

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "threshold": self.threshold,
            "accepted_full": self.reference_accepted.to_dict(),
            "accepted": self.candidate_accepted.to_dict(),
            "wrong_full": self.reference_wrong.to_dict(),
            "wrong": self.candidate_wrong.to_dict(),
        }


@dataclass(frozen=True, eq=False)
class ConfidenceCounts(Mergeable):
    """How sure one model was of its answers, and how often it was right.

    A confidence is the probability that the model gave to its answer. All arrays are (100,), by
    confidence in steps of 0.01; the last step has 1.0 too.

    Attributes:
        images: int64.
        right: int64, those of them answered rightly.
        confidence_units: sums of the confidences in units of 2**-37, Python integers.
        squared_error_units: sum over all images of Σ_k (p_k - y_k)², at most 2 each.
        log_loss_units: sum over all images of -log p_true.
    """

    images: NDArray[np.int64]
    right: NDArray[np.int64]
    confidence_units: NDArray[np.object_]
    squared_error_units: int
    log_loss_units: int

    @property
    def total(self) -> int:
        """How many images were counted."""
        return int(self.images.sum())

    @property
    def brier(self) -> float:
        """The mean of Σ_k (p_k - y_k)² over images, 0 to 2 (Brier 1950, Mon. Weather Rev. 78)."""
        return self.squared_error_units * UNIT / self.total

    @property
    def log_loss(self) -> float:
        """The mean negative log-likelihood in nats, of probabilities of at least 1/512."""
        return self.log_loss_units * UNIT / self.total

    @property
    def ece(self) -> float:
        """The expected calibration error, 0 to 1 (Naeini et al. 2015, AAAI; 10 bins).

        The mean distance of accuracy and confidence over ten bins of confidence, each weighted by
        its images.
        """
        _, right, confidence = self.bins
        return float(np.abs(right - confidence).sum()) / self.total

    @property
    def bins(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Images, right answers and summed confidences in the ten bins, each (10,)."""
        images, right, units = (
            steps.reshape(BINS, STEPS // BINS).sum(axis=1)
            for steps in (self.images, self.right, self.confidence_units)
        )
        return images, right, units.astype(np.float64) * UNIT

    def accepted(self, threshold: float) -> Rate:
        """Return the share of images with a confidence of the threshold or more."""
        return Rate(int(self.images[_step(threshold) :].sum()), self.total)

    def wrong(self, threshold: float) -> Rate:
        """Return the share of wrong answers among those with the threshold's confidence or more."""
        step = _step(threshold)
        accepted = int(self.images[step:].sum())
        return Rate(accepted - int(self.right[step:].sum()), accepted)

    def to_dict(self) -> dict[str, Any]:
        """Return the scores and the reliability diagram's bins, for JSON."""
        bins = zip(*(each.tolist() for each in self.bins), strict=True)
        return {
            "ece": self.ece,
            "brier": self.brier,
            "log_loss": self.log_loss,
            "bins": [
                {
                    "from": low / BINS,
                    "to": (low + 1) / BINS,
                    "images": images,
                    "right": right,
                    "mean_confidence": confidence / images if images else None,
                }
                for low, (images, right, confidence) in enumerate(bins)
            ],
        }


def _step(threshold: float) -> int:
    step = round(threshold * STEPS) if 0 <= threshold < 1 else -1
    if not math.isclose(step, threshold * STEPS, abs_tol=1e-6):
        raise ValueError(f"A threshold must be a whole percentage from 0 to 99, got {threshold}.")
    return step


def count_confidence(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64]
) -> ConfidenceCounts:
    """Count (N, K) probabilities against (N,) true classes."""
    answers = np.argmax(probabilities, axis=1)
    rows = np.arange(len(labels))
    confidence, right = probabilities[rows, answers], answers == labels
    steps = confidence_steps(confidence)
    true = probabilities[rows, labels].astype(np.float64)
    return ConfidenceCounts(
        images=count_numbers(steps, STEPS),
        right=count_numbers(steps[right], STEPS),
        confidence_units=sums_by_bin(to_units(confidence.astype(np.float64)), steps, STEPS),
        squared_error_units=int(squared_error_units(probabilities, labels).sum()),
        log_loss_units=int(to_units(-np.log(np.maximum(true, PROBABILITY_FLOOR))).sum()),
    )


def confidence_steps(confidence: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the step of 0.01 that each confidence falls into, (N,) 0 to 99.

    The edges are float32; so is the confidence made, or 0.8 in float64 would lie below 0.8.
    """
    steps = np.searchsorted(_EDGES, confidence.astype(np.float32), side="right") - 1
    return np.clip(steps, 0, STEPS - 1)
