"""Files without a fault, of strong and of weak networks."""

from collections.abc import Iterator
from itertools import count, product

from planting.datasets import coloured_shapes, few_classes, resized
from planting.networks import train
from planting.plans import RECIPES, Garden, Plan

HEALTHY = "healthy"


def settled(garden: Garden) -> Iterator[Plan]:
    """Networks of all architectures, domains and datasets, after one epoch and more."""
    for recipe in RECIPES:
        yield Plan(HEALTHY, "unit", garden.network("article", "unit"), recipe)
        yield Plan(HEALTHY, "one epoch", garden.network("separable", "unit", None, 1), recipe)
    rows = (
        ("article", "raw", None, 12),
        ("dense", "signed", None, 12),
        ("separable", "standard", None, 12),
        ("article", "unit", None, 1),
        ("dense", "unit", None, 1),
        ("dense", "raw", None, 1),
        ("article", "unit", garden.colour, 12),
        ("separable", "unit", coloured_shapes(20, 28, 4, seed=1), 12),
        ("dense", "signed", garden.colour, 2),
        ("article", "unit", few_classes(garden.sample, 2), 2),
        ("separable", "unit", few_classes(garden.sample, 3), 3),
    )
    for recipe, row in product(("float32", "int8"), rows):
        network = garden.network(*row)
        yield Plan(HEALTHY, network.name, network, recipe)


def young(garden: Garden) -> Iterator[Plan]:
    """Networks with batch norms that have hardly settled, of several sizes."""
    sample, number = garden.sample, count()
    datasets = (sample, resized(sample, 20, 24), resized(sample, 32, 32, 3))
    for dataset, name in product(datasets, ("separable", "normed")):
        for network in train(name, "unit", dataset, epochs=range(1, 6), seed=garden.seed):
            yield Plan(HEALTHY, "young", network, RECIPES[next(number) % len(RECIPES)])
