"""Counting by number, the same on 32-bit and 64-bit systems."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def count_numbers(numbers: NDArray[np.integer[Any]], at_least: int = 0) -> NDArray[np.int64]:
    """Return how often each of 0, 1, 2, … occurs, (K,) with K ``at_least``.

    `np.bincount` refuses int64 on a 32-bit system, and answers in 32 bits there.
    """
    counts: NDArray[np.int64] = np.bincount(numbers.astype(np.intp), minlength=at_least).astype(
        np.int64
    )
    return counts
