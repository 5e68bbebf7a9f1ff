"""How many images it would take to decide, when those at hand do not."""

import math
from collections.abc import Callable
from statistics import NormalDist

from edge_runtime.statistics.binomial import clopper_pearson_interval
from edge_runtime.statistics.paired import difference_interval

POWER = 0.8
_MOST_IMAGES = 10**9


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

    def decides(count: int) -> bool:
        scale = count / total
        scaled = min(count, math.ceil(lost * scale)), math.floor(won * scale)
        if drop > margin:
            scaled = math.floor(lost * scale), min(count, math.ceil(won * scale))
        if sum(scaled) > count:
            scaled = scaled[0], count - scaled[0]
        low, high = difference_interval(*scaled, count, confidence)
        return low > -margin or high < -margin

    return _first_that_decides(max(estimate, total + 1), decides)


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

    return _first_that_decides(max(estimate, total + 1), decides)


def _from_variance(variance: float, distance: float, confidence: float) -> int | None:
    z = NormalDist().inv_cdf((1 + confidence) / 2) + NormalDist().inv_cdf(POWER)
    if distance <= 0 or z * z * variance > _MOST_IMAGES * distance * distance:
        return None
    return math.ceil(z * z * variance / (distance * distance))


def _first_that_decides(count: int, decides: Callable[[int], bool]) -> int | None:
    """Return ``count``, or a larger one within 2 % of the first that decides."""
    if not decides(_MOST_IMAGES):
        return None
    while not decides(count):
        count += max(1, count // 50)
    return count
