"""How many images would decide a report that those at hand do not."""

import math
from collections.abc import Callable
from dataclasses import dataclass

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
    """Look for the number of images that decides four times in five.

    Args:
        power: takes a number of images and a number of samples; returns the share of the samples
            that decide.
        images: those at hand; more are looked for.
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
