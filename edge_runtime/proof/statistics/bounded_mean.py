"""An interval for the mean of a bounded variable, such as the rise of an image's Brier score."""

import math

import numpy as np
from numpy.typing import NDArray

from edge_runtime.proof.statistics.binomial import normal_quantile

_Floats = NDArray[np.float64]

# The trapezoid rule in v, where y = sinh(v) standard deviations beside the saddle point. With these
# nodes tail probabilities are exact to 4e-5 of themselves for one observation and to 1e-6 for ten
# or more; the tests hold them against the beta distribution.
_NODES = 64
_LAST_NODE = 6.0
_STEP = _LAST_NODE / _NODES
_V: _Floats = (np.arange(_NODES, dtype=np.float64) + 0.5) * _STEP
# How far the path of integration leans to the left or right.
_SLOPES = (0.0, 0.3, -0.3)
_HALVINGS = 60
_CONVERGED = 1e-10
_MOST_NEWTON_STEPS = 60


def bounded_mean_interval(
    values: _Floats,
    counts: NDArray[np.int64],
    *,
    lowest: float,
    highest: float,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Return Gaffke's interval for the mean of a variable from ``lowest`` to ``highest``.

    Its upper bound is a quantile of Σ D_i x_i, where x are the observations and ``highest``, and D
    are weights drawn evenly from all that sum to 1 (Gaffke 2005, Journal of Statistical Planning
    and Inference 135: 292-314; Learned-Miller and Thomas 2020, arXiv 1905.06208). An interval by
    the sample's variance promises too much where few images make most of the mean.

    Args:
        values: (M,) observations, each within the limits.
        counts: (M,) how often each was observed, 0 or more.
        lowest: the least that is possible.
        highest: the most that is possible.
        confidence: the probability to cover the true mean; on either side half of the rest is lost.

    Returns:
        The interval; from ``lowest`` to ``highest`` without any observation.

    Raises:
        ValueError: an observation lies beyond the limits, or the confidence is not within 0 to 1.
    """
    normal_quantile(confidence)  # refuses what is no confidence
    tail = (1 - confidence) / 2
    seen = counts > 0
    values, weights = values[seen].astype(np.float64), counts[seen].astype(np.float64)
    if len(values) and not lowest <= values.min() <= values.max() <= highest:
        raise ValueError(f"Expected observations from {lowest} to {highest}.")
    return (
        -_upper_bound(-values, weights, -lowest, tail),
        _upper_bound(values, weights, highest, tail),
    )


def mean_is_above(values: _Floats, counts: _Floats, threshold: float) -> tuple[float, float]:
    """Return P(Σ D_i x_i > threshold) and its density there, D being even weights that sum to 1.

    The weights are those of independent exponential variables G, so the probability is that of
    Σ G_i (x_i - threshold) > 0, whose transform is Π 1 / (1 - s (x_i - threshold)). It is inverted
    numerically on a path through the saddle point (Rice 1980, SIAM J. on Scientific and Statistical
    Computing 1: 438-448), a hyperbola: of three that lean differently the one on which the
    integrand falls fastest, that is, on which its absolute values have the least sum.

    Args:
        values: (M,) observations, one at least above the threshold and one below.
        counts: (M,) float64, how often each occurs, 1 or more.
        threshold: within the values.
    """
    excess = values - threshold
    saddle = _saddle_point(excess, counts)
    ratio = excess / (1 - saddle * excess)
    scale = 1 / math.sqrt(float((counts * ratio**2).sum()) + 1 / saddle**2)
    _, of_probability, of_density = min(
        _integrand(excess, counts, saddle, scale, slope) for slope in _SLOPES
    )
    return of_probability * _STEP / math.pi, of_density * _STEP / math.pi


def _integrand(
    excess: _Floats, counts: _Floats, saddle: float, scale: float, slope: float
) -> tuple[float, float, float]:
    """Return sums over the nodes: of absolute values, for the probability, the density."""
    with np.errstate(over="ignore", invalid="ignore"):  # on a path that leans the wrong way
        z = saddle + scale * (slope * (np.cosh(_V) - 1) + 1j * np.sinh(_V))
        factors = 1 - np.multiply.outer(excess, z)
        path = scale * (slope * np.sinh(_V) + 1j * np.cosh(_V))
        transform = np.exp(-np.einsum("m,mv->v", counts, np.log(factors))) * path
        total = float(np.abs(transform).sum())
        density = np.einsum("m,mv->v", counts, 1 / factors)
        return (
            total if total == total else math.inf,
            float((transform / z).imag.sum()),
            float((transform * density).imag.sum()),
        )


def _saddle_point(excess: _Floats, counts: _Floats) -> float:
    """Return where Π (1 - s · excess)^-count / s is least between 0 and its first pole."""
    low, high = 0.0, 1 / float(excess.max())
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        if (counts * excess / (1 - middle * excess)).sum() > 1 / middle:
            high = middle
        else:
            low = middle
    return (low + high) / 2


def _upper_bound(values: _Floats, counts: _Floats, highest: float, tail: float) -> float:
    """Return the threshold that Σ D_i x_i, ``highest`` among the x, exceeds with this probability.

    By Newton's method on the logarithm of that probability, which is concave (Prékopa 1973), so
    that from the second step on the threshold is approached from above.
    """
    if not len(values) or values.min() >= highest:
        return highest
    values, counts = np.append(values, highest), np.append(counts, 1.0)
    threshold = float(counts @ values / counts.sum())
    for _ in range(_MOST_NEWTON_STEPS):
        probability, density = mean_is_above(values, counts, threshold)
        step = (math.log(probability) - math.log(tail)) * probability / density
        nearer = min(threshold + step, (threshold + highest) / 2)
        if abs(nearer - threshold) <= _CONVERGED * (highest - threshold):
            return nearer
        threshold = nearer
    return threshold
