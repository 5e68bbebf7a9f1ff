"""Charts as inline SVG.

Horizontal positions are percentages of whatever width there is, so that a chart fits a phone and
its letters keep their size.
"""

import math
from dataclasses import dataclass

from edge_runtime.metrics import Rate, decimals_for
from edge_runtime.parity import ParityReport
from edge_runtime.report.entries import Entry, entries
from edge_runtime.report.markup import escaped
from edge_runtime.wording import percent, percent_interval, points, shortened

_HEAD = 30
_ROW = 54
_FOOT = 30
_LONGEST_NAME = 24

_SHAPES = {
    "full": '<path class="dot full" d="M0-8L8 0L0 8L-8 0z"/>',
    "holds": '<circle class="dot holds" r="7"/>',
    "inconclusive": '<path class="dot inconclusive" d="M0-8L8 7H-8z"/>',
    "broken": '<path class="dot broken" d="M-7-7L7 7M7-7L-7 7"/>',
}


@dataclass(frozen=True)
class Axis:
    """A range of fractions across the width of a chart."""

    low: float
    high: float

    def at(self, value: float) -> str:
        """Return the position of a value, as in "12.34%"."""
        return f"{(value - self.low) / (self.high - self.low) * 100:.2f}%"

    @property
    def tick_step(self) -> float:
        """The round distance of up to eight ticks: 1, 2 or 5 times a power of ten."""
        rough = (self.high - self.low) / 7
        power: float = 10 ** math.floor(math.log10(rough))
        return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)

    def ticks(self) -> list[float]:
        """Return round values inside the range."""
        step = self.tick_step
        first = math.ceil(self.low / step - 1e-9)
        return [n * step for n in range(first, math.floor(self.high / step + 1e-9) + 1)]


def accuracy_chart(report: ParityReport) -> str:
    """Draw each model's accuracy with its 95 % interval, the full one's and the allowed drop."""
    models = entries(report)
    full = models[0].accuracy.value
    axis = _accuracy_axis(
        [entry.accuracy for entry in models], full - (report.contract.margins.accuracy or 0)
    )
    bottom = _HEAD + _ROW * len(models)
    decimals = decimals_for(len(report.reference))
    rows = "".join(
        _accuracy_row(entry, axis, _HEAD + _ROW * index, decimals)
        for index, entry in enumerate(models)
    )
    return (
        f'<svg class="chart" role="img" width="100%" height="{bottom + _FOOT}" '
        f'aria-label="{escaped(_spoken(models, decimals))}">'
        f"{_band(axis, full, report.contract.margins.accuracy or 0, bottom)}{_ticks(axis, bottom)}"
        f'<line class="reference" x1="{axis.at(full)}" x2="{axis.at(full)}" y1="{_HEAD - 6}" '
        f'y2="{bottom}"/>{_reference_label(axis, full, decimals)}{rows}</svg>'
    )


def _accuracy_axis(rates: list[Rate], lowest_allowed: float) -> Axis:
    low = min(lowest_allowed, *(rate.interval[0] for rate in rates))
    high = max(rate.interval[1] for rate in rates)
    margin = 0.04 * (high - low)
    return Axis(low - margin, high + margin)


def _spoken(models: list[Entry], decimals: int) -> str:
    said = ", ".join(
        f"{entry.model} {percent(entry.accuracy.value, decimals)} %" for entry in models
    )
    return f"Accuracy on the test images: {said}"


def _band(axis: Axis, full: float, max_drop: float, bottom: int) -> str:
    width = max_drop / (axis.high - axis.low) * 100
    return (
        f'<rect class="band" x="{axis.at(full - max_drop)}" y="{_HEAD - 6}" width="{width:.2f}%" '
        f'height="{bottom - _HEAD + 6}"/>'
    )


def _ticks(axis: Axis, bottom: int) -> str:
    decimals = max(0, -math.floor(math.log10(axis.tick_step * 100) + 1e-9))
    return "".join(
        f'<line class="grid" x1="{axis.at(tick)}" x2="{axis.at(tick)}" y1="{_HEAD}" y2="{bottom}"/>'
        f'<text class="tick" x="{axis.at(tick)}" y="{bottom + 19}">'
        f"{percent(tick, decimals)} %</text>"
        for tick in axis.ticks()
        if 0 <= tick <= 1
    )


def _reference_label(axis: Axis, full: float, decimals: int) -> str:
    share = (full - axis.low) / (axis.high - axis.low)
    anchor = "start" if share < 0.3 else "end" if share > 0.7 else "middle"
    return (
        f'<text class="tick reference-label" x="{axis.at(full)}" y="{_HEAD - 13}" '
        f'text-anchor="{anchor}">full model {percent(full, decimals)} %</text>'
    )


def _accuracy_row(entry: Entry, axis: Axis, top: int, decimals: int) -> str:
    low, high = (axis.at(bound) for bound in entry.accuracy.interval)
    y = top + 36
    kind = "full" if entry.comparison is None else entry.comparison.decision
    caps = "".join(
        f'<line class="whisker {kind}" x1="{x}" x2="{x}" y1="{y - 4}" y2="{y + 4}"/>'
        for x in (low, high)
    )
    return (
        f'<text class="name" x="0" y="{top + 17}">'
        f"{escaped(shortened(entry.model, _LONGEST_NAME))}</text>"
        f'<text class="value" x="100%" y="{top + 17}">{_value(entry, decimals)}</text>'
        f'<line class="whisker {kind}" x1="{low}" x2="{high}" y1="{y}" y2="{y}"/>{caps}'
        f'<svg x="{axis.at(entry.accuracy.value)}" y="{y}" overflow="visible">{_SHAPES[kind]}</svg>'
    )


def _value(entry: Entry, decimals: int) -> str:
    value = percent(entry.accuracy.value, decimals)
    if entry.comparison is None:
        return f"{value} %"
    change = points(entry.comparison.counts.accuracy_difference, decimals)
    return f'{value} % <tspan class="quiet">({change})</tspan>'


def recall_axis(rates: list[Rate]) -> Axis:
    """Return a range of full tens of percent that holds all rates."""
    lowest = min((rate.value for rate in rates if rate.total), default=0.0)
    return Axis(min(0.9, math.floor(lowest * 10) / 10), 1.0)


def recall_chart(full: Rate, converted: Rate, axis: Axis) -> str:
    """Draw one class: a ring for the full model, a dot for the converted one, what lies between."""
    if not full.total:
        return ""
    before, after = axis.at(full.value), axis.at(converted.value)
    gained = converted.successes - full.successes
    kind = "worse" if gained < 0 else "better" if gained else ""
    spoken = (
        f"{percent_interval(full)} and {percent_interval(converted)}: 95 % intervals, in percent"
    )
    return (
        f'<svg class="dumbbell" role="img" width="100%" height="20" aria-label="{spoken}">'
        '<line class="track" x1="0" x2="100%" y1="10" y2="10"/>'
        f'<line class="change {kind}" x1="{before}" x2="{after}" y1="10" y2="10"/>'
        f'<circle class="before" cx="{before}" cy="10" r="5"/>'
        f'<circle class="after {kind}" cx="{after}" cy="10" r="5"/></svg>'
    )
