"""Recall of every class: one of ten classes loses the margin, the others lose nothing."""

from collections.abc import Iterator, Sequence

import numpy as np

from edge_runtime.proof.statistics import difference_interval
from simulation.accuracy import draw
from simulation.cells import Cell

CLASSES = 10
# Of the class that loses, so much is answered as before.
AGREEMENTS = (0.70, 0.80, 0.90, 0.95)
MARGINS = (0.02, 0.05, 0.10, 0.20)
_AGREEMENT_OF_OTHERS = 0.98
_ROUNDING = 1e-9


def cells(rng: np.random.Generator, sizes: Sequence[int], count: int) -> Iterator[Cell]:
    """Judge every combination in which no more is lost than changed."""
    for size in sizes:
        for agreement in AGREEMENTS:
            for margin in MARGINS:
                if margin <= 1 - agreement + _ROUNDING:
                    yield _cell(rng, size, agreement, margin, count)


def _cell(rng: np.random.Generator, size: int, agreement: float, margin: float, count: int) -> Cell:
    of_class = size // CLASSES
    low, high = difference_interval(*draw(rng, of_class, agreement, margin, count), of_class)
    others = np.ones(count, bool)
    for _ in range(CLASSES - 1):
        others &= _holds(rng, of_class, _AGREEMENT_OF_OTHERS, margin, count)
    healthy = others & _holds(rng, of_class, _AGREEMENT_OF_OTHERS, margin, count)
    return Cell(
        "class_recall",
        f"same {agreement * 100:g} %",
        size,
        margin,
        count,
        covers=float(((low <= -margin) & (-margin <= high)).mean()),
        wrong=float(((low > -margin) & others).mean()),
        power=float(healthy.mean()),
    )


def _holds(
    rng: np.random.Generator, size: int, agreement: float, margin: float, count: int
) -> np.ndarray:
    """Return in which samples a class that loses nothing is shown to keep the margin."""
    low, _ = difference_interval(*draw(rng, size, agreement, 0.0, count), size)
    return low > -margin
