"""The model under examination, and raw access to it: real numbers in, real numbers out."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.backends import Backend
from edge_runtime.errors import ModelError
from edge_runtime.inspection import TensorInfo, inspect_model
from edge_runtime.native import native_messages_silenced
from edge_runtime.quantization import dequantize, quantize

Floats = NDArray[np.float32]

_MOST_CLIPPED = 0.05
_FEWEST_STEPS = 60


class Trial:
    """A .tflite classifier that takes real-valued inputs, through its own input's quantization.

    Args:
        data: the .tflite bytes, already inspected once.
        backend: the runtime.

    Raises:
        ModelError: the bytes are damaged, or the runtime refuses them.
    """

    def __init__(self, data: bytes, backend: Backend) -> None:
        summary = inspect_model(data)
        self.input: TensorInfo = summary.inputs[0]
        self.output: TensorInfo = summary.outputs[0]
        self._interpreter = backend.load(data)

    def answers(self, inputs: Floats) -> Floats:
        """Return the (N, K) dequantized outputs for (N, H, W, C) real inputs.

        Raises:
            ModelError: the runtime fails while it runs.
        """
        quantized = quantize(inputs, self.input)
        batch = self.input.shape[0]
        parts = []
        for start in range(0, len(quantized), batch):
            part = quantized[start : start + batch]
            missing = batch - len(part)
            if missing:  # the last part is filled up with its own first image
                part = np.concatenate([part, np.repeat(part[:1], missing, axis=0)])
            self._interpreter.set_tensor(self.input.index, part.reshape(self.input.shape))
            try:
                self._interpreter.invoke()
            except RuntimeError as error:
                raise ModelError(f"the runtime fails: {' '.join(str(error).split())}") from error
            parts.append(np.array(self._interpreter.get_tensor(self.output.index)))
        raw = np.concatenate(parts)[: len(inputs)]
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
    data: bytes, backend: Backend, inputs: Floats, tensors: tuple[int, ...]
) -> dict[int, Extremes]:
    """Return what the computed tensors hold while the images go through.

    An interpreter that keeps all tensors runs other kernels than usual, so this is evidence of
    ranges and never of answers.

    Args:
        data: the .tflite bytes.
        backend: the runtime.
        inputs: (N, H, W, C) real inputs.
        tensors: which to look at, by index.

    Raises:
        ModelError: the runtime refuses or fails.
    """
    source = inspect_model(data).inputs[0]
    quantized = quantize(inputs, source)
    try:
        with native_messages_silenced():
            interpreter: Any = backend._interpreter_class()(
                model_content=data, num_threads=1, experimental_preserve_all_tensors=True
            )
            interpreter.allocate_tensors()
        seen = [
            _extremes_of_one(interpreter, source, quantized[index], tensors)
            for index in range(len(quantized))
        ]
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"the runtime refuses: {' '.join(str(error).split())}") from error
    return {
        tensor: Extremes(
            float(np.min([one[tensor][0] for one in seen])),
            float(np.max([one[tensor][1] for one in seen])),
            len({one[tensor] for one in seen}) > 1,
        )
        for tensor in tensors
    }


def _extremes_of_one(
    interpreter: Any, source: TensorInfo, image: NDArray[Any], tensors: tuple[int, ...]
) -> dict[int, tuple[float, float, float]]:
    batch = np.repeat(image[np.newaxis], source.shape[0], axis=0)
    interpreter.set_tensor(source.index, batch.reshape(source.shape))
    interpreter.invoke()
    found = {}
    for tensor in tensors:
        values = interpreter.get_tensor(tensor)
        found[tensor] = (float(values.min()), float(values.max()), float(values.sum(dtype=float)))
    return found
