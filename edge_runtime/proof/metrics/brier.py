"""The Brier score image by image, and how much it rises from one model to another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.counting import count_numbers
from edge_runtime.proof.metrics.mergeable import UNIT, Mergeable, sums_by_bin, to_units
from edge_runtime.proof.statistics.bounded_mean import bounded_mean_interval

# No probabilities are farther from the truth. Those of an integer softmax may sum to a little more
# than 1 and so get a little farther; they count as this.
WORST_SCORE = 2.0

# The histogram's bins are 9 % wide, from 2**-20 to 2, on either side of one bin around zero. Each
# counts as its mean, so a variance is too small by 0.2 % at most.
_PER_OCTAVE = 8
_LOWEST_OCTAVE = -20
_HIGHEST_OCTAVE = 1
_SIZES = 2.0 ** (
    np.arange((_HIGHEST_OCTAVE - _LOWEST_OCTAVE) * _PER_OCTAVE + 1) / _PER_OCTAVE + _LOWEST_OCTAVE
)
EDGES = np.concatenate([-_SIZES[::-1], _SIZES])


def squared_error_units(
    probabilities: NDArray[np.floating], labels: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return Σ_k (p_k - y_k)² of each row in units of 2**-37, at most 2, (N,).

    Rows that do not sum to 1, as those of an integer softmax, are taken as they are.
    """
    wide = probabilities.astype(np.float64)
    true = wide[np.arange(len(labels)), labels]
    squares = (wide * wide).sum(axis=1) - 2 * true + 1
    return to_units(np.clip(squares, 0.0, WORST_SCORE))


@dataclass(frozen=True, eq=False)
class BrierRise(Mergeable):
    """By how much the Brier score of each image is larger for a candidate than for its reference.

    Attributes:
        histogram: (339,) int64 images by the rise of their score.
        units: (339,) sums of the rises in each bin in units of 2**-37, Python integers.
    """

    histogram: NDArray[np.int64]
    units: NDArray[np.object_]

    @property
    def mean(self) -> float:
        """The candidate's Brier score minus the reference's, -2 to 2."""
        return float(self.units.sum() * UNIT / int(self.histogram.sum()))

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return Gaffke's interval of the mean; see `statistics.bounded_mean`."""
        used = self.histogram > 0
        images = self.histogram[used]
        means = self.units[used].astype(np.float64) * UNIT / images
        return bounded_mean_interval(
            means, images, lowest=-WORST_SCORE, highest=WORST_SCORE, confidence=confidence
        )


def count_brier_rise(before: NDArray[np.int64], after: NDArray[np.int64]) -> BrierRise:
    """Count the (N,) scores of two models for the same images, both in units of 2**-37."""
    rises = after - before
    bins, bin_count = np.searchsorted(EDGES, rises * UNIT), len(EDGES) + 1
    return BrierRise(count_numbers(bins, bin_count), sums_by_bin(rises, bins, bin_count))
