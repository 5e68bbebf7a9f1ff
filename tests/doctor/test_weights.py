"""Weights held against the full model's: what rounding does, and what it does not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.doctor.weights import differences, weights_cause
from edge_runtime.models.quantized import QuantizedFile
from edge_runtime.models.quantized.layers import Constant, layers_of

Change = Callable[[Any], None]


@pytest.fixture
def compared(
    tiny_model: Callable[[str], Path], changed_model: Callable[[str, Change], bytes]
) -> Callable[[str, Change], Any]:
    """`compared("int8", change)` is the cause that a change of a tiny model's weights has."""

    def compare(name: str, change: Change) -> Any:
        full = QuantizedFile(tiny_model("float32").read_bytes())
        found = differences(QuantizedFile(changed_model(name, change)), full)
        return weights_cause(found) if found else found

    return compare


def buffer_of(model: Any, layer: int, place: int) -> Any:
    """The buffer of the weights (1) or biases (2) of the first layers; of float16 its halves."""
    graph = model.subgraphs[0]
    makers = {int(index): one for one in graph.operators for index in one.outputs}
    with_weights = [one for one in graph.operators if len(one.inputs) == 3]
    index = int(with_weights[layer].inputs[place])
    if index in makers:
        index = int(makers[index].inputs[0])
    return model.buffers[graph.tensors[index].buffer]


@pytest.mark.parametrize("name", ["float32", "float16", "dynamic", "int8", "int16x8"])
def test_rounding_is_no_difference(tiny_model: Callable[[str], Path], name: str) -> None:
    files = [QuantizedFile(tiny_model(one).read_bytes()) for one in (name, "float32")]
    assert layers_of(files[0])
    assert differences(*files) == []


@pytest.mark.parametrize("name", ["float32", "float16", "dynamic", "int8", "int16x8"])
def test_one_flipped_bit_is_found_with_its_layer(name: str, compared: Any) -> None:
    def flip(model: Any) -> None:
        buffer = buffer_of(model, 1, 1)
        data = np.array(buffer.data, np.uint8)
        data[-1] ^= 64  # of a float the highest bit but one of the exponent
        buffer.data = data

    cause = compared(name, flip)
    assert cause.kind == "bits-flipped"
    assert "first in layer 2 (" in cause.cause
    assert "1 of them are off" in cause.cause


def test_lost_biases_are_called_that(
    tiny_model: Callable[[str], Path], changed_model: Callable[[str, Change], bytes]
) -> None:
    """The tiny model has none: they are zero, and those of this full model are not."""

    def add(model: Any) -> None:
        buffer = buffer_of(model, 0, 2)
        ones = np.ones(len(buffer.data) // 4, np.float32)
        buffer.data = ones.view(np.uint8)

    full = QuantizedFile(changed_model("float32", add))
    found = differences(QuantizedFile(tiny_model("int8").read_bytes()), full)
    assert found
    cause = weights_cause(found)
    assert cause.kind == "bias-lost"
    assert "first in layer 1 (" in cause.cause


def test_a_factor_for_each_channel_is_a_batch_norm(compared: Any) -> None:
    def scale(model: Any) -> None:
        buffer = buffer_of(model, 0, 1)
        weights = np.array(buffer.data, np.uint8).view(np.float32)
        channels = weights.reshape(weights.size // 9, 9)  # 3 × 3 pixels for each of one channel
        factors = np.linspace(0.5, 2, len(channels), dtype=np.float32)[:, np.newaxis]
        buffer.data = np.ascontiguousarray(channels * factors).view(np.uint8).ravel()

    assert compared("float32", scale).kind == "batch-norm"


def test_other_weights_all_over_are_of_another_training(compared: Any) -> None:
    def exchange(model: Any) -> None:
        buffer = buffer_of(model, 0, 1)
        data = np.array(buffer.data, np.uint8).view(np.float32)
        buffer.data = np.random.default_rng(0).permutation(data).view(np.uint8)

    assert compared("float32", exchange).kind == "other-training"


def test_exchanged_channels_are_not_flipped_bits(compared: Any) -> None:
    def exchange(model: Any) -> None:
        buffer = buffer_of(model, 1, 1)
        rows = np.array(buffer.data, np.uint8).view(np.float32).reshape(10, -1)
        rows[[3, 5]] = rows[[5, 3]]
        buffer.data = rows.view(np.uint8).ravel()

    assert compared("float32", exchange).kind == "other-training"


def test_the_common_factor_must_fit_every_weight_of_a_channel() -> None:
    full = Constant(np.array([[1.0, 2.0, -3.0]]), np.zeros((1, 3)))
    slack = np.full((1, 3), 0.05)
    assert Constant(np.array([[0.52, 0.98, -1.5]]), slack).is_multiple(full, axis=1)
    assert not Constant(np.array([[0.52, 0.98, 1.5]]), slack).is_multiple(full, axis=1)
    assert not Constant(np.array([[-0.5, -1.0, 1.5]]), slack).is_multiple(full, axis=1)


def test_graphs_with_other_layers_are_not_compared(
    tiny_model: Callable[[str], Path], run_folder: Path
) -> None:
    tiny = QuantizedFile(tiny_model("float32").read_bytes())
    assert differences(tiny, QuantizedFile((run_folder / "float32.tflite").read_bytes())) is None
