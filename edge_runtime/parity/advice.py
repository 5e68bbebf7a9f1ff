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
        images: about so many decide four times in five if the rates stay as measured; None if no
            number does.
        at_least: where no number decides four times in five, but fewer never and so many always:
            so many. That happens when no answer was lost, or few.
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
    bracket = _bracket(power, images)
    if bracket is None:
        return Advice()
    few, many = _narrowed(power, *bracket)
    found = _checked(power, many, images + 1)
    if found is not None:
        return Advice(images=found)
    sure = power(many, _CHECKING) > MOST_POWER
    return Advice(at_least=many) if sure and few + 1 == many else Advice()


def _bracket(power: Callable[[int, int], float], images: int) -> tuple[int, int] | None:
    """Return a number that decides too seldom, and one of at most twice as many that does not."""
    few, many = images, images + 1
    while power(many, _SEARCHING) < _POWER:
        if many == MOST_IMAGES:
            return None
        few, many = many, min(2 * many, MOST_IMAGES)
    return few, many


def _narrowed(power: Callable[[int, int], float], few: int, many: int) -> tuple[int, int]:
    """Halve the distance between two numbers until they are next to each other, or near enough.

    Near enough is where power is within the wanted range: chance can tell no more.
    """
    while many - few > 1:
        middle = (few + many) // 2
        found = power(middle, _SEARCHING)
        if found < _POWER:
            few = middle
        else:
            many = middle
        if LEAST_POWER < found < MOST_POWER and many - few < many / 20:
            break
    return few, many


def _checked(power: Callable[[int, int], float], images: int, least: int) -> int | None:
    """Return a number near this one that decides as often as wanted, None if none is found."""
    tried = set()
    for _ in range(_MOST_TRIES):
        if images in tried or not least <= images <= MOST_IMAGES:
            return None
        tried.add(images)
        found = power(images, _CHECKING)
        if LEAST_POWER <= found <= MOST_POWER:
            return images
        step = images * math.expm1((_POWER - found) / _SLOPE)
        images += round(step) or int(math.copysign(1, step))
    return None
