"""Agreement: a share of the answers changes."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.proof.statistics import clopper_pearson_interval
from simulation.cells import Cell

LIMITS = (0.90, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999)
# A healthy candidate changes a quarter of the answers that may change.
_HEALTHY = 0.25


def cells(rng: np.random.Generator, sizes: Sequence[int], count: int) -> Iterator[Cell]:
    """Judge every limit with every number of images."""
    for size in sizes:
        for limit in LIMITS:
            low, high = _intervals(rng.binomial(size, limit, count), size)
            healthy, _ = _intervals(rng.binomial(size, 1 - (1 - limit) * _HEALTHY, count), size)
            yield Cell(
                "agreement",
                "answers change",
                size,
                limit,
                count,
                covers=float(((low <= limit) & (limit <= high)).mean()),
                wrong=float((low > limit).mean()),
                power=float((healthy > limit).mean()),
            )


def _intervals(same: NDArray[np.int64], size: int) -> tuple[NDArray[np.float64], ...]:
    """Return the bounds of each sample, (count,) each."""
    distinct, where = np.unique(same, return_inverse=True)
    bounds = np.array([clopper_pearson_interval(int(agreed), size) for agreed in distinct])
    return bounds[where, 0], bounds[where, 1]
