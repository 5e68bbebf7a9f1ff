"""Accuracy: images are lost or won, and the rest is answered as before."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.proof.statistics import difference_interval
from simulation.cells import Cell

AGREEMENTS = (0.90, 0.95, 0.98, 0.99, 0.995, 0.999)
DROPS = (0.0, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.03)

MOST_COVERED = 0.97
_MANY_DISCORDANT = 10
_ROUNDING = 1e-9


def draw(
    rng: np.random.Generator, size: int, agreement: float, drop: float, count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how many images were lost and won in each of so many samples, (count,) each."""
    loss = max(0.0, (1 - agreement + drop) / 2)
    gain = max(0.0, (1 - agreement - drop) / 2)
    samples = rng.multinomial(size, [loss, gain, 1 - loss - gain], count)
    return samples[:, 0], samples[:, 1]


def cells(rng: np.random.Generator, sizes: Sequence[int], count: int) -> Iterator[Cell]:
    """Judge every combination in which no more is lost than changed; healthy is no drop."""
    for size in sizes:
        for agreement in AGREEMENTS:
            for drop in DROPS:
                if drop <= 1 - agreement + _ROUNDING:
                    yield _cell(rng, size, agreement, drop, count)


def _cell(rng: np.random.Generator, size: int, agreement: float, drop: float, count: int) -> Cell:
    low, high = difference_interval(*draw(rng, size, agreement, drop, count), size)
    wrong = power = None
    if drop:
        healthy, _ = difference_interval(*draw(rng, size, agreement, 0.0, count), size)
        wrong, power = float((low > -drop).mean()), float((healthy > -drop).mean())
    many = size * (1 - agreement) >= _MANY_DISCORDANT - _ROUNDING
    return Cell(
        "accuracy",
        f"same {agreement * 100:g} %",
        size,
        drop,
        count,
        covers=float(((low <= -drop) & (-drop <= high)).mean()),
        wrong=wrong,
        power=power,
        most_covered=MOST_COVERED if many else None,
    )
