"""Which output stands for which class: find a permutation of the labels, honestly."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.counting import count_numbers
from edge_runtime.doctor.evidence import Score, score
from edge_runtime.doctor.subject import Floats

Integers = NDArray[np.int64]
Kind = Literal["labels-off-by-one", "labels-reversed", "labels-permuted"]

# Matching takes time that grows with the third power of the classes.
_MOST_CLASSES = 300
# A class counts as moved only if the exchange it takes part in wins this share of its images.
_LEAST_SHARE = 0.25


@dataclass(frozen=True, eq=False)
class Relabelling:
    """A permutation of the labels.

    Attributes:
        kind: the family.
        class_of_output: (K,) the class that each output stands for.
        score: after relabelling; each image was judged by a permutation found without it.
    """

    kind: Kind
    class_of_output: Integers
    score: Score


def relabellings(outputs: Floats, labels: Integers) -> list[Relabelling]:
    """Return the permutations that may be planted: off by one, reversed, and the best fit.

    The best fit is found on one half of the images and judged on the other, both ways, since the
    best of K! permutations looks good on the images that chose it.

    Args:
        outputs: (N, K) float32.
        labels: (N,) int64.
    """
    count = outputs.shape[1]
    order = np.arange(count)
    found = []
    if count > 2:
        for shift in (1, -1):
            found.append(_relabelled("labels-off-by-one", (order + shift) % count, outputs, labels))
        found.append(_relabelled("labels-reversed", order[::-1].copy(), outputs, labels))
    if count <= _MOST_CLASSES and np.isfinite(outputs).all():
        found.append(_best_fit(outputs, labels))
    return [one for one in found if not np.array_equal(one.class_of_output, order)]


def reorder(outputs: Floats, class_of_output: Integers) -> Floats:
    """Return the outputs in the order of the classes."""
    ordered = np.empty_like(outputs)
    ordered[:, class_of_output] = outputs
    return ordered


def _relabelled(
    kind: Kind, class_of_output: Integers, outputs: Floats, labels: Integers
) -> Relabelling:
    return Relabelling(kind, class_of_output, score(reorder(outputs, class_of_output), labels))


def _best_fit(outputs: Floats, labels: Integers) -> Relabelling:
    half = _halves(labels)
    whole = _fit(outputs, labels)
    right = np.zeros(len(labels), bool)
    for side in (False, True):
        judged = half == side
        fitted = _fit(outputs[~judged], labels[~judged])
        right[judged] = score(reorder(outputs[judged], fitted), labels[judged]).right
    relabelled = _relabelled("labels-permuted", whole, outputs, labels)
    return replace(relabelled, score=replace(relabelled.score, right=right))


def _halves(labels: Integers) -> NDArray[np.bool_]:
    """Return (N,) which half each image is in; the images of each class take turns."""
    half = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        half[members] = np.arange(len(members)) % 2 == 1
    return half


def _fit(outputs: Floats, labels: Integers) -> Integers:
    """Return the class of each output that makes most answers right, changing no more than pays."""
    count = outputs.shape[1]
    confusion = np.zeros((count, count))
    np.add.at(confusion, (outputs.argmax(axis=1), labels), 1)
    matched = best_matching(confusion)
    sizes = count_numbers(labels, count)
    fitted = np.arange(count)
    for cycle in _cycles(matched):
        gain = confusion[cycle, matched[cycle]].sum() - confusion[cycle, cycle].sum()
        if gain > _LEAST_SHARE * sizes[cycle].sum():
            fitted[cycle] = matched[cycle]
    return fitted


def _cycles(permutation: Integers) -> list[list[int]]:
    seen: set[int] = set()
    cycles = []
    for start in range(len(permutation)):
        cycle, index = [], start
        while index not in seen:
            seen.add(index)
            cycle.append(index)
            index = int(permutation[index])
        if len(cycle) > 1:
            cycles.append(cycle)
    return cycles


def best_matching(gains: NDArray[np.float64]) -> Integers:
    """Return the column for each row, each column once, with the largest sum of gains.

    The Hungarian method with potentials (Kuhn 1955, Naval Research Logistics Quarterly 2: 83-97),
    in the shortest-path form, O(K³).

    Args:
        gains: (K, K).
    """
    size = len(gains)
    cost = gains.max(initial=0) - gains
    rows, columns = np.zeros(size + 1), np.zeros(size + 1)
    row_of = np.full(size + 1, -1)  # the last column is where each search begins
    for row in range(size):
        row_of[size] = row
        column = size
        shortest = np.full(size + 1, np.inf)
        before = np.full(size + 1, size)
        done = np.zeros(size + 1, bool)
        while row_of[column] >= 0:
            done[column] = True
            current = row_of[column]
            reduced = cost[current] - rows[current] - columns[:size]
            closer = ~done[:size] & (reduced < shortest[:size])
            shortest[:size][closer] = reduced[closer]
            before[:size][closer] = column
            open_ = np.where(done[:size], np.inf, shortest[:size])
            column = int(open_.argmin())
            delta = open_[column]
            rows[row_of[done]] += delta
            columns[done] -= delta
            shortest[~done] -= delta
        while column != size:
            row_of[column] = row_of[before[column]]
            column = int(before[column])
        row_of[size] = -1
    matched = np.empty(size, np.int64)
    matched[row_of[:size]] = np.arange(size)
    return matched
