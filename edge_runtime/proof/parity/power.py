"""How likely so many images are to decide a report, if the rates stay as they were measured."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.proof.parity.judging import ErrorRates, demand_count
from edge_runtime.proof.parity.resampling import JudgedPair, find_kinds
from edge_runtime.proof.parity.rise_tails import RiseNoise, RiseTail
from edge_runtime.proof.statistics import difference_is_above, drop_p_value, least_improbable

_Bools = NDArray[np.bool_]
_Counts = NDArray[np.int64]

# For each sample whether it shows that a demand is kept, and whether it shows that it is missed.
Shown = tuple[_Bools, _Bools]


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
        drawn = self._kinds.draw(self._rng, images, samples)
        noise = dict(zip(self._tails, self._noise.draw(self._rng, images, samples), strict=True))
        holds, broken = np.ones(samples, bool), np.zeros(samples, bool)
        for at, pair in enumerate(self._pairs):
            for kept, missed in self._judge(at, pair, drawn, noise, images):
                holds &= kept
                broken |= missed
        return holds & ~broken, broken

    def _judge(
        self,
        at: int,
        pair: JudgedPair,
        drawn: _Counts,
        noise: dict[int, NDArray[np.float64]],
        images: int,
    ) -> Iterator[Shown]:
        """Yield for each demand on a pair what the samples show."""
        margins = pair.margins
        if margins.agreement is not None:
            yield self._agreement(self._kinds.changed(drawn, at), images, margins.agreement)
        if margins.accuracy is not None or margins.class_recall is not None:
            lost, won = self._kinds.lost(drawn, at), self._kinds.won(drawn, at)
        if margins.accuracy is not None:
            total = np.full((len(drawn), 1), images)
            all_lost, all_won = (each.sum(axis=1, keepdims=True) for each in (lost, won))
            yield self._differences(all_lost, all_won, total, margins.accuracy)
        if margins.class_recall is not None:
            yield self._differences(lost, won, self._kinds.totals(drawn), margins.class_recall)
        if margins.brier is not None:
            upper, lower = self._tails[at]
            rest = noise[at]
            yield (
                upper(drawn, rest) < (1 - self._rates.confidence) / 2,
                lower(drawn, -rest) < (1 - self._rates.shared_confidence) / 2,
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

    def _agreement(self, changed: _Counts, images: int, limit: float) -> Shown:
        tail = (1 - self._rates.confidence) / 2
        shared_tail = (1 - self._rates.shared_confidence) / 2
        return (
            images - changed >= least_improbable(images, limit, tail),
            changed >= least_improbable(images, 1 - limit, shared_tail),
        )
