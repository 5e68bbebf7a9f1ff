"""Counts that add up, and the rates that follow from them.

`a + b` equals counting the union, so any number of images is compared in constant memory.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# The 97.5 % quantile of the standard normal distribution, for two-sided 95 % intervals.
_Z95 = 1.959963984540054


@dataclass(frozen=True)
class Rate:
    """A proportion with its 95 % interval.

    Attributes:
        successes: how many.
        total: out of how many; 0 makes the value NaN and the interval 0 to 1.
    """

    successes: int
    total: int

    @property
    def value(self) -> float:
        """The proportion, 0 to 1."""
        return self.successes / self.total if self.total else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The Wilson score interval (Wilson 1927, JASA 22: 209-212), which stays within 0 to 1."""
        if not self.total:
            return 0.0, 1.0
        n, p, z = self.total, self.value, _Z95
        centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))

    def to_dict(self) -> dict[str, float | int | list[float] | None]:
        """Return value and interval, and the counts that they come from."""
        return {
            "value": self.value if self.total else None,
            "interval_95": list(self.interval),
            "successes": self.successes,
            "total": self.total,
        }


def decimals_for(image_count: int) -> int:
    """Return with how many decimals a percentage shows a single image of so many."""
    return 1 if image_count <= 1000 else 2


@dataclass(frozen=True, eq=False)
class PairedCounts:
    """What two models answered to the same images, counted.

    Attributes:
        reference_confusion: (K, K) int64, true class by answer of the reference.
        candidate_confusion: (K, K) int64, true class by answer of the candidate.
        agreements: images that both gave the same answer to.
        candidate_ties: images where the candidate gave its largest probability to several
            classes; the first of them counts as its answer.
        difference_sum: sum over images and classes of |p - q|.
        largest_difference: the largest |p - q|.
    """

    reference_confusion: NDArray[np.int64]
    candidate_confusion: NDArray[np.int64]
    agreements: int
    candidate_ties: int
    difference_sum: float
    largest_difference: float

    def __add__(self, other: "PairedCounts") -> "PairedCounts":
        return PairedCounts(
            self.reference_confusion + other.reference_confusion,
            self.candidate_confusion + other.candidate_confusion,
            self.agreements + other.agreements,
            self.candidate_ties + other.candidate_ties,
            self.difference_sum + other.difference_sum,
            max(self.largest_difference, other.largest_difference),
        )

    @property
    def image_count(self) -> int:
        """How many images were counted."""
        return int(self.reference_confusion.sum())

    @property
    def reference_accuracy(self) -> Rate:
        """The share of images that the reference answered rightly."""
        return Rate(int(np.trace(self.reference_confusion)), self.image_count)

    @property
    def candidate_accuracy(self) -> Rate:
        """The share of images that the candidate answered rightly."""
        return Rate(int(np.trace(self.candidate_confusion)), self.image_count)

    @property
    def accuracy_difference(self) -> float:
        """The candidate's accuracy minus the reference's, -1 to 1."""
        right = self.candidate_accuracy.successes - self.reference_accuracy.successes
        return right / self.image_count

    @property
    def agreement(self) -> Rate:
        """The share of images that both gave the same answer to."""
        return Rate(self.agreements, self.image_count)

    @property
    def mean_difference(self) -> float:
        """The mean of |p - q| over images and classes."""
        return self.difference_sum / (self.image_count * len(self.reference_confusion))

    @property
    def confusion_difference(self) -> NDArray[np.int64]:
        """(K, K) the candidate's confusion minus the reference's."""
        return self.candidate_confusion - self.reference_confusion


def count_pairs(
    reference: NDArray[np.float32], candidate: NDArray[np.float32], labels: NDArray[np.int64]
) -> PairedCounts:
    """Count what two models answered to the same images.

    Args:
        reference: (N, K) probabilities.
        candidate: (N, K) probabilities, row by row of the same images.
        labels: (N,) true classes, 0 to K - 1.
    """
    classes = reference.shape[1]
    answers = np.argmax(reference, axis=1), np.argmax(candidate, axis=1)
    differences = np.abs(reference.astype(np.float64) - candidate.astype(np.float64))
    largest = candidate.max(axis=1, keepdims=True)
    return PairedCounts(
        count_confusion(labels, answers[0], classes),
        count_confusion(labels, answers[1], classes),
        agreements=int((answers[0] == answers[1]).sum()),
        candidate_ties=int(((candidate == largest).sum(axis=1) > 1).sum()),
        difference_sum=float(differences.sum()),
        largest_difference=float(differences.max(initial=0.0)),
    )


def count_confusion(
    labels: NDArray[np.int64], answers: NDArray[np.int64], classes: int
) -> NDArray[np.int64]:
    """Return the (classes, classes) int64 confusion matrix, true class by answer."""
    cells = labels.astype(np.int64) * classes + answers
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def recalls(confusion: NDArray[np.int64]) -> tuple[Rate, ...]:
    """Return, for each true class, the share of its images that were found."""
    return tuple(
        Rate(int(row[index]), int(row.sum())) for index, row in enumerate(np.asarray(confusion))
    )
