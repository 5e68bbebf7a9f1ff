"""Fit the ranges of a quantized file to training images, in a copy, with nothing but the runtime.

Each range is opened wide, then drawn in to what the images really reach; all tensors at once, until
nothing moves. Ranges upstream settle first and those behind them follow.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.loading.workbench import Workbench
from edge_runtime.inference.quantization import quantize
from edge_runtime.models.inspection import inspect_model
from edge_runtime.models.quantized import Affine, QuantizedFile, Range

Floats = NDArray[np.float32]

_ROUNDS = 10
# How much wider a range is tried while it may be too narrow.
_WIDER = 8.0
# A range that is measured in fewer steps than this is too coarse to be believed; measured again.
_ENOUGH_STEPS = 24.0
# Images for calibration show most of the range, not all.
_MARGIN = 1.02
_SETTLED = 0.05


@dataclass(frozen=True)
class Recalibrated:
    """A copy whose ranges fit the images.

    Attributes:
        data: its bytes.
        affines: what was written, by tensor.
        extremes: smallest and largest real number of each group, by the group's first tensor.
    """

    data: bytes
    affines: dict[int, Affine]
    extremes: dict[int, Range]


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


def recalibrate(file: QuantizedFile, bench: Workbench, inputs: Floats) -> Recalibrated:
    """Return a copy of the file whose free ranges fit these (N, H, W, C) real inputs.

    Raises:
        ModelError: the runtime refuses the copy.
    """
    known = _copies_of_the_input(file)
    groups = {group.tensors[0]: group for group in file.groups}
    ranges: dict[int, Range] = {}
    settled: set[int] = set()
    for key, group in groups.items():
        if known & set(group.tensors):
            ranges[key] = float(inputs.min()), float(inputs.max())
        elif group.fixed is None:
            reach = _WIDER * max(map(abs, group.range))
            ranges[key] = -reach, reach
    everything = tuple(index for group in file.groups for index in group.tensors)
    seen: dict[int, Range] = {}
    for _ in range(_ROUNDS):
        affines = _affines(file, ranges)
        found = _observe(file, file.with_affines(affines), bench, inputs, everything)
        moved = False
        for key, group in groups.items():
            scale, zero_point = affines[key]
            low = scale * (min(found[index][0] for index in group.tensors) - zero_point)
            high = scale * (max(found[index][1] for index in group.tensors) - zero_point)
            seen[key] = low, high
            if key in ranges and not known & set(group.tensors):
                now = ranges[key]
                ranges[key], stays = _next_range(now, (low, high), scale, key in settled)
                moved |= not stays
                if ranges[key] != _widened(now):
                    settled.add(key)
        if not moved:
            break
    affines = _affines(file, ranges)
    return Recalibrated(file.with_affines(affines), affines, seen)


def _copies_of_the_input(file: QuantizedFile) -> set[int]:
    """Return the input and what it is converted to at the border: their range is the images'."""
    source = file.graph.inputs[0]
    converted = (one for one in file.graph.operators if one.code.name == "QUANTIZE")
    return {source, *(one.outputs[0] for one in converted if one.inputs[0] == source)}


def _widened(limits: Range) -> Range:
    return limits[0] * _WIDER, limits[1] * _WIDER


def _affines(file: QuantizedFile, ranges: dict[int, Range]) -> dict[int, Affine]:
    return {
        index: group.fixed or affine_for(*ranges[group.tensors[0]], group.dtype)
        for group in file.groups
        for index in group.tensors
    }


def _next_range(now: Range, seen: Range, step: float, was_drawn_in: bool) -> tuple[Range, bool]:
    """Return the range for the next round, and whether this one may stay as it is."""
    low, high = seen
    at_top, at_bottom = high >= now[1] - step / 2 > 0, low <= now[0] + step / 2 < 0
    if (at_top or at_bottom) and not was_drawn_in:
        return _widened(now), False
    if (max(high, 0) - min(low, 0)) / step < _ENOUGH_STEPS:
        # Known only to a step or so: leave one on each side, and look again more finely.
        reach = max(abs(low), abs(high)) + 2 * step
        return (-reach, reach), abs(now[1]) < 1e-6
    # Cut off again, it was drawn in by a coarse view, or what lies before it grew.
    wanted = (
        now[0] * 1.5 if at_bottom else min(low, 0) * _MARGIN,
        now[1] * 1.5 if at_top else max(high, 0) * _MARGIN,
    )
    change = abs(wanted[0] - now[0]) + abs(wanted[1] - now[1])
    return wanted, change < _SETTLED * (now[1] - now[0]) and not (at_top or at_bottom)


def _observe(
    file: QuantizedFile, data: bytes, bench: Workbench, inputs: Floats, tensors: tuple[int, ...]
) -> dict[int, Range]:
    """Return the smallest and largest number that each tensor of a copy holds, in its own numbers.

    As `Workbench.observe`, this is evidence of ranges and never of answers.
    """
    quantized = quantize(inputs, inspect_model(data).inputs[0])
    seen = bench.observe(data, quantized, tensors)
    found = {}
    for place, tensor in enumerate(tensors):
        each = seen[:, place]
        if tensor in file.hidden:
            each = _kept_extremes(file.with_output(data, tensor), bench, quantized)
        found[tensor] = float(each[:, 0].min()), float(each[:, 1].max())
    return found


def _kept_extremes(
    data: bytes, bench: Workbench, inputs: NDArray[np.generic]
) -> NDArray[np.float64]:
    """Return (N, 2) the output's smallest and largest number for each image."""
    batch = inspect_model(data).inputs[0].shape[0]
    each = bench.run(data, np.repeat(inputs, batch, axis=0)).reshape(len(inputs), -1)
    return np.stack([each.min(axis=1), each.max(axis=1)], axis=1).astype(np.float64)
