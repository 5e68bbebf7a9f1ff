"""Which rows and columns of a table belong together, as of a confusion matrix."""

import numpy as np
from numpy.typing import NDArray


def best_matching(gains: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the column for each row, each column once, with the largest sum of (K, K) gains.

    The Hungarian method with potentials (Kuhn 1955, Naval Research Logistics Quarterly 2: 83-97),
    in the shortest-path form, O(K³).
    """
    size = len(gains)
    cost = gains.max(initial=0) - gains
    rows, columns = np.zeros(size + 1), np.zeros(size + 1)
    row_of = np.full(size + 1, -1)  # the last column is where each search begins
    for row in range(size):
        row_of[size], column = row, size
        shortest, before = np.full(size + 1, np.inf), np.full(size + 1, size)
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
