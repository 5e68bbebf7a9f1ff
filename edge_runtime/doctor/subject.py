"""The model under examination, and raw access to it: real numbers in, real numbers out."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.doctor.workbench import Workbench
from edge_runtime.inference.quantization import dequantize, quantize
from edge_runtime.models.inspection import TensorInfo, inspect_model

Floats = NDArray[np.float32]

_MOST_CLIPPED = 0.05
_FEWEST_STEPS = 60
# Other kernels differ by a few of 256 steps behind several layers; other contents by far more.
_OTHER_NUMBERS = 0.04


class Trial:
    """A .tflite classifier that takes real-valued inputs, through its own input's quantization.

    Args:
        data: the .tflite bytes, already inspected once.
        bench: what runs it.

    Raises:
        ModelError: the bytes are damaged, or the runtime refuses them or dies of them.
    """

    def __init__(self, data: bytes, bench: Workbench) -> None:
        summary = inspect_model(data)
        self.input: TensorInfo = summary.inputs[0]
        self.output: TensorInfo = summary.outputs[0]
        self._data = data
        self._bench = bench
        bench.load(data)

    def answers(self, inputs: Floats) -> Floats:
        """Return the (N, K) dequantized outputs for (N, H, W, C) real inputs.

        Raises:
            ModelError: the runtime fails or dies while it runs.
        """
        quantized = quantize(inputs, self.input)
        missing = -len(quantized) % self.input.shape[0]
        # The last batch is filled up with the first image.
        filled = np.concatenate([quantized, np.repeat(quantized[:1], missing, axis=0)])
        raw = self._bench.run(self._data, filled)[: len(inputs)]
        return dequantize(raw, self.output)

    def can_hold(self, inputs: Floats) -> bool:
        """Return whether an integer input tensor can say these numbers well enough.

        Cut off or squeezed into a few steps, they would say nothing about a correction.
        """
        if self.input.dtype == "float32":
            return True
        limits = np.iinfo(self.input.dtype)
        steps = inputs / self.input.scales[0] + self.input.zero_points[0]
        outside = np.mean((steps > limits.max + 1) | (steps < limits.min - 1))
        return bool(outside <= _MOST_CLIPPED and np.ptp(steps) >= _FEWEST_STEPS)


@dataclass(frozen=True)
class Extremes:
    """The smallest and largest number that a tensor held, in its own numbers.

    Attributes:
        low: smallest.
        high: largest.
        varies: whether it was not the same for every image.
    """

    low: float
    high: float
    varies: bool


def observe(
    data: bytes,
    bench: Workbench,
    inputs: Floats,
    tensors: tuple[int, ...],
    kept: Callable[[bytes, int], bytes],
    hidden: Collection[int] = (),
) -> dict[int, Extremes]:
    """Return what the computed tensors hold while the images go through.

    As `Workbench.observe`, this is evidence of ranges and never of answers.

    Args:
        data: the .tflite bytes.
        bench: what runs them.
        inputs: (N, H, W, C) real inputs.
        tensors: which to look at, by index.
        kept: returns a copy of bytes of which a tensor is the output.
        hidden: those of the tensors that `hidden_tensors` names; they are looked at one by one.

    Raises:
        ModelError: the runtime refuses, fails or dies.
    """
    quantized = quantize(inputs, inspect_model(data).inputs[0])
    seen = bench.observe(data, quantized, tensors)
    for place, tensor in enumerate(tensors):
        if tensor in hidden:
            seen[:, place] = _kept_extremes(kept(data, tensor), bench, quantized)
    return {
        tensor: Extremes(
            float(seen[:, place, 0].min()),
            float(seen[:, place, 1].max()),
            len(np.unique(seen[:, place], axis=0)) > 1,
        )
        for place, tensor in enumerate(tensors)
    }


def hidden_tensors(
    data: bytes,
    bench: Workbench,
    inputs: Floats,
    tensors: tuple[int, ...],
    kept: Callable[[bytes, int], bytes],
) -> frozenset[int]:
    """Return the tensors whose memory the runtime reuses although it is told to keep them all.

    tflite-runtime 2.14.0 writes the answer of an int16 softmax over its input. Such a tensor holds
    other numbers than where it is the output.

    Args:
        data: the .tflite bytes.
        bench: what runs them.
        inputs: a few real inputs.
        tensors: which to look at, by index.
        kept: returns a copy of bytes of which a tensor is the output.

    Raises:
        ModelError: the runtime refuses, fails or dies.
    """
    summary = inspect_model(data)
    quantized = quantize(inputs, summary.inputs[0])
    seen = bench.observe(data, quantized, tensors)
    hidden = []
    for place, tensor in enumerate(tensors):
        if tensor == summary.inputs[0].index:
            continue
        true = _kept_extremes(kept(data, tensor), bench, quantized)
        limits = np.iinfo(summary.tensors[tensor].dtype)
        off = np.abs(seen[:, place, :2] - true[:, :2]).max()
        if off > _OTHER_NUMBERS * (limits.max - limits.min):
            hidden.append(tensor)
    return frozenset(hidden)


def _kept_extremes(data: bytes, bench: Workbench, inputs: NDArray[Any]) -> NDArray[np.float64]:
    """Return (N, 3) the output's smallest and largest number for each image, and their sum."""
    batch = inspect_model(data).inputs[0].shape[0]
    numbers = bench.run(data, np.repeat(inputs, batch, axis=0))
    each = numbers.reshape(len(inputs), -1).astype(np.float64)
    return np.stack([each.min(axis=1), each.max(axis=1), each.sum(axis=1)], axis=1)
