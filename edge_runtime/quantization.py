"""From pixels to a tensor's numbers and back: the one place with quantization arithmetic."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inspection import TensorInfo


def quantization_table(tensor: TensorInfo) -> NDArray[Any]:
    """Return what each of the 256 pixel values is in the input tensor's numbers, (256,).

    A real value r becomes round(r / scale) + zero_point, limited to the dtype's range (TFLite
    quantization specification); a float tensor takes the pixel as it is.
    """
    return quantize(np.arange(256), tensor)


def quantize(values: NDArray[Any], tensor: TensorInfo) -> NDArray[Any]:
    """Return real values as the tensor's numbers: round(r / scale) + zero_point, limited to its
    dtype's range; a float tensor takes them as they are.
    """  # noqa: D205
    if tensor.dtype == "float32":
        return values.astype(np.float32)
    limits = np.iinfo(tensor.dtype)
    scale, zero_point = tensor.scales[0], tensor.zero_points[0]
    # Limited before the cast: a float beyond int64 would wrap around.
    steps = np.round(values.astype(np.float64) / scale) + zero_point
    return np.clip(steps, limits.min, limits.max).astype(tensor.dtype)


def dequantize(values: NDArray[Any], tensor: TensorInfo) -> NDArray[np.float32]:
    """Return (q - zero_point) · scale as float32, the integers widened first; floats unchanged."""
    if tensor.dtype == "float32":
        return values.astype(np.float32, copy=False)
    widened = values.astype(np.int64) - tensor.zero_points[0]
    return (widened * tensor.scales[0]).astype(np.float32)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the softmax over the last axis, shifted by the maximum so that it cannot overflow."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    probabilities: NDArray[np.float32] = shifted / shifted.sum(axis=-1, keepdims=True)
    return probabilities.astype(np.float32)
