"""Shares of images with their uncertainty, and the confusion matrix that they come from."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.counting import count_numbers
from edge_runtime.proof.statistics.binomial import clopper_pearson_interval, wilson_interval


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
        """The Wilson score interval, to show a figure with."""
        return wilson_interval(self.successes, self.total)

    def exact_interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return the Clopper-Pearson interval, to decide with."""
        return clopper_pearson_interval(self.successes, self.total, confidence)

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


def count_confusion(
    labels: NDArray[np.int64], answers: NDArray[np.int64], classes: int
) -> NDArray[np.int64]:
    """Return the (classes, classes) int64 confusion matrix, true class by answer."""
    cells = labels.astype(np.int64) * classes + answers
    return count_numbers(cells, classes * classes).reshape(classes, classes)


def recalls(confusion: NDArray[np.int64]) -> tuple[Rate, ...]:
    """Return, for each true class, the share of its images that were found."""
    return tuple(
        Rate(int(row[index]), int(row.sum())) for index, row in enumerate(np.asarray(confusion))
    )
