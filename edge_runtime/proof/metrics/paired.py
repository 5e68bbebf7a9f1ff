"""What two models answered to the same images, counted."""

from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from edge_runtime.proof.metrics.brier import BrierRise, count_brier_rise, squared_error_units
from edge_runtime.proof.metrics.confidence import (
    ConfidenceCounts,
    ThresholdEffect,
    count_confidence,
)
from edge_runtime.proof.metrics.distances import (
    DistanceCounts,
    count_distances,
    kl_divergence,
    total_variation,
)
from edge_runtime.proof.metrics.mergeable import Mergeable, largest
from edge_runtime.proof.metrics.rates import Rate, count_confusion, recalls
from edge_runtime.proof.statistics.paired import difference_interval, mcnemar_p_value

# Probabilities that are looked at together, so that memory stays flat.
_CHUNK_VALUES = 2**18


@dataclass(frozen=True, eq=False)
class PairedCounts(Mergeable):
    """What two models answered to the same images, counted.

    Attributes:
        reference_confusion: (K, K) int64, true class by answer of the reference.
        left: (K, K) int64, images of a cell of `reference_confusion` whose answer the candidate
            changed, so that they are in another cell of its confusion.
        entered: (K, K) int64, images of a cell of the candidate's confusion that it changed.
        reference_ties: images where the reference gave its largest probability to several
            classes; the first of them counts as its answer.
        candidate_ties: likewise of the candidate.
        tied_flips: images whose answer changed although the candidate gave the reference's answer
            the same probability as its own.
        reference_confidence: calibration of the reference.
        candidate_confidence: calibration of the candidate.
        brier_rise: how much the Brier score of each image rises.
        total_variation: distances of the probabilities.
        kl: divergences of the candidate's from the reference's.
        largest_difference: the largest |p - q| of any class and image.
    """

    reference_confusion: NDArray[np.int64]
    left: NDArray[np.int64]
    entered: NDArray[np.int64]
    reference_ties: int
    candidate_ties: int
    tied_flips: int
    reference_confidence: ConfidenceCounts
    candidate_confidence: ConfidenceCounts
    brier_rise: BrierRise
    total_variation: DistanceCounts
    kl: DistanceCounts
    largest_difference: float = largest()

    @property
    def candidate_confusion(self) -> NDArray[np.int64]:
        """(K, K) int64, true class by answer of the candidate."""
        return self.reference_confusion + self.confusion_difference

    @property
    def confusion_difference(self) -> NDArray[np.int64]:
        """(K, K) the candidate's confusion minus the reference's."""
        return self.entered - self.left

    @property
    def image_count(self) -> int:
        """How many images were counted."""
        return int(self.reference_confusion.sum())

    @property
    def class_count(self) -> int:
        """How many classes there are."""
        return len(self.reference_confusion)

    @property
    def reference_accuracy(self) -> Rate:
        """The share of images that the reference answered rightly."""
        return Rate(int(np.trace(self.reference_confusion)), self.image_count)

    @property
    def candidate_accuracy(self) -> Rate:
        """The share of images that the candidate answered rightly."""
        return Rate(int(np.trace(self.candidate_confusion)), self.image_count)

    @property
    def lost(self) -> int:
        """Images right for the reference and wrong for the candidate."""
        return int(np.trace(self.left))

    @property
    def won(self) -> int:
        """Images wrong for the reference and right for the candidate."""
        return int(np.trace(self.entered))

    @property
    def flips(self) -> int:
        """Images whose answer changed."""
        return int(self.left.sum())

    @property
    def neither(self) -> int:
        """Images whose answer changed from one wrong answer to another."""
        return self.flips - self.lost - self.won

    @property
    def agreements(self) -> int:
        """Images that both gave the same answer to."""
        return self.image_count - self.flips

    @property
    def agreement(self) -> Rate:
        """The share of images that both gave the same answer to."""
        return Rate(self.agreements, self.image_count)

    @property
    def accuracy_difference(self) -> float:
        """The candidate's accuracy minus the reference's, -1 to 1."""
        return (self.won - self.lost) / self.image_count

    def difference_interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return the interval of the accuracy difference; see `statistics.paired`."""
        return difference_interval(self.lost, self.won, self.image_count, confidence)

    @property
    def mcnemar_p_value(self) -> float:
        """The exact two-sided p-value of "both are equally accurate"."""
        return mcnemar_p_value(self.lost, self.won)

    @property
    def ece_difference(self) -> float:
        """The candidate's expected calibration error minus the reference's, -1 to 1."""
        return self.candidate_confidence.ece - self.reference_confidence.ece

    @property
    def mean_difference(self) -> float:
        """The mean of |p - q| over images and classes."""
        return 2 * self.total_variation.mean / self.class_count

    @property
    def reference_recalls(self) -> tuple[Rate, ...]:
        """Of each class, the share of its images that the reference found."""
        return recalls(self.reference_confusion)

    @property
    def candidate_recalls(self) -> tuple[Rate, ...]:
        """Of each class, the share of its images that the candidate found."""
        return recalls(self.candidate_confusion)

    @property
    def by_class(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Images lost and won of each true class, and all of it, each (K,)."""
        return (
            np.diagonal(self.left),
            np.diagonal(self.entered),
            self.reference_confusion.sum(axis=1),
        )

    def at_threshold(self, threshold: float) -> ThresholdEffect:
        """Return what a confidence threshold of whole percents accepts, of either model.

        Raises:
            ValueError: it is no whole percentage from 0 to 0.99.
        """
        before, after = self.reference_confidence, self.candidate_confidence
        return ThresholdEffect(
            threshold,
            before.accepted(threshold),
            after.accepted(threshold),
            before.wrong(threshold),
            after.wrong(threshold),
        )


