"""Which output stands for which class: find a permutation of the labels, honestly."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edge_runtime.doctor.corrections import Correction
from edge_runtime.inference.recalibration import Floats
from edge_runtime.proof.metrics.matching import best_matching

# Matching takes time that grows with the third power of the classes.
_MOST_CLASSES = 300
# A class counts as moved only if the exchange it takes part in wins this share of its images.
_LEAST_SHARE = 0.25
_MEND = (
    "Put the class names into the order of the outputs, in the manifest's class_names (or --labels "
    "of `fmnist-edge classify`)."
)


def relabellings(outputs: Floats, goal: Floats) -> Iterator[Correction]:
    """Yield the permutations that may be planted: off by one, reversed, and the best fit.

    The best of K! permutations looks good on the images that chose it: judge it on others.

    Args:
        outputs: (N, K) numbers of a model.
        goal: (N, K) what they should be: the full model's probabilities, or 1 for the true class.
    """
    count = outputs.shape[1]
    order = np.arange(count)
    by_one = "The labels are off by one: each output stands for the next class or the one before"
    rows = [
        ("labels-off-by-one", by_one, "labels moved by one", np.roll(order, -1)),
        ("labels-off-by-one", by_one, "labels moved by one", np.roll(order, 1)),
        ("labels-reversed", "The labels are in reversed order", "labels reversed", order[::-1]),
    ]
    if count <= _MOST_CLASSES and np.isfinite(outputs).all():
        fitted = _fit(outputs, goal)
        moved = int((fitted != order).sum())
        cause = f"The labels are permuted: {moved} outputs stand for other classes than their names"
        tried = "best permutation of the labels, found on other images"
        rows.append(("labels-permuted", f"{cause} say", tried, fitted))
    known = {tuple(range(count))}
    for kind, cause, tried, class_of_output in rows if count > 2 else rows[3:]:
        places = tuple(map(int, class_of_output))
        if places not in known:
            known.add(places)
            yield Correction(kind, cause, tried, _MEND, class_of_output=places)


def _fit(outputs: Floats, goal: Floats) -> NDArray[np.int64]:
    """Return the class of each output that makes most answers right, changing no more than pays."""
    count = outputs.shape[1]
    confusion = np.zeros((count, count))
    np.add.at(confusion, outputs.argmax(axis=1), goal)
    matched, fitted = best_matching(confusion), np.arange(count)
    for start in range(count):
        cycle = [start]
        while matched[cycle[-1]] != start:
            cycle.append(int(matched[cycle[-1]]))
        gain = confusion[cycle, matched[cycle]].sum() - confusion[cycle, cycle].sum()
        if gain > _LEAST_SHARE * goal[:, cycle].sum():
            fitted[cycle] = matched[cycle]
    return fitted
