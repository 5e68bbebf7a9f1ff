"""Fit the ranges of a quantized file to training images, in a copy, with nothing but the runtime.

Each range is opened wide, then drawn in to what the images really reach; all tensors at once, until
nothing moves. Ranges upstream settle first and those behind them follow.
"""

from dataclasses import dataclass

import numpy as np

from edge_runtime.doctor.subject import Extremes, Floats, hidden_tensors, observe
from edge_runtime.doctor.surgery import Affine, Group, QuantizedFile
from edge_runtime.doctor.workbench import Workbench

_ROUNDS = 10
# How much wider a range is tried while it may be too narrow.
_WIDER = 8.0
# A range that is measured in fewer steps than this is too coarse to be believed; measured again.
_ENOUGH_STEPS = 24.0
# Images for calibration show most of the range, not all.
_MARGIN = 1.02
_SETTLED = 0.05
# Images that tell whether a tensor is kept.
_LOOKED_AT = 2


@dataclass(frozen=True)
class Recalibrated:
    """A copy whose ranges fit the images.

    Attributes:
        data: its bytes.
        affines: what was written, by tensor.
        extremes: smallest and largest real number of each group, by the group's first tensor.
        varies: which groups, by first tensor, hold different numbers for different images.
    """

    data: bytes
    affines: dict[int, Affine]
    extremes: dict[int, tuple[float, float]]
    varies: dict[int, bool]


def affine_for(low: float, high: float, dtype: str) -> Affine:
    """Return scale and zero point of a range, zero included, as TFLite's converter chooses them.

    int16 is symmetric: its zero point is 0.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    limits = np.iinfo(dtype)
    if dtype == "int16":
        return Affine(float(np.float32(max(-low, high, 1e-9) / limits.max)), 0)
    scale = float(np.float32(max(high - low, 1e-9) / (limits.max - limits.min)))
    zero_point = int(np.clip(round(limits.min - low / scale), limits.min, limits.max))
    return Affine(scale, zero_point)


def range_of(affine: Affine, dtype: str) -> tuple[float, float]:
    """Return the smallest and largest real number that the integers can say."""
    limits = np.iinfo(dtype)
    low, high = affine.scale * (limits.min - affine.zero_point), limits.max - affine.zero_point
    return float(low), float(affine.scale * high)


def recalibrate(file: QuantizedFile, bench: Workbench, inputs: Floats) -> Recalibrated:
    """Return a copy of the file whose free ranges fit these real-valued inputs.

    Raises:
        ModelError: the runtime refuses the copy.
    """
    known = _copies_of_the_input(file)
    ranges: dict[int, tuple[float, float]] = {}
    settled: dict[int, bool] = {}
    seen: dict[int, tuple[float, float]] = {}
    varies: dict[int, bool] = {}
    for group in file.groups:
        key = group.tensors[0]
        if known & set(group.tensors):
            ranges[key], settled[key] = (float(inputs.min()), float(inputs.max())), True
        elif group.fixed is None:
            reach = _WIDER * max(map(abs, range_of(group.affine, group.dtype)))
            ranges[key], settled[key] = (-reach, reach), False
    hidden = _hidden(file, bench, inputs)
    everything = tuple(index for group in file.groups for index in group.tensors)
    for _ in range(_ROUNDS):
        affines = _affines(file, ranges)
        found = observe(
            file.with_affines(affines), bench, inputs, everything, file.with_output, hidden
        )
        moved = False
        for group in file.groups:
            key = group.tensors[0]
            affine = affines[key]
            low, high = _real_extremes(group, affine, found)
            seen[key] = low, high
            varies[key] = any(found[index].varies for index in group.tensors)
            if key in ranges and not known & set(group.tensors):
                now = ranges[key]
                ranges[key], stays = _next_range(now, (low, high), affine, settled[key])
                moved |= not stays
                settled[key] |= ranges[key] != _widened(now)
        if not moved:
            break
    affines = _affines(file, ranges)
    return Recalibrated(file.with_affines(affines), affines, seen, varies)


def _hidden(file: QuantizedFile, bench: Workbench, inputs: Floats) -> frozenset[int]:
    """Return the tensors whose memory this runtime reuses; looked for once for each file."""
    if file.hidden is None:
        tensors = tuple(index for group in file.groups for index in group.tensors)
        images = inputs[:_LOOKED_AT]
        file.hidden = hidden_tensors(file.data, bench, images, tensors, file.with_output)
    return file.hidden


def _copies_of_the_input(file: QuantizedFile) -> set[int]:
    """Return the input and what it is converted to at the border: their range is the images'."""
    source = file.graph.inputs[0]
    converted = (one for one in file.graph.operators if one.code.name == "QUANTIZE")
    return {source, *(one.outputs[0] for one in converted if one.inputs[0] == source)}


def _widened(limits: tuple[float, float]) -> tuple[float, float]:
    return limits[0] * _WIDER, limits[1] * _WIDER


def _affines(file: QuantizedFile, ranges: dict[int, tuple[float, float]]) -> dict[int, Affine]:
    affines = {}
    for group in file.groups:
        chosen = group.fixed
        if chosen is None:
            chosen = affine_for(*ranges[group.tensors[0]], group.dtype)
        affines.update(dict.fromkeys(group.tensors, chosen))
    return affines


def _real_extremes(group: Group, affine: Affine, found: dict[int, Extremes]) -> tuple[float, float]:
    low = min(found[index].low for index in group.tensors)
    high = max(found[index].high for index in group.tensors)
    return affine.scale * (low - affine.zero_point), affine.scale * (high - affine.zero_point)


def _next_range(
    now: tuple[float, float], seen: tuple[float, float], affine: Affine, was_drawn_in: bool
) -> tuple[tuple[float, float], bool]:
    """Return the range for the next round, and whether this one may stay as it is."""
    step = affine.scale
    low, high = seen
    cut_off = high >= now[1] - step / 2 > 0 or low <= now[0] + step / 2 < 0
    steps = (max(high, 0) - min(low, 0)) / step
    if cut_off and not was_drawn_in:
        return _widened(now), False
    if steps < _ENOUGH_STEPS:
        # Known only to a step or so: leave one on each side, and look again more finely.
        reach = max(abs(low), abs(high)) + 2 * step
        return (-reach, reach), abs(now[1]) < 1e-6
    wanted = (min(low, 0) * _MARGIN, max(high, 0) * _MARGIN)
    width = now[1] - now[0]
    if was_drawn_in and cut_off:
        # It was drawn in by a coarse view, or what lies before it grew.
        wanted = (
            now[0] * 1.5 if low <= now[0] + step / 2 and low < 0 else wanted[0],
            now[1] * 1.5 if high >= now[1] - step / 2 and high > 0 else wanted[1],
        )
    change = abs(wanted[0] - now[0]) + abs(wanted[1] - now[1])
    return wanted, change < _SETTLED * width and not cut_off
