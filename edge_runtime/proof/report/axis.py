"""Positions in charts, as percentages of whatever width there is: letters keep their size."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edge_runtime.wording import points


@dataclass(frozen=True)
class Axis:
    """A range of fractions across the width of a chart."""

    low: float
    high: float

    @classmethod
    def around(cls, values: Sequence[float]) -> "Axis":
        """Return an axis that holds zero and all values, with a little air."""
        low, high = min(0.0, *values), max(0.0, *values)
        air = 0.06 * (high - low) or 0.01
        return cls(max(-1.05, low - air), min(1.05, high + air))

    def share(self, value: float) -> float:
        """Return the position of a value, 0 to 1 within the range."""
        return (value - self.low) / (self.high - self.low)

    def at(self, value: float) -> str:
        """Return the position of a value, as in "12.34%"."""
        return f"{self.share(value) * 100:.2f}%"

    def within(self, value: float) -> str:
        """Return the position of a value, or of the end of the range beyond which it lies."""
        return self.at(max(self.low, min(self.high, value)))

    @property
    def tick_step(self) -> float:
        """The round distance of up to seven ticks: 1, 2 or 5 times a power of ten."""
        rough = (self.high - self.low) / 6
        power: float = 10 ** math.floor(math.log10(rough))
        return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)

    @property
    def ticks(self) -> list[tuple[str, str]]:
        """Round values inside the range: where they are, and in points."""
        step = self.tick_step
        decimals = max(0, -math.floor(math.log10(step * 100) + 1e-9))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [(self.at(n * step), points(n * step, decimals)) for n in range(first, last + 1)]
