"""Two models on the same images: the difference of their accuracies, and the tests for it.

Only the images that one model answers rightly and the other wrongly say anything about the
difference: ``lost`` of them the candidate gets wrong, ``won`` of them it gets right.
"""

from collections.abc import Callable, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from edge_runtime.proof.statistics.binomial import normal_quantile, saddlepoint_tail, upper_tail

_Floats = NDArray[np.float64]
_Images = NDArray[np.int64] | _Floats


def mcnemar_p_value(lost: int, won: int) -> float:
    """Return the two-sided p-value of the exact McNemar test.

    Under the hypothesis that both models are equally accurate, ``lost`` is binomial with
    probability ½ among the lost and won (McNemar 1947, Psychometrika 12: 153-157). Without any of
    them it is 1.
    """
    larger, total = max(lost, won), lost + won
    return min(1.0, 2 * upper_tail(larger, total, 0.5))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted by Holm's method (1979, Scandinavian J. of Statistics 6: 65-70).

    Calling every adjusted value below 5 % a finding errs at all with a probability of at most 5 %,
    however the tests depend on each other.
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


_Counts = int | NDArray[np.int64]


@overload
def difference_interval(
    lost: int, won: int, total: int, confidence: float = ...
) -> tuple[float, float]: ...


@overload
def difference_interval(
    lost: NDArray[np.int64], won: NDArray[np.int64], total: _Counts, confidence: float = ...
) -> tuple[_Floats, _Floats]: ...


def difference_interval(
    lost: _Counts, won: _Counts, total: _Counts, confidence: float = 0.95
) -> tuple[float, float] | tuple[_Floats, _Floats]:
    """Return the interval of the candidate's accuracy minus the reference's, within -1 to 1.

    It is Tango's score interval for paired proportions (Tango 1998, Statistics in Medicine 17:
    891-908) with a continuity correction of 1/√(m + 4) images, where m = lost + won: half an image
    when no answer changed, and soon nothing. docs/explanation/verdict.md says why.

    Args:
        lost: images right for the reference and wrong for the candidate, one number or (M,).
        won: images wrong for the reference and right for the candidate, likewise.
        total: all images, one number or (M,).
        confidence: the probability to cover the truth.

    Raises:
        ValueError: there are no images, or more lost and won than there are.
    """
    losses, gains, totals = np.broadcast_arrays(
        *(np.asarray(count, np.float64) for count in (lost, won, total))
    )
    if np.any(totals < 1) or np.any(losses < 0) or np.any(gains < 0):
        raise ValueError("An interval needs one image or more, and counts that are not negative.")
    if np.any(losses + gains > totals):
        raise ValueError("More images were lost and won than there are.")
    z = normal_quantile(confidence)
    low = _lower_bound(losses, gains, totals, z)
    # Seen from the other model, gains are losses.
    high = -_lower_bound(gains, losses, totals, z)
    return (low, high) if low.ndim else (float(low), float(high))


def difference_is_above(
    lost: NDArray[np.int64],
    won: NDArray[np.int64],
    total: _Counts,
    difference: float,
    confidence: float = 0.95,
) -> NDArray[np.bool_]:
    """Return whether the whole interval of `difference_interval` lies above a difference, (M,).

    The same for thousands of counts in no time, because no bound is looked for.
    """
    losses, gains, totals = (np.asarray(count, np.float64) for count in (lost, won, total))
    return _is_rejected(losses, gains, totals, difference, normal_quantile(confidence))


def drop_p_value(lost: _Images, won: _Images, total: _Images, drop: _Floats | float) -> _Floats:
    """Return the p-value of "the true drop is this or less", one-sided, for each set of counts.

    P(L - W ≥ lost - won) when the true drop is this, by the saddlepoint approximation for lattices
    (Daniels 1987, International Statistical Review 55: 37-48); the probability of a won image is
    estimated by maximum likelihood under that drop, as in Tango's interval. Exact enumeration of
    20 to 2,000 images finds a true drop rejected no more often than the level says, from 2.5 % to
    0.05 %, where a normal approximation rejects it 2.7 times as often.

    The counts are those of `difference_interval`, each (M,), and so are the p-values: 1 where no
    more was lost than the drop, a share of the images above 0 to 1.
    """
    p_values = np.ones(np.shape(lost))
    drops = np.broadcast_to(drop, p_values.shape)
    beyond = lost - won > total * drops + _LEAST_EXCESS
    if beyond.any():
        p_values[beyond] = _tail(lost[beyond], won[beyond], total[beyond], drops[beyond])
    return p_values


