"""What Gaffke's interval of the Brier rise decides in thousands of samples at once."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.proof.metrics.brier import WORST_SCORE
from edge_runtime.proof.parity.resampling import Kinds
from edge_runtime.proof.statistics import saddlepoint_tail

_Floats = NDArray[np.float64]

# The saddle point is looked for between these, as shares of the largest possible one.
_NODES = np.append(np.geomspace(1e-6, 0.9, 40), [0.95, 0.98, 0.99, 0.999])


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
        """Return the probability for each sample.

        Args:
            drawn: (samples, G) how many images of each kind.
            noise: (samples,) what their values sum to beyond the means of their kinds.
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
