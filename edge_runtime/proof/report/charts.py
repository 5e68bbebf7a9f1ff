"""Charts as inline SVG.

Horizontal positions are percentages of whatever width there is, so that a chart fits a phone and
its letters keep their size.
"""

import math
from dataclasses import dataclass

from edge_runtime.proof.metrics import decimals_for
from edge_runtime.proof.parity import Comparison, ParityReport
from edge_runtime.proof.report.markup import escaped
from edge_runtime.wording import fitted, points, points_allowed, points_interval, printable

_HEAD = 40
_ROW = 56
_FOOT = 46
_LONGEST_NAME = 18

_SHAPES = {
    "holds": '<circle class="dot holds" r="7"/>',
    "inconclusive": '<path class="dot inconclusive" d="M0-9L9 7H-9z"/>',
    "broken": '<path class="dot broken" d="M-7-7L7 7M7-7L-7 7"/>',
}


@dataclass(frozen=True)
class Axis:
    """A range of fractions across the width of a chart."""

    low: float
    high: float

    def at(self, value: float) -> str:
        """Return the position of a value, as in "12.34%"."""
        return f"{self.share(value) * 100:.2f}%"

    def share(self, value: float) -> float:
        """Return the position of a value, 0 to 1 within the range."""
        return (value - self.low) / (self.high - self.low)

    @property
    def tick_step(self) -> float:
        """The round distance of up to seven ticks: 1, 2 or 5 times a power of ten."""
        rough = (self.high - self.low) / 6
        power: float = 10 ** math.floor(math.log10(rough))
        return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)

    def ticks(self) -> list[float]:
        """Return round values inside the range."""
        step = self.tick_step
        first = math.ceil(self.low / step - 1e-9)
        return [n * step for n in range(first, math.floor(self.high / step + 1e-9) + 1)]


def axis_around(values: list[float]) -> Axis:
    """Return an axis that holds zero and all values, with a little air."""
    low, high = min(0.0, *values), max(0.0, *values)
    air = 0.06 * (high - low) or 0.01
    return Axis(max(-1.05, low - air), min(1.05, high + air))


def difference_chart(report: ParityReport) -> str:
    """Draw how each model's accuracy differs from the full one's, with its interval and the limit.

    What is right of the limit is allowed: a model holds when its whole interval lies there.
    """
    confidence, margin = report.contract.confidence, report.contract.margins.accuracy
    intervals = [item.counts.difference_interval(confidence) for item in report.comparisons]
    values = [bound for interval in intervals for bound in interval]
    axis = axis_around([*values, *([] if margin is None else [-margin])])
    bottom = _HEAD + _ROW * len(intervals)
    decimals = decimals_for(len(report.reference))
    rows = "".join(
        _row(item, interval, axis, _HEAD + _ROW * index, decimals)
        for index, (item, interval) in enumerate(zip(report.comparisons, intervals, strict=True))
    )
    return (
        f'<svg class="chart" role="img" width="100%" height="{bottom + _FOOT}" '
        f'aria-label="{escaped(_spoken(report, decimals))}">'
        f"{_limit(axis, margin, bottom)}{_ticks(axis, bottom)}{_zero(axis, bottom)}{rows}"
        f'<text class="tick end" x="100%" y="{bottom + 38}">points of accuracy, '
        "against the full model</text></svg>"
    )


def _spoken(report: ParityReport, decimals: int) -> str:
    said = ", ".join(
        f"{printable(item.model)} {points(item.counts.accuracy_difference, decimals)}"
        for item in report.comparisons
    )
    return f"Change of accuracy in points: {said}"


def _limit(axis: Axis, margin: float | None, bottom: int) -> str:
    """Shade what is allowed, and label the limit on its left."""
    if margin is None:
        return ""
    x = axis.at(-margin)
    anchor = "end" if axis.share(-margin) > 0.3 else "start"
    return (
        f'<rect class="band" x="{x}" y="{_HEAD - 8}" '
        f'width="{(1 - axis.share(-margin)) * 100:.2f}%" height="{bottom - _HEAD + 8}"/>'
        f'<line class="limit" x1="{x}" x2="{x}" y1="{_HEAD - 8}" y2="{bottom}"/>'
        f'<text class="tick {anchor}" x="{x}" y="{_HEAD - 27}">limit: {points_allowed(margin)} '
        "lost</text>"
    )


def _zero(axis: Axis, bottom: int) -> str:
    anchor = "end" if axis.share(0) > 0.7 else "start" if axis.share(0) < 0.3 else "middle"
    x = axis.at(0)
    return (
        f'<line class="reference" x1="{x}" x2="{x}" y1="{_HEAD - 8}" y2="{bottom}"/>'
        f'<text class="tick strong {anchor}" x="{x}" y="{_HEAD - 13}">full model</text>'
    )


def _ticks(axis: Axis, bottom: int) -> str:
    decimals = max(0, -math.floor(math.log10(axis.tick_step * 100) + 1e-9))
    return "".join(
        f'<line class="grid" x1="{axis.at(tick)}" x2="{axis.at(tick)}" y1="{_HEAD}" y2="{bottom}"/>'
        f'<text class="tick middle" x="{axis.at(tick)}" y="{bottom + 19}">'
        f"{points(tick, decimals)}</text>"
        for tick in axis.ticks()
    )


def _row(
    item: Comparison, interval: tuple[float, float], axis: Axis, top: int, decimals: int
) -> str:
    kind = item.decision
    value = points(item.counts.accuracy_difference, decimals)
    y = top + 36
    return (
        f'<text class="name" x="0" y="{top + 17}">'
        f"{escaped(fitted(printable(item.model), _LONGEST_NAME))}"
        f'<tspan class="value" dx="10">{value} <tspan class="quiet">'
        f"({points_interval(interval, decimals)})</tspan></tspan></text>"
        f"{whisker(axis, interval, y, kind)}"
        f'<svg x="{axis.at(item.counts.accuracy_difference)}" y="{y}" overflow="visible">'
        f"{_SHAPES[kind]}</svg>"
    )


def whisker(axis: Axis, interval: tuple[float, float], y: int, kind: str) -> str:
    """Draw an interval as a line with caps."""
    low, high = (axis.at(max(axis.low, min(axis.high, bound))) for bound in interval)
    caps = "".join(
        f'<line class="whisker {kind}" x1="{x}" x2="{x}" y1="{y - 4}" y2="{y + 4}"/>'
        for x in (low, high)
    )
    return f'<line class="whisker {kind}" x1="{low}" x2="{high}" y1="{y}" y2="{y}"/>{caps}'
