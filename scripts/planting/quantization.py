"""Faults of quantization: zero points, scales, calibration."""

from collections.abc import Iterator
from functools import partial

import keras
import numpy as np

from planting.edits import multiply_scale, shift_zero_point
from planting.networks import Network
from planting.plans import Garden, Plan

BORDERS = ("int8", "int8-uint8")


def zero_points(garden: Garden) -> Iterator[Plan]:
    """The input's zero point changed, pixels shifted by 128."""
    kind = "input-zero-point"
    for index, shift in enumerate((128, 64, 100, 40, 200)):
        edit = partial(shift_zero_point, is_input=True, shift=shift)
        for recipe in BORDERS:
            network = _in_turn(garden, index)
            yield Plan(kind, f"zero point + {shift}", network, recipe, edit=edit)
    shifts = (128.0, -128.0, 128.0, -128.0, -128.0)
    recipes = ("float32", "float32", "int8", "dynamic", "int8")
    for index, (shift, recipe) in enumerate(zip(shifts, recipes, strict=True)):
        before = keras.layers.Rescaling(1 / 255, shift / 255)
        yield Plan(kind, f"x + {shift} in the graph", garden.turn(index), recipe, before)


def input_scales(garden: Garden) -> Iterator[Plan]:
    """The input's scale changed."""
    for index, factor in enumerate((0.1, 0.25, 3.0, 10.0, 1 / 255)):
        edit = partial(multiply_scale, is_input=True, factor=factor)
        for recipe in BORDERS:
            network = _in_turn(garden, index)
            yield Plan("input-scale", f"scale × {factor:.3g}", network, recipe, edit=edit)


def outputs(garden: Garden) -> Iterator[Plan]:
    """The output's zero point and scale changed."""
    for index, shift in enumerate((40, 100, 128, 200, 255)):
        edit = partial(shift_zero_point, is_input=False, shift=shift)
        for recipe in BORDERS:
            variant, network = f"zero point + {shift}", garden.turn(index)
            yield Plan("output-zero-point", variant, network, recipe, edit=edit)
    for index, factor in enumerate((0.1, 0.3, 5.0, 20.0, 1 / 256)):
        edit = partial(multiply_scale, is_input=False, factor=factor)
        for recipe in BORDERS:
            variant, network = f"scale × {factor:.3g}", garden.turn(index)
            yield Plan("output-scale", variant, network, recipe, edit=edit)


def calibrations(garden: Garden) -> Iterator[Plan]:
    """Calibrated on anything but training images."""
    pixels, rng = garden.first_pixels(), garden.rng(2)
    noise = rng.uniform(0, 1, pixels.shape).astype(np.float32)
    wrong = {
        "noise 0..1": noise,
        "noise 0..255": noise * 255,
        "normal noise": rng.normal(0, 1, pixels.shape).astype(np.float32),
        "divided by 255": pixels / 255,
        "black": pixels[:5] * 0,
        "grey": pixels[:5] * 0 + 128,
    }
    for index, (name, images) in enumerate(wrong.items()):
        for recipe in (*BORDERS, "int8-float32"):
            network = _in_turn(garden, index)
            yield Plan("calibration", name, network, recipe, calibration=images)


def _in_turn(garden: Garden, index: int) -> Network:
    return garden.turn(index, ("unit", "raw")[index % 2])
