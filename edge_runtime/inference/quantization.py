"""From pixels to a tensor's numbers and back: the one place with quantization arithmetic."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.models.inspection import TensorInfo


def quantization_table(tensor: TensorInfo) -> NDArray[Any]:
    """Return what each of the 256 pixel values is in the input tensor's numbers, (256,).

    A real value r becomes round(r / scale) + zero_point, limited to the dtype's range (TFLite
    quantization specification); a float tensor takes the pixel as it is.
    """
    return quantize(np.arange(256), tensor)


def flips_top_bit(tensor: TensorInfo) -> bool:
    """Return whether the tensor's number for a pixel is the same byte with its top bit flipped.

    So it is for int8 with scale 1 and zero point -128, which models of raw pixels have.
    """
    table = quantization_table(tensor)
    flipped = (np.arange(256, dtype=np.uint8) ^ 128).view(np.int8)
    return table.dtype == np.int8 and np.array_equal(table, flipped)


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


def decoder(tensor: TensorInfo) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
    """Return a function that does what `dequantize` does: for 8 bits by a table, which is fast."""
    if tensor.dtype == "float32":
        return lambda values: values
    dtype = np.dtype(tensor.dtype)
    if dtype.itemsize > 1:
        return lambda values: dequantize(values, tensor)
    # A negative number finds its value from the end of the table, as negative indices do.
    return dequantize(np.arange(256).astype(np.uint8).view(dtype), tensor).take


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the softmax over the last axis, shifted by the maximum so that it cannot overflow."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    probabilities: NDArray[np.float32] = shifted / shifted.sum(axis=-1, keepdims=True)
    return probabilities.astype(np.float32)
