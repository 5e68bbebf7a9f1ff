"""Faults of the pixels: scaled, inverted, moved, with other colours."""

from collections.abc import Iterator
from functools import reduce
from typing import Any

import keras
import numpy as np

from planting.plans import Garden, Layer, Plan

layers = keras.layers


def _untouched(pixels: Any) -> Any:
    return pixels


def _through(*chain: Layer) -> Layer:
    """Return one layer after the other."""
    return lambda pixels: reduce(lambda x, layer: layer(x), chain, pixels)


def scales(garden: Garden) -> Iterator[Plan]:
    """Pixels scaled once too often, or not at all."""
    divided, to_signed = layers.Rescaling(1 / 255), layers.Rescaling(1 / 127.5, -1.0)
    rows: tuple[tuple[str, str, str, Layer], ...] = (
        ("inputs-not-divided", "no Rescaling", "unit", _untouched),
        ("inputs-divided-twice", "Rescaling twice", "unit", _through(divided, divided)),
        ("inputs-divided-twice", "Rescaling on raw weights", "raw", divided),
        ("inputs-minus-one-to-one", "none", "signed", _untouched),
        ("inputs-minus-one-to-one", "on raw weights", "raw", to_signed),
        ("inputs-standardized", "none", "standard", _untouched),
    )
    recipes = ("float32", "int8", "int8-uint8", "dynamic", "int8-float32", "int16x8")
    for index, recipe in enumerate(recipes):
        for kind, variant, domain, before in rows:
            yield Plan(kind, variant, garden.turn(index, domain), recipe, before)
        if recipe.startswith("int"):
            kind, images = "inputs-not-divided", garden.first_pixels() / 255
            network = garden.turn(index)
            yield Plan(
                kind, "right for 0..1", network, recipe, before=_untouched, calibration=images
            )


def odd_factors(garden: Garden) -> Iterator[Plan]:
    """Pixels scaled by a factor that nobody would guess, in front of the right scaling."""
    network = garden.network("separable", "signed")
    for factor in (0.1, 0.5, 2.0):
        before = _through(layers.Rescaling(factor), layers.Rescaling(1 / 127.5, -1.0))
        yield Plan("input-scale", f"Rescaling({factor:g})", network, before=before)


def inversions(garden: Garden) -> Iterator[Plan]:
    """Bright and dark exchanged."""
    recipes = ("float32", "int8", "int8-uint8", "float16", "int16x8", "int8-float32")
    rows = (
        ("255 - x", "unit", (-1 / 255, 1.0)),
        ("255 - x on raw weights", "raw", (-1.0, 255.0)),
    )
    for index, recipe in enumerate(recipes):
        for variant, domain, numbers in rows:
            inverting = layers.Rescaling(*numbers)
            yield Plan("inverted", variant, garden.turn(index, domain), recipe, inverting)

    def say_light(document: dict[str, Any]) -> None:
        document["preprocessing"].update(background="light")

    yield Plan("inverted", "manifest's background", garden.turn(0), "int8", manifest=say_light)


def moves(garden: Garden) -> Iterator[Plan]:
    """Images turned and mirrored."""
    take, back, turn = keras.ops.take, np.arange(27, -1, -1), layers.Permute((2, 1, 3))
    ways: dict[str, list[Layer]] = {
        "transposed": [turn],
        "mirrored": [lambda x: take(x, back, axis=2)],
        "upside-down": [lambda x: take(x, back, axis=1)],
        "rotated": [
            lambda x: take(take(x, back, axis=1), back, axis=2),
            lambda x: take(turn(x), back, axis=1),
            lambda x: take(turn(x), back, axis=2),
        ],
    }
    for kind, found in ways.items():
        for index, recipe in enumerate(("float32", "int8", "int8-uint8", "dynamic", "int16x8")):
            number, network = index % len(found), garden.turn(index)
            moved = _then_right(network, found[number])
            yield Plan(kind, f"way {number}", network, recipe, moved)


def channels(garden: Garden) -> Iterator[Plan]:
    """Colours exchanged."""
    orders = ([2, 1, 0], [1, 0, 2], [2, 0, 1], [0, 2, 1], [1, 2, 0])
    for index, recipe in enumerate(("float32", "int8", "int8-uint8", "float16", "int16x8")):
        network = garden.network(("article", "separable")[index % 2], "unit", garden.colour)
        for order in (orders[0], orders[index]):
            exchanged = _then_right(network, _taking(order))
            yield Plan("channels", f"order {order}", network, recipe, exchanged)


def _taking(order: list[int]) -> Layer:
    return lambda x: keras.ops.take(x, np.array(order), axis=3)


def _then_right(network: Any, change: Layer) -> Layer:
    return lambda x: network.right_input(change(x))