# Nearer to the mean the approximation divides by zero, and the p-value is near one half.
_LEAST_EXCESS = 1e-6


def least_drop(lost: _Images, won: _Images, total: _Images, level: float) -> _Floats:
    """Return the smallest drop that the counts do not reject at this one-sided level, (M,).

    0 where not even that is rejected: what is asked is whether a margin is exceeded.
    """
    rejected, accepted = np.zeros(np.shape(lost)), np.maximum(0.0, (lost - won) / total)
    return _halved(
        lambda drop: drop_p_value(lost, won, total, drop) <= level, rejected, accepted, 50
    )[0]


def _lower_bound(lost: _Floats, won: _Floats, total: _Floats, z: float) -> _Floats:
    """Return the smallest difference that the counts do not reject, by halving."""
    accepted = (won - lost) / total
    # A difference of -1 is rejected by every count but that of all images lost.
    rejected = np.where(lost == total, accepted, -1.0)
    rejected, accepted = _halved(
        lambda difference: _is_rejected(lost, won, total, difference, z), rejected, accepted, 60
    )
    return (rejected + accepted) / 2


def _halved(
    is_rejected: Callable[[_Floats], NDArray[np.bool_]],
    rejected: _Floats,
    accepted: _Floats,
    halvings: int,
) -> tuple[_Floats, _Floats]:
    """Return (M,) bounds, the first of them rejected, after halving their distance so often."""
    for _ in range(halvings):
        middle = (rejected + accepted) / 2
        above = is_rejected(middle)
        rejected, accepted = np.where(above, middle, rejected), np.where(above, accepted, middle)
    return rejected, accepted


def _is_rejected(
    lost: _Floats, won: _Floats, total: _Floats, difference: _Floats | float, z: float
) -> NDArray[np.bool_]:
    """Return whether so many won tell that the true difference is larger than this."""
    excess = won - lost - total * difference - _continuity_correction(lost + won)
    # The variance of won - lost when this is the difference: Tango 1998, eq. 6.
    gain, loss = _won_probability(lost, won, total, difference), -difference
    variance = total * (2 * gain + loss * (1 - loss))
    rejected: NDArray[np.bool_] = excess > z * np.sqrt(np.maximum(variance, 0.0))
    return rejected


def _continuity_correction(discordant: _Floats) -> _Floats:
    """Return by how many images the bounds are moved apart: counts are whole, a normal is not."""
    correction: _Floats = 1 / np.sqrt(discordant + 4)
    return correction


def _won_probability(
    lost: _Floats, won: _Floats, total: _Floats, difference: _Floats | float
) -> _Floats:
    """Return the likeliest probability of a won image when the true difference is this.

    By maximum likelihood (Tango 1998, after eq. 6); that of a lost one is it minus the difference.
    """
    loss = -difference
    a = 2 * total
    b = -lost - won + (2 * total - lost + won) * loss
    c = -won * loss * (1 - loss)
    probability: _Floats = (np.sqrt(np.maximum(b * b - 4 * a * c, 0)) - b) / (2 * a)
    return probability


def _tail(lost: _Floats, won: _Floats, total: _Floats, drop: _Floats) -> _Floats:
    """Return P(L - W ≥ lost - won) where it is above its mean."""
    gain = _won_probability(lost, won, total, -drop)
    loss, same = gain + drop, np.maximum(0.0, 1 - drop - 2 * gain)
    share = np.minimum((lost - won) / total, 1 - 1e-12)
    # The saddle point e^s, where the tilted mean is the observed one: a quadratic equation.
    root = np.sqrt((share * same) ** 2 + 4 * (1 - share**2) * loss * gain)
    tilt = (share * same + root) / (2 * (1 - share) * loss)
    norm = loss * tilt + gain / tilt + same
    curvature = total * ((loss * tilt + gain / tilt) / norm - share**2)
    deviance = 2 * total * (share * np.log(tilt) - np.log(norm))
    # At the edge of the lattice, all images lost, only the power of the loss is left.
    w = np.sqrt(np.maximum(deviance, 1e-12))
    u = np.maximum((1 - 1 / tilt) * np.sqrt(np.maximum(curvature, 0)), 1e-12)
    return saddlepoint_tail(w, u)
