"""Faults of the weights: bits, biases, batch norms, another training."""

from collections.abc import Iterator
from functools import partial

from planting.cores import lagging, trained_further, without_biases
from planting.edits import flip_bits, lose_bias
from planting.networks import Network, train
from planting.plans import RECIPES, Garden, Plan

COUNT = 14


def flipped_bits(garden: Garden) -> Iterator[Plan]:
    """Bits of the weights of one layer flipped, in the file."""
    for number, network, recipe in _damaged(garden):
        share = (0.002, 0.01, 0.05)[number % 3]
        edit = partial(flip_bits, share=share, rng=garden.rng(number))
        yield Plan("bits-flipped", f"{share:.1%} of the bytes", network, recipe, edit=edit)


def lost_biases(garden: Garden) -> Iterator[Plan]:
    """Biases that are zero: of all layers before the conversion, or of one in the file."""
    for number, network, recipe in _damaged(garden):
        if number % 2:
            edit = partial(lose_bias, rng=garden.rng(number))
            yield Plan("bias-lost", "one layer", network, recipe, edit=edit)
        else:
            core = without_biases(network.core)
            yield Plan("bias-lost", "all layers", network, recipe, core=core)


def batch_norms(garden: Garden) -> Iterator[Plan]:
    """Moving averages that were never loaded, or that lag behind."""
    networks = (
        garden.network("normed", "unit"),
        garden.network("separable", "unit"),
        garden.network("separable", "unit", garden.colour),
    )
    for number in range(COUNT):
        share, network = (0.0, 0.5, 0.8, 0.0)[number % 4], networks[number % 3]
        variant = f"{share:.0%} of the way" if share else "never loaded"
        core = lagging(network.core, share)
        yield Plan("batch-norm", variant, network, RECIPES[number % len(RECIPES)], core=core)


def checkpoints(garden: Garden) -> Iterator[Plan]:
    """The same network, trained from another seed, or one epoch more.

    Not on coloured shapes: these are learnt by heart, and another epoch answers alike.
    """
    for number, network, recipe in _damaged(garden, colour=False):
        if number % 2:
            core = trained_further(network)
        else:
            name = network.name.partition("/")[0]
            core = train(name, "unit", network.dataset, epochs=[5], seed=garden.seed + 100)[0].core
        variant = "one epoch more" if number % 2 else "another seed"
        yield Plan("other-training", variant, network, recipe, core=core)


def _damaged(garden: Garden, *, colour: bool = True) -> Iterator[tuple[int, Network, str]]:
    """Yield networks and recipes for faults of weights, numbered."""
    networks = (
        garden.network("article", "unit"),
        garden.network("normed", "unit"),
        garden.network("dense", "unit"),
        garden.network("separable", "unit", garden.colour if colour else None),
    )
    for number in range(COUNT):
        yield number, networks[number % 4], RECIPES[number % len(RECIPES)]
