"""Brier score: a full model that knows how sure it may be, and candidates that do not.

The true class of an image is drawn from the full model's own probabilities p, so that q instead of
p raises the expected score by Σ_k (q_k - p_k)²: the true rise is known exactly. All candidates
answer in steps of 1/256, as integer files do.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.proof.metrics.brier import EDGES, WORST_SCORE
from edge_runtime.proof.statistics.bounded_mean import mean_is_above
from simulation.cells import Cell

MARGINS = (0.01, 0.02, 0.05)
IMAGES = 4000
CLASSES = 10
_TAIL = 0.025
# No quantile of 97.5 % lies nearer to the mean than 0.97 standard deviations, which is that of an
# exponential variable turned around: sums of weighted ones are log-concave.
_NEVER_BEYOND = 0.9

_Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Population:
    """By how much the score of an image rises: (M,) values and how probable each is."""

    values: _Floats
    chances: _Floats

    @property
    def mean(self) -> float:
        """The true rise of the Brier score."""
        return float(self.values @ self.chances)


def full_model(rng: np.random.Generator) -> _Floats:
    """Return the (N, K) probabilities of a model that answers 73 of 100 images rightly."""
    scores = rng.normal(size=(IMAGES, CLASSES)) * 1.2
    scores[:, 0] += rng.exponential(5.0, IMAGES) + 0.8
    return _softmax(scores)


# What a candidate makes of the logarithms of the probabilities, the more the greater its strength.
CANDIDATES: dict[str, Callable[[_Floats, float], _Floats]] = {
    "too sure": lambda logs, strength: logs * (1 + strength),
    "too unsure": lambda logs, strength: logs / (1 + strength),
    "noisy": lambda logs, strength: (
        logs + strength * np.random.default_rng(0).normal(size=logs.shape)
    ),
}


def populations(p: _Floats, rise: float) -> Iterator[tuple[str, Population]]:
    """Return what each candidate does to the score when its true rise is about this."""
    for name, change in CANDIDATES.items():
        yield name, _with_rise(p, change, rise)
    yield "few wrong", _few_wrong(p, rise)


def _with_rise(p: _Floats, change: Callable[[_Floats, float], _Floats], rise: float) -> Population:
    """Return the population of a candidate that is changed just so much, found by halving."""
    low, high = 0.0, 20.0
    for _ in range(30):
        middle = (low + high) / 2
        found = _population(p, _softmax(change(np.log(p), middle)))
        low, high = (middle, high) if found.mean < rise else (low, middle)
    return found


def _few_wrong(p: _Floats, rise: float) -> Population:
    """Return a candidate that is surely wrong on a few images, of which the full model is sure."""
    sure = p[p.max(axis=1) > 0.99]
    wrong = _population(sure, np.roll(np.eye(CLASSES)[sure.argmax(axis=1)], 1, axis=1))
    others = _population(p, p)
    share = (rise - others.mean) / (wrong.mean - others.mean)
    return Population(
        np.concatenate([others.values, wrong.values]),
        np.concatenate([others.chances * (1 - share), wrong.chances * share]),
    )


def _population(p: _Floats, q: _Floats) -> Population:
    """Return the rises over all images and true classes, those of a bin together."""
    steps = np.round(q * 256) / 256
    before = (p**2).sum(axis=1, keepdims=True) - 2 * p + 1
    after = (steps**2).sum(axis=1, keepdims=True) - 2 * steps + 1
    rises = np.clip(after, 0, WORST_SCORE) - before
    bins = np.searchsorted(EDGES, rises.ravel())
    chances = np.bincount(bins, p.ravel() / len(p), len(EDGES) + 1)
    sums = np.bincount(bins, (rises * p).ravel() / len(p), len(EDGES) + 1)
    used = chances > 0
    return Population(sums[used] / chances[used], chances[used] / chances.sum())


def _softmax(scores: _Floats) -> _Floats:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: _Floats = raised / raised.sum(axis=1, keepdims=True)
    return shares


def cells(rng: np.random.Generator, sizes: Sequence[int], count: int) -> Iterator[Cell]:
    """Judge every candidate with every rise and number of images."""
    p = full_model(np.random.default_rng(0))
    unharmed = _population(p, p)  # it only rounds to steps of 1/256
    for rise in MARGINS:
        for name, population in populations(p, rise):
            limit = population.mean
            for size in sizes:
                drawn = rng.multinomial(size, population.chances, count)
                # Each of these takes the whole computation, and nearly all come out alike.
                at_rest = rng.multinomial(size, unharmed.chances, count)[: max(1, count // 10)]
                above = _bound_is_beyond(drawn, population.values, limit)
                below = _bound_is_beyond(drawn, -population.values, -limit)
                yield Cell(
                    "brier",
                    name,
                    size,
                    limit,
                    count,
                    covers=float(1 - above.mean() - below.mean()),
                    wrong=float(above.mean()),
                    power=float(_bound_is_beyond(at_rest, unharmed.values, limit).mean()),
                )


def _bound_is_beyond(
    samples: NDArray[np.int64], values: _Floats, limit: float
) -> NDArray[np.bool_]:
    """Return for which (count, M) samples Gaffke's upper bound lies below the limit, (count,)."""
    size = samples[0].sum()
    mean = samples @ values / size
    variance = np.maximum(samples @ values**2 / size - mean**2, 0)
    near = mean + _NEVER_BEYOND * np.sqrt(variance / size) < limit
    judged = zip(samples, near, strict=True)
    return np.array([bool(it_is) and _is_below(sample, values, limit) for sample, it_is in judged])


def _is_below(sample: NDArray[np.int64], values: _Floats, limit: float) -> bool:
    seen = sample > 0
    if not limit > values[seen].min():
        return False
    probability, _ = mean_is_above(
        np.append(values[seen], WORST_SCORE), np.append(sample[seen], 1.0), limit
    )
    return probability < _TAIL
