"""The best matching of rows and columns."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from edge_runtime.proof.metrics.matching import best_matching


@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_the_matching_is_as_good_as_scipys(size: int, seed: int) -> None:
    gains = np.random.default_rng(seed).integers(0, 30, (size, size)).astype(float)
    matched = best_matching(gains)
    assert sorted(matched) == list(range(size))
    rows, columns = linear_sum_assignment(-gains)
    assert gains[np.arange(size), matched].sum() == gains[rows, columns].sum()
