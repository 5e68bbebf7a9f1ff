"""Demands on counts: accuracy, agreement, and the recall of every class."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.proof.statistics.binomial import clopper_pearson_interval
from edge_runtime.proof.statistics.paired import difference_interval
from simulation.cells import Cell

MOST_COVERED = 0.97
_MANY_DISCORDANT = 10
_CLASSES = 10
_AGREEMENT_OF_OTHERS = 0.98
_ROUNDING = 1e-9

_Bounds = tuple[NDArray[np.float64], NDArray[np.float64]]


def accuracy(rng: np.random.Generator, sizes: Sequence[int], count: int) -> Iterator[Cell]:
    """Images are lost or won, and the rest is answered as before; healthy is no drop."""
    for size in sizes:
        for agreement in (0.90, 0.95, 0.98, 0.99, 0.995, 0.999):
            for drop in (0.0, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.03):
                if drop > 1 - agreement + _ROUNDING:  # no more is lost than changed
                    continue
                low, high = _drop(rng, size, agreement, drop, count)
                wrong = power = None
                if drop:
                    healthy, _ = _drop(rng, size, agreement, 0.0, count)
                    wrong, power = float((low > -drop).mean()), float((healthy > -drop).mean())
                many = size * (1 - agreement) >= _MANY_DISCORDANT - _ROUNDING
                yield Cell(
                    "accuracy",
                    f"same {agreement * 100:g} %",
                    size,
                    drop,
                    count,
                    covers=_covering((low, high), -drop),
                    wrong=wrong,
                    power=power,
                    most_covered=MOST_COVERED if many else None,
                )


def agreement(rng: np.random.Generator, sizes: Sequence[int], count: int) -> Iterator[Cell]:
    """A share of the answers changes; a healthy candidate changes a quarter of those it may."""
    for size in sizes:
        for limit in (0.90, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999):
            bounds = _agreement(rng.binomial(size, limit, count), size)
            healthy, _ = _agreement(rng.binomial(size, 1 - (1 - limit) * 0.25, count), size)
            yield Cell(
                "agreement",
                "answers change",
                size,
                limit,
                count,
                covers=_covering(bounds, limit),
                wrong=float((bounds[0] > limit).mean()),
                power=float((healthy > limit).mean()),
            )


def class_recall(rng: np.random.Generator, sizes: Sequence[int], count: int) -> Iterator[Cell]:
    """One of ten classes loses the margin and is otherwise this equal; the others lose nothing."""
    for size in sizes:
        of_class = size // _CLASSES
        for agreement in (0.70, 0.80, 0.90, 0.95):
            for margin in (0.02, 0.05, 0.10, 0.20):
                if margin > 1 - agreement + _ROUNDING:
                    continue
                low, high = _drop(rng, of_class, agreement, margin, count)
                kept = [
                    _drop(rng, of_class, _AGREEMENT_OF_OTHERS, 0.0, count)[0] > -margin
                    for _ in range(_CLASSES)
                ]
                others = np.logical_and.reduce(kept[:-1])
                yield Cell(
                    "class_recall",
                    f"same {agreement * 100:g} %",
                    size,
                    margin,
                    count,
                    covers=_covering((low, high), -margin),
                    wrong=float(((low > -margin) & others).mean()),
                    power=float((others & kept[-1]).mean()),
                )


def _drop(
    rng: np.random.Generator, size: int, agreement: float, drop: float, count: int
) -> _Bounds:
    """Return the bounds of the difference in each of so many samples, (count,) each."""
    loss = max(0.0, (1 - agreement + drop) / 2)
    gain = max(0.0, (1 - agreement - drop) / 2)
    samples = rng.multinomial(size, [loss, gain, 1 - loss - gain], count)
    return difference_interval(samples[:, 0], samples[:, 1], size)


def _agreement(same: NDArray[np.int64], size: int) -> _Bounds:
    """Return the bounds of the share of equal answers in each sample, (count,) each."""
    distinct, where = np.unique(same, return_inverse=True)
    bounds = np.array([clopper_pearson_interval(int(agreed), size) for agreed in distinct])
    return bounds[where, 0], bounds[where, 1]


def _covering(bounds: _Bounds, truth: float) -> float:
    return float(((bounds[0] <= truth) & (truth <= bounds[1])).mean())
