"""Ranges that are fitted to images with nothing but the runtime."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.doctor.ranges import saw_nothing
from edge_runtime.inference.loading.workbench import Workbench
from edge_runtime.inference.recalibration import affine_for, recalibrate
from edge_runtime.models.quantized import Affine, QuantizedFile, range_of
from edge_runtime.runtimes.backends import choose_backend


@given(
    st.floats(-50, 50), st.floats(-50, 50), st.sampled_from(["int8", "uint8", "int16"])
)  # fmt: skip
def test_a_range_is_held_by_its_scale_and_zero_point(one: float, two: float, dtype: str) -> None:
    low, high = min(one, two, 0.0), max(one, two, 0.0)
    affine = affine_for(low, high, dtype)
    held_low, held_high = range_of(affine, dtype)
    # The zero point is rounded, so half a step may be missing at one end.
    assert held_low <= low + 0.51 * affine.scale
    assert held_high >= high - 0.51 * affine.scale
    assert np.iinfo(dtype).min <= affine.zero_point <= np.iinfo(dtype).max


@pytest.mark.parametrize("name", ["int8", "int8-uint8-border", "int8-float32-border"])
def test_ranges_that_saw_nothing_but_black_are_fitted_again(
    tiny_model: Callable[[str], Path], name: str
) -> None:
    file = QuantizedFile(tiny_model(name).read_bytes())
    inputs = [group for group in file.groups if file.where_is(group) == "input"]
    assert len(inputs) == (2 if name == "int8-uint8-border" else 1)
    blind = {index: Affine(1e-8, 0) for group in inputs for index in group.tensors}
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 1)).astype(np.float32)
    damaged = QuantizedFile(file.with_affines(blind))
    assert saw_nothing(damaged)
    assert not saw_nothing(file)
    with Workbench(choose_backend()) as bench:
        fitted = recalibrate(damaged, bench, images)
    for group in inputs:
        affine = fitted.affines[group.tensors[0]]
        assert affine == Affine(1.0, np.iinfo(group.dtype).min)  # raw pixels
