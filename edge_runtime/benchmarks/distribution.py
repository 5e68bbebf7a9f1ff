"""What many timed calls say: percentiles, the spread over the rounds, and ratios of two models."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_NANOSECONDS = 1000.0  # in a microsecond


@dataclass(frozen=True)
class Latency:
    """How long one image takes, in microseconds, over all images of all rounds.

    Attributes:
        images: how many were timed.
        minimum_us: the shortest.
        median_us: half are shorter.
        p90_us: 90 % are shorter.
        p99_us: 99 % are shorter; None for fewer than 100 images, which cannot tell.
        p999_us: 99.9 % are shorter; None for fewer than 1,000 images.
        spread_us: 80 % of the rounds have their median between these two.
        round_medians_us: the median of each round, in the order of the rounds.
    """

    images: int
    minimum_us: float
    median_us: float
    p90_us: float
    p99_us: float | None
    p999_us: float | None
    spread_us: tuple[float, float]
    round_medians_us: tuple[float, ...]

    @classmethod
    def of(cls, rounds: Sequence[NDArray[np.int64]]) -> "Latency":
        """Return what the nanoseconds of each round's images say; no round is empty."""
        every = np.concatenate(rounds) / _NANOSECONDS
        medians = np.array([np.median(each) for each in rounds]) / _NANOSECONDS
        return cls(
            images=len(every),
            minimum_us=float(every.min()),
            median_us=float(np.median(every)),
            p90_us=float(np.percentile(every, 90)),
            p99_us=float(np.percentile(every, 99)) if len(every) >= 100 else None,
            p999_us=float(np.percentile(every, 99.9)) if len(every) >= 1000 else None,
            spread_us=_middle(medians),
            round_medians_us=tuple(float(value) for value in medians),
        )


@dataclass(frozen=True)
class Ratio:
    """How many times as long as another a model takes, compared within each round.

    What slows the machine down for a while slows down both of a round, so their ratio stays.

    Attributes:
        value: the median of the rounds' ratios.
        low: 80 % of the rounds' ratios lie between this
        high: and this.
    """

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, latency: Latency, other: Latency) -> "Ratio":
        """Return the ratio of a latency to another one that was measured in the same rounds."""
        ratios = np.array(latency.round_medians_us) / np.array(other.round_medians_us)
        return cls(float(np.median(ratios)), *_middle(ratios))

    @property
    def tells_apart(self) -> bool:
        """Whether one is faster in so many rounds that it is no accident."""
        return self.low > 1 or self.high < 1

    @property
    def inverse(self) -> "Ratio":
        """How many times as fast as the other it is."""
        return Ratio(1 / self.value, 1 / self.high, 1 / self.low)

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**asdict(self), "tells_apart": self.tells_apart}


def _middle(rounds: NDArray[np.float64]) -> tuple[float, float]:
    """Return the values between which 80 % of the rounds lie."""
    low, high = np.percentile(rounds, (10, 90))
    return float(low), float(high)
