"""What the charts of the page are drawn from: axes, intervals and points.

Horizontal positions are percentages of whatever width there is, so that a chart fits a phone and
its letters keep their size; those of the reliability diagram are pixels.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edge_runtime.proof.metrics import ConfidenceCounts, PairedCounts, Rate
from edge_runtime.proof.parity import ParityReport
from edge_runtime.proof.report.entries import Entry
from edge_runtime.wording import points

# The square of the reliability diagram, and the bars below it.
_LEFT, _TOP, _SIDE = 44, 34, 320
_BARS_TOP, _BARS_HEIGHT = _TOP + _SIDE + 28, 34


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


def difference_axis(report: ParityReport, models: Sequence[Entry]) -> Axis:
    """Return an axis for the changes of accuracy, their intervals and the limit."""
    margin = report.contract.margins.accuracy
    values = [bound for entry in models[1:] for bound in entry.change_interval]
    return Axis.around([*values, *([] if margin is None else [-margin])])


@dataclass(frozen=True)
class Reliable:
    """What the reliability diagram has of one model, all in pixels.

    Attributes:
        kind: "reference" or "candidate".
        shift: how far it is set aside from the other model.
        points: mean confidence and accuracy of each bin with images, and both ends of the
            accuracy's 95 % interval: (x, y, y, y).
        bars: the middle of each bin, the height of its bar, and how many images it has.
    """

    kind: str
    shift: int
    points: list[tuple[float, float, float, float]]
    bars: list[tuple[int, float, str]]


def reliability(counts: PairedCounts) -> list[Reliable]:
    """Return accuracy over confidence in ten bins for both models, and the images in each."""
    models = (counts.reference_confidence, counts.candidate_confidence)
    return [
        Reliable(kind, shift, _points(model), _bars(model, counts.image_count))
        for kind, shift, model in zip(("reference", "candidate"), (-4, 4), models, strict=True)
    ]


def _points(model: ConfidenceCounts) -> list[tuple[float, float, float, float]]:
    found = []
    for images, right, confidence in zip(*model.bins, strict=True):
        if images:
            rate = Rate(int(right), int(images))
            low, high = rate.interval
            x = _LEFT + float(confidence / images) * _SIDE
            found.append((x, _y(rate.value), _y(low), _y(high)))
    return found


def _y(share: float) -> float:
    return _TOP + (1 - share) * _SIDE


def _bars(model: ConfidenceCounts, total: int) -> list[tuple[int, float, str]]:
    width = _SIDE // len(model.bins[0])
    return [
        (_LEFT + width * n + width // 2, _BARS_HEIGHT * int(count) / total, _compact(int(count)))
        for n, count in enumerate(model.bins[0])
    ]


def _compact(count: int) -> str:
    """Return a count in four letters at most: 999, 12k, 3M."""
    if count < 10_000:
        return str(count)
    return f"{count // 1000}k" if count < 1_000_000 else f"{count // 1_000_000}M"
