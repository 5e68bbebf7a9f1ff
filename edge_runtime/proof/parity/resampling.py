"""More images of the same kind, drawn from those at hand."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.predictions import Predictions
from edge_runtime.proof.metrics.brier import squared_error_units
from edge_runtime.proof.metrics.mergeable import UNIT
from edge_runtime.proof.parity.contract import Margins

_Floats = NDArray[np.float64]
_Counts = NDArray[np.int64]

# What became of an answer.
SAME, LOST, WON, OTHER = range(4)
# Rises of an image's Brier score are told apart so far; within these they are nearly normal.
_RISE_EDGES = (-0.5, -0.1, 0.1, 0.5)


@dataclass(frozen=True, eq=False)
class JudgedPair:
    """Two models' predictions of the same images, and what is asked of the second."""

    before: Predictions
    after: Predictions
    margins: Margins

    def effects(self) -> _Counts:
        """Return for each image SAME, LOST, WON, or OTHER where neither answer is right, (N,)."""
        labels, before, after = self.before.labels, self.before.answers, self.after.answers
        cases = [before == after, before == labels, after == labels]
        return np.select(cases, [SAME, LOST, WON], OTHER)

    def rises(self) -> _Floats:
        """Return by how much the Brier score of each image rises, (N,)."""
        before, after = (
            squared_error_units(each.probabilities, self.before.labels)
            for each in (self.before, self.after)
        )
        rises: _Floats = (after - before).astype(np.float64) * UNIT
        return rises


@dataclass(frozen=True, eq=False)
class Kinds:
    """The images by what all models made of them; those of one kind count alike.

    Attributes:
        shares: (G,) share of the images that are of each kind; they sum to 1.
        class_starts: the kinds are in the order of their true classes; where each class begins.
        effects: (pairs, G) what became of the answers.
        of_image: (N,) the kind of each image.
    """

    shares: _Floats
    class_starts: NDArray[np.intp]
    effects: _Counts
    of_image: NDArray[np.intp]

    def only(self, drawn: _Counts, pair: int, effect: int) -> _Counts:
        """Return of (samples, G) drawn images those that were LOST, for example."""
        some: _Counts = drawn * (self.effects[pair] == effect)
        return some

    def by_class(self, drawn: _Counts) -> _Counts:
        """Return how many there are of each true class in each sample, (samples, K)."""
        sums: _Counts = np.add.reduceat(drawn, self.class_starts, axis=1)
        return sums

    def means(self, values: _Floats) -> _Floats:
        """Return the mean of values of the images over each kind, (N, M) to (G, M)."""
        order = np.argsort(self.of_image, kind="stable")
        starts = np.searchsorted(self.of_image[order], np.arange(len(self.shares)))
        sums = np.add.reduceat(values[order], starts, axis=0)
        means: _Floats = sums / np.bincount(self.of_image)[:, np.newaxis]
        return means


def find_kinds(pairs: Sequence[JudgedPair], rises: Sequence[_Floats]) -> Kinds:
    """Return the kinds of images, told apart only by what is asked.

    The rises of the Brier score are (N,), of each pair for which that is judged.
    """
    effects = [pair.effects() for pair in pairs]
    labels = pairs[0].before.labels
    by_class = any(pair.margins.class_recall is not None for pair in pairs)
    facts: list[NDArray[np.integer]] = [labels if by_class else np.zeros_like(labels), *effects]
    facts += [np.digitize(rise, _RISE_EDGES) for rise in rises]
    kinds, of_image, images = np.unique(
        np.stack(facts, axis=1), axis=0, return_inverse=True, return_counts=True
    )
    return Kinds(
        images / len(labels),
        np.unique(kinds[:, 0], return_index=True)[1],
        kinds[:, 1 : len(pairs) + 1].T,
        of_image.ravel(),
    )
