"""When a correction explains that a model answers otherwise than its full model."""

from typing import Any

import numpy as np
import pytest

from edge_runtime.doctor.judging import alike_limit, distances, explanations


def test_the_distance_is_the_total_variation() -> None:
    one = np.array([[1, 0], [0.5, 0.5], [np.nan, 0]], np.float32)
    other = np.array([[0, 1], [0.25, 0.75], [1, 0]], np.float32)
    assert distances(one, other).tolist() == [1, 0.25, 1]


def test_the_coarser_numbers_set_the_limit() -> None:
    assert alike_limit("int8", "keras") == 16 / 256
    assert alike_limit("float32", "int8") == 16 / 256
    assert alike_limit("float16", "float32") == 16 / 2048
    assert alike_limit("float32", "keras") < 3e-4


def always(distances: Any) -> Any:
    return lambda part: distances[part]


def test_what_fits_on_both_halves_explains_and_the_closest_is_first() -> None:
    rng = np.random.default_rng(0)
    before, near, nearer = rng.random(200), 0.04 * rng.random(200), 0.02 * rng.random(200)
    half = np.where(np.arange(200) < 100, near, before)
    tried = [always(one) for one in (before, half, near, nearer)]
    assert explanations(before, tried, limit=1 / 16) == [3]
    assert explanations(before, tried[:3], limit=1 / 16) == [2]


def test_what_explains_equally_well_is_all_said() -> None:
    rng = np.random.default_rng(0)
    before, near = rng.random(200), 0.04 * rng.random(200)
    assert set(explanations(before, [always(near), always(near)], limit=1 / 16)) == {0, 1}


@pytest.mark.parametrize("seed", range(10))
def test_luck_explains_nothing(seed: int) -> None:
    """Forty corrections that change nothing, of a file that is a little further off than most."""
    rng = np.random.default_rng(seed)
    tried = [always(0.13 * rng.random(250)) for _ in range(40)]
    assert explanations(0.13 * rng.random(250), tried, limit=1 / 16) == []