def count_pairs(
    reference: NDArray[np.float32], candidate: NDArray[np.float32], labels: NDArray[np.int64]
) -> PairedCounts:
    """Count what two models answered to the same images.

    Args:
        reference: (N, K) probabilities; N may be 0.
        candidate: (N, K) probabilities, row by row of the same images.
        labels: (N,) true classes, 0 to K - 1.

    Raises:
        ValueError: the shapes differ.

    Examples:
        >>> full, int8 = predict("float32.tflite", "sample"), predict("int8.tflite", "sample")
        >>> counts = count_pairs(full.probabilities, int8.probabilities, full.labels)
        >>> counts.image_count, counts.lost <= counts.flips
        (1000, True)
    """
    if reference.shape != candidate.shape or reference.shape[:1] != labels.shape:
        raise ValueError(
            f"Expected probabilities of one shape and a label for each row, got {reference.shape}, "
            f"{candidate.shape} and {labels.shape}."
        )
    count, classes = reference.shape
    step = max(1, _CHUNK_VALUES // classes)
    chunks = (slice(start, start + step) for start in range(0, max(1, count), step))
    return reduce(add, (_count_chunk(reference[at], candidate[at], labels[at]) for at in chunks))


def _count_chunk(
    reference: NDArray[np.float32], candidate: NDArray[np.float32], labels: NDArray[np.int64]
) -> PairedCounts:
    # The order in which a row is summed up, and so the last bit, hangs on how it lies in memory.
    reference, candidate = np.ascontiguousarray(reference), np.ascontiguousarray(candidate)
    classes = reference.shape[1]
    before, after = np.argmax(reference, axis=1), np.argmax(candidate, axis=1)
    flipped = before != after
    largest_after = candidate.max(axis=1)
    tied = candidate[np.arange(len(labels)), before] == largest_after
    p, q = reference.astype(np.float64), candidate.astype(np.float64)
    return PairedCounts(
        reference_confusion=count_confusion(labels, before, classes),
        left=count_confusion(labels[flipped], before[flipped], classes),
        entered=count_confusion(labels[flipped], after[flipped], classes),
        reference_ties=_ties(reference),
        candidate_ties=_ties(candidate),
        tied_flips=int((flipped & tied).sum()),
        reference_confidence=count_confidence(reference, labels),
        candidate_confidence=count_confidence(candidate, labels),
        brier_rise=count_brier_rise(
            squared_error_units(reference, labels), squared_error_units(candidate, labels)
        ),
        total_variation=count_distances(total_variation(p, q)),
        kl=count_distances(kl_divergence(p, q)),
        largest_difference=float(np.abs(p - q).max(initial=0.0)),
    )


def _ties(probabilities: NDArray[np.float32]) -> int:
    largest_each = probabilities.max(axis=1, keepdims=True)
    return int(((probabilities == largest_each).sum(axis=1) > 1).sum())
