"""Drawing images for a measurement, so that every class has its share of them."""

import numpy as np
from numpy.typing import NDArray


def balanced(labels: NDArray[np.int64], *, size: int, seed: int) -> NDArray[np.int64]:
    """Return the places of up to ``size`` images, drawn with ``seed``, the classes in turn."""
    order = np.random.default_rng(seed).permutation(len(labels))
    turns, _ = _turns(labels[order])
    chosen: NDArray[np.int64] = order[np.argsort(turns, kind="stable")][:size]
    return chosen


def in_proportion(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return an order in which any part from the start has each class in proportion."""
    turns, sizes = _turns(labels)
    return np.argsort((turns + 0.5) / sizes, kind="stable")


def _turns(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (2, N) the place of each image within its class, and the size of that."""
    turns = np.empty((2, len(labels)), np.int64)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        turns[:, members] = np.arange(len(members)), np.full(len(members), len(members))
    return turns
