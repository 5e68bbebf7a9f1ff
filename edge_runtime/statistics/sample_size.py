"""How many images it would take to decide, when those at hand do not."""

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from edge_runtime.statistics.binomial import clopper_pearson_interval
from edge_runtime.statistics.paired import difference_interval

POWER = 0.8
# More than these is no advice.
MOST_IMAGES = 10**9


def images_for_difference(
    lost: int, won: int, total: int, margin: float, confidence: float = 0.95
) -> int | None:
    """Return with how many images the interval would very likely lie on one side of the margin.

    It is the number at which four experiments of five decide, if the rates stay as measured: the
    usual normal approximation, n = (z + z_power)² σ² / distance², with half an image added to
    either count so that no rate is taken to be zero, and at least so many that the interval itself
    decides at these rates.

    Args:
        lost: images right for the reference and wrong for the candidate.
        won: images wrong for the reference and right for the candidate.
        total: all images.
        margin: the drop that is allowed, as a fraction.
        confidence: the interval's.

    Returns:
        More than ``total``; None when no number up to a thousand million would do, as where the
        measured drop is the margin itself.
    """
    loss, gain = (lost + 0.5) / (total + 1), (won + 0.5) / (total + 1)
    drop = loss - gain
    distance = abs(margin - drop)
    variance = loss + gain - drop * drop
    estimate = _from_variance(variance, distance, confidence)
    if estimate is None:
        return None
    counts = _candidates(max(estimate, total + 1))
    # Rounded to whole images away from the side that it will fall on, so never in its favour.
    lost_of, won_of = lost * (counts / total), won * (counts / total)
    if drop > margin:
        losses, gains = np.floor(lost_of), np.minimum(np.ceil(won_of), counts - np.floor(lost_of))
    else:
        losses = np.minimum(np.ceil(lost_of), counts)
        gains = np.minimum(np.floor(won_of), counts - losses)
    low, high = difference_interval(
        losses.astype(np.int64), gains.astype(np.int64), counts, confidence
    )
    decided = (low > -margin) | (high < -margin)
    return int(counts[np.argmax(decided)]) if decided[-1] else None


def images_for_proportion(
    successes: int, total: int, limit: float, confidence: float = 0.95
) -> int | None:
    """Return with how many images the exact interval of a rate would very likely avoid a limit.

    As `images_for_difference`, for one proportion and the Clopper-Pearson interval.
    """
    rate = (successes + 0.5) / (total + 1)
    estimate = _from_variance(rate * (1 - rate), abs(rate - limit), confidence)
    if estimate is None:
        return None

    def decides(count: int) -> bool:
        low, high = clopper_pearson_interval(round(successes * count / total), count, confidence)
        return low > limit or high < limit

    if not decides(MOST_IMAGES):
        return None
    return next(int(n) for n in _candidates(max(estimate, total + 1)) if decides(int(n)))


def _from_variance(variance: float, distance: float, confidence: float) -> int | None:
    z = NormalDist().inv_cdf((1 + confidence) / 2) + NormalDist().inv_cdf(POWER)
    if distance <= 0 or z * z * variance > MOST_IMAGES * distance * distance:
        return None
    return math.ceil(z * z * variance / (distance * distance))


def _candidates(count: int) -> NDArray[np.int64]:
    """Return numbers of images from ``count`` to a thousand million, in steps of 2 %, (M,)."""
    numbers = [count]
    while numbers[-1] < MOST_IMAGES:
        numbers.append(min(MOST_IMAGES, numbers[-1] + max(1, numbers[-1] // 50)))
    return np.array(numbers, np.int64)
