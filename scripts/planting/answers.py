"""Faults of the answers: labels in another order, softmax, networks beyond help."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from planting.cores import changed_last, permuted, shuffled, without_softmax
from planting.plans import RECIPES, Garden, Plan

ORDER = np.arange(10)


def labels(garden: Garden) -> Iterator[Plan]:
    """Labels in another order, in the network or in the manifest."""
    rng = garden.rng(1)
    random = [rng.permutation(10) for _ in range(3)]
    swap = ORDER.copy()
    swap[[3, 5]] = swap[[5, 3]]
    for index, recipe in enumerate(("float32", "int8", "dynamic", "int8-uint8", "int16x8")):
        network = garden.turn(index)
        orders = {
            "labels-off-by-one": np.roll(ORDER, (1, -1)[index % 2]),
            "labels-reversed": ORDER[::-1],
            "labels-permuted": (*random, swap)[index % 4],
        }
        for kind, order in orders.items():
            if index % 2:
                yield Plan(kind, "last layer", network, recipe, core=permuted(network.core, order))
            else:
                yield Plan(kind, "manifest", network, recipe, manifest=_named_in(order))


def _named_in(order: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        names = document["class_names"]
        document.update(class_names=[names[index] for index in order])

    return change


def softmaxes(garden: Garden) -> Iterator[Plan]:
    """One softmax too many, or too few."""
    twice = "softmax-twice"
    for index, recipe in enumerate(RECIPES):
        network = garden.turn(index)
        yield Plan(twice, "second layer", network, recipe, after=keras.layers.Softmax())
        yield Plan(twice, "manifest says logits", network, recipe, manifest=_say_logits)
        core = without_softmax(network.core)
        yield Plan("softmax-missing", "manifest says probabilities", network, recipe, core=core)


def _say_logits(document: dict[str, Any]) -> None:
    document.update(output="logits")


def dead(garden: Garden) -> Iterator[Plan]:
    """Networks beyond help."""
    constant = {
        "zero kernel": lambda kernel, bias: (kernel * 0, bias),
        "large bias": lambda kernel, bias: (kernel, bias + 1e4 * (ORDER == 3)),
    }
    not_numbers = {
        "NaN in the bias": lambda kernel, bias: (kernel, bias * np.nan),
        "NaN in the kernel": lambda kernel, bias: (kernel * np.nan, bias),
    }
    for index, recipe in enumerate(("float32", "int8", "dynamic", "float16", "int16x8")):
        network = garden.turn(index)
        core = network.core
        for variant, change in constant.items():
            changed = changed_last(core, change)
            yield Plan("constant-output", variant, network, recipe, core=changed)
        random = shuffled(core, garden.seed)
        yield Plan("untrained", "random weights", network, recipe, core=random)
        if not recipe.startswith("int"):
            for variant, change in not_numbers.items():
                yield Plan("nan", variant, network, recipe, core=changed_last(core, change))
