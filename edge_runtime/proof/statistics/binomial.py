"""Intervals for one proportion, and the binomial tails that exact methods are made of."""

import math
from bisect import bisect_left
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

_TINY = 1e-300
_CONVERGED = 1e-15
_MOST_TERMS = 100_000


def normal_quantile(confidence: float) -> float:
    """Return z such that a standard normal lies within ±z with this probability.

    Raises:
        ValueError: the confidence is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"A confidence must lie between 0 and 1, got {confidence}.")
    return NormalDist().inv_cdf((1 + confidence) / 2)


def normal_tail(deviations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return P(Z ≥ deviation) of a standard normal Z for each of (M,) deviations."""
    return np.array([math.erfc(each / math.sqrt(2)) / 2 for each in deviations.tolist()])


def saddlepoint_tail(w: NDArray[np.float64], u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (M,) upper tail probabilities by the saddlepoint approximation, clipped to 0 to 1.

    P(X ≥ x) ≈ P(Z ≥ w) + φ(w) (1/u - 1/w) of a standard normal Z (Lugannani and Rice 1980, Advances
    in Applied Probability 12: 475-490).

    Args:
        w: (M,) the signed root of the deviance at the saddle point.
        u: (M,) the saddle point times the standard deviation there.
    """
    density = np.exp(-w * w / 2) / math.sqrt(2 * math.pi)
    return np.clip(normal_tail(w) + density * (1 / u - 1 / w), 0.0, 1.0)


def wilson_interval(
    successes: float, total: float, confidence: float = 0.95
) -> tuple[float, float]:
    """Return the score interval of a proportion (Wilson 1927, JASA 22: 209-212).

    Its coverage is 95 % on average over proportions, and it stays within 0 to 1; it is what a
    figure is shown with. Without any trial it is 0 to 1.
    """
    if not total:
        return 0.0, 1.0
    p, z = successes / total, normal_quantile(confidence)
    centre = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    return max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half))


def clopper_pearson_interval(
    successes: int, total: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Return the exact interval of a proportion (Clopper and Pearson 1934, Biometrika 26: 404-413).

    It covers with at least this confidence whatever the proportion is, so it is what a decision
    rests on. Without any trial it is 0 to 1.
    """
    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else _proportion_with_tail(successes, total, tail)
    high = 1.0 if successes == total else 1 - _proportion_with_tail(total - successes, total, tail)
    return low, high


def _proportion_with_tail(successes: int, total: int, tail: float) -> float:
    """Return the p at which so many successes or more have the probability ``tail``."""
    low, high = 0.0, 1.0
    while True:
        middle = (low + high) / 2
        if not low < middle < high:
            return middle
        if upper_tail(successes, total, middle) < tail:
            low = middle
        else:
            high = middle


def upper_tail(successes: int, total: int, probability: float) -> float:
    """Return P(X ≥ successes) of a binomial X, which is the beta function I_p(k, n - k + 1)."""
    if successes <= 0:
        return 1.0
    return incomplete_beta(successes, total - successes + 1, probability)


def least_improbable(total: int, probability: float, tail: float) -> int:
    """Return the smallest k with P(X ≥ k) < tail of a binomial X; total + 1 if there is none.

    That many successes are what it takes for the exact interval to lie above the probability.
    """
    return bisect_left(
        range(total + 1), True, key=lambda k: upper_tail(k, total, probability) < tail
    )


def incomplete_beta(a: float, b: float, x: float) -> float:
    """Return the regularized incomplete beta function I_x(a, b) for a, b > 0 and x from 0 to 1.

    By its continued fraction (NIST Digital Library of Mathematical Functions, 8.17.22), on the side
    of x where that converges fast; the other side follows from I_x(a, b) = 1 - I_{1-x}(b, a).
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(b, a, 1 - x)
    logarithm = a * math.log(x) + b * math.log1p(-x) - _log_beta(a, b)
    return math.exp(logarithm) / (a * _continued_fraction(a, b, x))


def _continued_fraction(a: float, b: float, x: float) -> float:
    """Return 1 + d1/(1 + d2/(1 + …)) by the modified Lentz method (Thompson and Barnett 1986)."""
    value, c, d = 1.0, 1.0, 0.0
    for term in range(1, _MOST_TERMS):
        m = term // 2
        if term % 2:
            numerator = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            numerator = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 + numerator * d
        d = 1 / (d if abs(d) > _TINY else _TINY)
        c = 1 + numerator / c
        c = c if abs(c) > _TINY else _TINY
        value *= c * d
        if abs(c * d - 1) < _CONVERGED:
            break
    return value


def _log_beta(a: float, b: float) -> float:
    """Return log B(a, b), without the cancellation of three large logarithms of gamma.

    Stirling's series leaves small remainders δ: log Γ(x) = (x - ½) log x - x + ½ log 2π + δ(x).
    """
    if min(a, b) < _STIRLING_FROM:
        return _log_beta_small(min(a, b), max(a, b))
    total = a + b
    return (
        (a - 0.5) * math.log(a / total)
        + b * math.log(b / total)
        - 0.5 * math.log(b)
        + 0.5 * math.log(2 * math.pi)
        + _stirling_remainder(a)
        + _stirling_remainder(b)
        - _stirling_remainder(total)
    )


_STIRLING_FROM = 15


def _log_beta_small(small: float, large: float) -> float:
    """Return log B for a small and a possibly large argument."""
    if large < _STIRLING_FROM:
        return math.lgamma(small) + math.lgamma(large) - math.lgamma(small + large)
    total = small + large
    # log Γ(large) - log Γ(total), the large parts subtracted by hand.
    ratio = (
        (large - 0.5) * math.log1p(-small / total)
        - small * math.log(total)
        + small
        + _stirling_remainder(large)
        - _stirling_remainder(total)
    )
    return math.lgamma(small) + ratio


def _stirling_remainder(x: float) -> float:
    """Return δ(x) of Stirling's series (NIST DLMF 5.11.1), exact to 1e-16 from x = 15 on."""
    inverse = 1 / (x * x)
    series = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)
    total = 0.0
    for coefficient in reversed(series):
        total = total * inverse + coefficient
    return total / x
