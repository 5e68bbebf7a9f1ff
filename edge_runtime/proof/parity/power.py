"""How many images would decide a report, if the rates stay as they were measured."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.proof.metrics.brier import WORST_SCORE
from edge_runtime.proof.parity.checks import ErrorRates, demand_count
from edge_runtime.proof.parity.resampling import LOST, SAME, WON, JudgedPair, Kinds, find_kinds
from edge_runtime.proof.statistics.binomial import least_improbable, saddlepoint_tail
from edge_runtime.proof.statistics.paired import difference_is_above, drop_p_value

_Bools = NDArray[np.bool_]
_Counts = NDArray[np.int64]
_Floats = NDArray[np.float64]

# For each sample whether it shows that a demand is kept, and whether it shows that it is missed.
Shown = tuple[_Bools, _Bools]

# The saddle point is looked for between these, as shares of the largest possible one.
_NODES = np.append(np.geomspace(1e-6, 0.9, 40), [0.95, 0.98, 0.99, 0.999])


# More than these is no advice.
MOST_IMAGES = 10**7

# A number is named where so large a share of the samples decides: four of five, within what can be
# told by _CHECKING samples, so that the truth is 75 to 90 %.
LEAST_POWER, MOST_POWER = 0.78, 0.86
_POWER = 0.82
_SEARCHING, _CHECKING = 400, 4000
_MOST_TRIES = 12
# By how much power rises when the images become e times as many: φ(z) (1.96 + z) / 2 at 82 %.
_SLOPE = 0.38


@dataclass(frozen=True)
class Advice:
    """How many images would decide.

    Attributes:
        images: so many decide about four times in five if the rates stay as measured; None if no
            number does.
        at_least: where a single image more takes the chance over that range, as when no answer was
            lost: fewer decide in less than 78 % of all cases, so many in more than 86 %.
    """

    images: int | None = None
    at_least: int | None = None


def advise(power: Callable[[int, int], float], images: int) -> Advice:
    """Look for the number of images, above those at hand, that decides four times in five.

    ``power`` takes a number of images and one of samples, and returns the share that decides.
    """
    found = _searched(power, images)
    return Advice() if found is None else _checked(power, found, images)


def _searched(power: Callable[[int, int], float], images: int) -> int | None:
    """Return a number that decides about as often as wanted, by few samples; None if none does."""
    few, many = images, images + 1
    while power(many, _SEARCHING) < _POWER:
        if many == MOST_IMAGES:
            return None
        few, many = many, min(2 * many, MOST_IMAGES)
    while many - few > max(1, many // 50):
        middle = (few + many) // 2
        if power(middle, _SEARCHING) < _POWER:
            few = middle
        else:
            many = middle
    return many


def _checked(power: Callable[[int, int], float], images: int, few: int) -> Advice:
    """Return the number near this one that many samples confirm; ``few`` decide too seldom."""
    many = MOST_IMAGES + 1
    for _ in range(_MOST_TRIES):
        found = power(images, _CHECKING)
        if LEAST_POWER <= found <= MOST_POWER:
            return Advice(images)
        few, many = (images, many) if found < LEAST_POWER else (few, images)
        if many - few == 1:
            return Advice(at_least=many) if many <= MOST_IMAGES else Advice()
        images = round(images * math.exp((_POWER - found) / _SLOPE))
        if not few < images < many:
            images = (few + many) // 2
    return Advice()


class Power:
    """Draws images of the kinds at hand, and decides each sample as the report would.

    What all models made of one image stays together, so the demands depend on each other as they
    do here.
    """

    def __init__(self, pairs: Sequence[JudgedPair], rates: ErrorRates, *, seed: int = 0) -> None:
        self._pairs = [pair for pair in pairs if demand_count(pair.margins)]
        self._rates = rates
        self._rng = np.random.default_rng(seed)
        rises = {
            at: pair.rises()
            for at, pair in enumerate(self._pairs)
            if pair.margins.brier is not None
        }
        self._kinds = find_kinds(self._pairs, list(rises.values()))
        self._noise = RiseNoise(list(rises.values()), self._kinds)
        self._tails = {}
        for at, rise in rises.items():
            margin = self._pairs[at].margins.brier or 0.0
            upper, lower = (RiseTail(s * rise, s * margin, self._kinds) for s in (1, -1))
            self._tails[at] = upper, lower

    def __call__(self, images: int, samples: int) -> float:
        """Return the share of so many samples of so many images that decide the report."""
        holds, broken = self.decide(images, samples)
        return float((holds | broken).mean())

    def decide(self, images: int, samples: int) -> Shown:
        """Return which of so many samples of so many images show that it holds or is broken."""
        drawn = self._rng.multinomial(images, self._kinds.shares, size=samples)
        noise = dict(zip(self._tails, self._noise.draw(self._rng, images, samples), strict=True))
        holds, broken = np.ones(samples, bool), np.zeros(samples, bool)
        for at, pair in enumerate(self._pairs):
            for kept, missed in self._judge(at, pair, drawn, noise, images):
                holds &= kept
                broken |= missed
        return holds & ~broken, broken

    def _judge(
        self, at: int, pair: JudgedPair, drawn: _Counts, noise: dict[int, _Floats], images: int
    ) -> Iterator[Shown]:
        """Yield for each demand on a pair what the samples show."""
        margins = pair.margins
        if margins.agreement is not None:
            same = self._kinds.only(drawn, at, SAME).sum(axis=1)
            yield self._agreement(same, images, margins.agreement)
        lost, won = (
            self._kinds.by_class(self._kinds.only(drawn, at, effect)) for effect in (LOST, WON)
        )
        if margins.accuracy is not None:
            total = np.full((len(drawn), 1), images)
            all_lost, all_won = (each.sum(axis=1, keepdims=True) for each in (lost, won))
            yield self._differences(all_lost, all_won, total, margins.accuracy)
        if margins.class_recall is not None:
            yield self._differences(lost, won, self._kinds.by_class(drawn), margins.class_recall)
        if margins.brier is not None:
            upper, lower = self._tails[at]
            yield (
                upper(drawn, noise[at]) < (1 - self._rates.confidence) / 2,
                lower(drawn, -noise[at]) < (1 - self._rates.shared_confidence) / 2,
            )

    def _differences(self, lost: _Counts, won: _Counts, totals: _Counts, margin: float) -> Shown:
        """Judge the (samples, K) classes, those that have images: all are kept, any is missed."""
        present: _Bools = totals > 0
        some = np.maximum(totals, 1)
        confidence = self._rates.confidence
        kept = difference_is_above(lost, won, some, -margin, confidence)
        missed = difference_is_above(won, lost, some, margin, confidence) & present
        level = self._rates.drop_level(present.sum(axis=1, keepdims=True))
        level = np.broadcast_to(level, missed.shape)[missed]
        missed[missed] = drop_p_value(lost[missed], won[missed], some[missed], margin) <= level
        return np.all(kept | ~present, axis=1), np.any(missed, axis=1)

    def _agreement(self, same: _Counts, images: int, limit: float) -> Shown:
        tail = (1 - self._rates.confidence) / 2
        shared_tail = (1 - self._rates.shared_confidence) / 2
        return (
            same >= least_improbable(images, limit, tail),
            images - same >= least_improbable(images, 1 - limit, shared_tail),
        )


class RiseTail:
    """The probability by which Gaffke's interval judges a mean, for samples of kinds of images.

    The upper bound of the interval lies below a limit where P(Σ G_i (x_i - limit) > 0) is below the
    level, with exponential G and the largest possible value among the x (see
    `statistics.bounded_mean`). Here it is the saddlepoint approximation, whose transform is summed
    up by kinds.
    """

    def __init__(self, values: _Floats, limit: float, kinds: Kinds) -> None:
        excess, most = values - limit, WORST_SCORE - limit
        self._nodes = _NODES / most
        factors = 1 - excess[:, np.newaxis] * self._nodes
        ratio = excess[:, np.newaxis] / factors
        self._terms = tuple(kinds.means(each) for each in (-np.log(factors), ratio, ratio**2))
        last = most / (1 - most * self._nodes)
        self._last = (-np.log1p(-most * self._nodes), last, last**2)

    def __call__(self, drawn: NDArray[np.int64], noise: _Floats) -> _Floats:
        """Return the probability for each of (samples, G) numbers of images of each kind.

        The noise is what their values sum to beyond the means of their kinds, (samples,).
        """
        value, slope, bend = (
            drawn @ terms + last for terms, last in zip(self._terms, self._last, strict=True)
        )
        value += noise[:, np.newaxis] * self._nodes
        slope += noise[:, np.newaxis]
        # The slope rises with s; it is taken as a line between the nodes on either side of zero.
        after = np.clip((slope < 0).sum(axis=1), 1, len(self._nodes) - 1)
        rows, before = np.arange(len(drawn)), after - 1
        left, right = slope[rows, before], slope[rows, after]
        part = np.clip(left / np.minimum(left - right, -1e-300), 0.0, 1.0)
        width = (self._nodes[after] - self._nodes[before]) * part
        least = value[rows, before] + left * width / 2
        saddle = self._nodes[before] + width
        curvature = bend[rows, before] * (1 - part) + bend[rows, after] * part
        w = np.sqrt(np.maximum(-2 * least, 1e-12))
        tail = saddlepoint_tail(w, saddle * np.sqrt(curvature))
        # Where the slope is positive from the start the mean itself is above the limit.
        return np.where(slope[:, 0] >= 0, 1.0, tail)


class RiseNoise:
    """What the rises of drawn images sum to beyond the means of their kinds, nearly normal."""

    def __init__(self, rises: Sequence[_Floats], kinds: Kinds) -> None:
        self._root = np.zeros((len(rises), len(rises)))
        if rises:
            values = np.stack(rises, axis=1)
            rest = values - kinds.means(values)[kinds.of_image]
            spread, axes = np.linalg.eigh(rest.T @ rest / len(rest))
            self._root = axes * np.sqrt(np.maximum(spread, 0.0))

    def draw(self, rng: np.random.Generator, images: int, samples: int) -> _Floats:
        """Return it for each of the models whose rises these are, (models, samples)."""
        noise: _Floats = self._root @ rng.standard_normal((len(self._root), samples))
        return noise * math.sqrt(images)
