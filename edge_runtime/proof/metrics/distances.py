"""How far apart two models' probabilities are, image by image."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.counting import count_numbers
from edge_runtime.proof.metrics.confidence import PROBABILITY_FLOOR
from edge_runtime.proof.metrics.mergeable import UNIT, Mergeable, largest, to_units

# The histogram's bins are 2.2 % wide, from 2**-40 to 2**4; what is smaller is in the first.
_PER_OCTAVE = 32
_LOWEST_OCTAVE = -40
_EDGES = 2.0 ** (np.arange((4 - _LOWEST_OCTAVE) * _PER_OCTAVE + 1) / _PER_OCTAVE + _LOWEST_OCTAVE)


@dataclass(frozen=True, eq=False)
class DistanceCounts(Mergeable):
    """A distribution of distances that adds up.

    Attributes:
        histogram: (1409,) int64 images by distance.
        units: sum of the distances in units of 2**-37.
        largest: the largest.
    """

    histogram: NDArray[np.int64]
    units: int
    largest: float = largest()

    @property
    def mean(self) -> float:
        """The mean over images."""
        return self.units * UNIT / int(self.histogram.sum())

    def percentile(self, percent: float) -> float:
        """Return what so many percent of the images do not exceed, at most 2.2 % too large."""
        needed = math.ceil(int(self.histogram.sum()) * percent / 100)
        index = int(np.searchsorted(np.cumsum(self.histogram), max(1, needed)))
        return min(self.largest, float(_EDGES[min(index, len(_EDGES) - 1)]))

    def to_dict(self) -> dict[str, Any]:
        """Return mean, 99th percentile and largest, for JSON."""
        return {"mean": self.mean, "percentile_99": self.percentile(99), "largest": self.largest}


def count_distances(distances: NDArray[np.float64]) -> DistanceCounts:
    """Count (N,) distances of 0 or more."""
    bins = np.searchsorted(_EDGES, distances, side="left")
    return DistanceCounts(
        count_numbers(bins, len(_EDGES) + 1),
        int(to_units(distances).sum()),
        float(distances.max(initial=0.0)),
    )


def total_variation(
    reference: NDArray[np.float64], candidate: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return ½ Σ_k |p_k - q_k| of each row, (N,), 0 to 1: the most that any event's odds moved."""
    distances: NDArray[np.float64] = np.abs(reference - candidate).sum(axis=1) / 2
    return distances


def kl_divergence(
    reference: NDArray[np.float64], candidate: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return Σ_k p_k log(p_k / q_k) of each row in nats, (N,), 0 or more (Kullback, Leibler 1951).

    Probabilities below 1/512 are raised to it, and rows scaled to a sum of 1: int8 outputs are in
    steps of 1/256 and may say 0.
    """
    p, q = (_floored(rows) for rows in (reference, candidate))
    divergences: NDArray[np.float64] = np.maximum((p * np.log(p / q)).sum(axis=1), 0.0)
    return divergences


def _floored(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    raised: NDArray[np.float64] = np.maximum(rows, PROBABILITY_FLOOR)
    scaled: NDArray[np.float64] = raised / raised.sum(axis=1, keepdims=True)
    return scaled
