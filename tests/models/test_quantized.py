"""Copies of a quantized file with other scales and zero points."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.models.quantized import Affine, QuantizedFile


def test_surgery_that_changes_nothing_returns_the_same_bytes(
    tiny_model: Callable[[str], Path],
) -> None:
    for name in ("int8", "int8-uint8-border", "int16x8"):
        data = tiny_model(name).read_bytes()
        file = QuantizedFile(data)
        same = {index: group.affine for group in file.groups for index in group.tensors}
        assert all(group.consistent for group in file.groups)
        assert file.with_affines(same) == data


def test_surgery_keeps_the_real_bias_when_the_input_scale_changes(
    tiny_model: Callable[[str], Path],
) -> None:
    file = QuantizedFile(tiny_model("int8").read_bytes())
    source, weights, bias = file.bias_operators()[0]
    changed = QuantizedFile(
        file.with_affines({source.index: Affine(source.scales[0] / 2, source.zero_points[0])})
    )
    new_source, _, new_bias = changed.bias_operators()[0]
    assert new_source.scales[0] == source.scales[0] / 2
    np.testing.assert_allclose(
        new_bias.scales, np.array(weights.scales) * new_source.scales[0], rtol=1e-6
    )
    assert np.array(bias.scales) == pytest.approx(np.array(new_bias.scales) * 2)


def test_a_scale_that_contradicts_the_bias_is_restored(
    tiny_model: Callable[[str], Path], changed_model: Callable[..., bytes]
) -> None:
    def triple(model: Any) -> None:
        tensor = model.subgraphs[0].tensors[int(model.subgraphs[0].inputs[0])]
        tensor.quantization.scale = [3 * float(tensor.quantization.scale[0])]

    file = QuantizedFile(changed_model("int8", triple))
    source, weights, bias = file.bias_operators()[0]
    implied = np.median(np.array(bias.scales) / np.array(weights.scales))
    assert source.scales[0] == pytest.approx(3 * implied, rel=1e-4)
