"""Quantized .tflite files: what their numbers stand for, and copies with other scales."""

from edge_runtime.models.quantized.ends import scaling_in_front, softmaxes_at_end
from edge_runtime.models.quantized.file import WITH_WEIGHTS, QuantizedFile, Reals
from edge_runtime.models.quantized.groups import INTEGERS, Affine, Group, Range, range_of

__all__ = [
    "INTEGERS",
    "WITH_WEIGHTS",
    "Affine",
    "Group",
    "QuantizedFile",
    "Range",
    "Reals",
    "range_of",
    "scaling_in_front",
    "softmaxes_at_end",
]
