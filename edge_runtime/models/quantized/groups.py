"""Scales and zero points of the tensors that a file computes, and which of them belong together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from edge_runtime.models.inspection.graph import Graph

Range = tuple[float, float]

INTEGERS = ("int8", "uint8", "int16")
# Operators whose runtime kernels copy or pick numbers: output and input share their quantization.
_PASS_ON = {
    "MAX_POOL_2D", "AVERAGE_POOL_2D", "RESHAPE", "TRANSPOSE", "PAD", "PADV2", "MIRROR_PAD",
    "SQUEEZE", "EXPAND_DIMS", "STRIDED_SLICE", "SLICE", "SPLIT", "GATHER", "REVERSE_V2",
    "SPACE_TO_DEPTH", "DEPTH_TO_SPACE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR",
    "CONCATENATION", "TILE", "PACK", "UNPACK", "MAXIMUM", "MINIMUM", "BATCH_TO_SPACE_ND",
    "SPACE_TO_BATCH_ND",
}  # fmt: skip
# (scale, zero point) that the TFLite quantization specification fixes for these outputs.
_FIXED: dict[str, dict[str, tuple[float, int]]] = {
    "SOFTMAX": {"int8": (1 / 256, -128), "uint8": (1 / 256, 0), "int16": (1 / 32768, 0)},
    "LOGISTIC": {"int8": (1 / 256, -128), "uint8": (1 / 256, 0), "int16": (1 / 32768, 0)},
    "TANH": {"int8": (1 / 128, 0), "uint8": (1 / 128, 128), "int16": (1 / 32768, 0)},
    "L2_NORMALIZATION": {"int8": (1 / 128, 0), "uint8": (1 / 128, 128)},
    "LOG_SOFTMAX": {"int8": (16 / 256, 127), "uint8": (16 / 256, 255)},
}


class Affine(NamedTuple):
    """How integers become real numbers: scale · (q - zero_point)."""

    scale: float
    zero_point: int


def range_of(affine: Affine, dtype: str) -> Range:
    """Return the smallest and largest real number that the integers can say."""
    limits = np.iinfo(dtype)
    low, high = (affine.scale * (one - affine.zero_point) for one in (limits.min, limits.max))
    return float(low), float(high)


@dataclass(frozen=True)
class Group:
    """Computed tensors that must share one quantization.

    Attributes:
        tensors: their indices.
        dtype: of the first.
        affine: what the file says of the first; the others may differ if the file was changed.
        fixed: what the specification demands, or None where the range is free.
        consistent: whether the file says the same of all, and what is demanded.
    """

    tensors: tuple[int, ...]
    dtype: str
    affine: Affine
    fixed: Affine | None
    consistent: bool

    @property
    def range(self) -> Range:
        """The smallest and largest real number that its integers can say."""
        return range_of(self.affine, self.dtype)


def affine_of(graph: Graph, tensor: int) -> Affine:
    """Return what the file says of a quantized tensor."""
    return Affine(graph.tensors[tensor].scales[0], graph.tensors[tensor].zero_points[0])


def groups_of(graph: Graph) -> tuple[Group, ...]:
    """Return the computed, quantized tensors in groups, in the order of the computation."""
    group_of = {
        tensor.index: [tensor.index]
        for tensor in graph.tensors
        if tensor.dtype in INTEGERS and not tensor.is_constant and len(tensor.scales) == 1
    }
    fixed: dict[int, Affine] = {}
    for operator in graph.operators:
        name, source = operator.code.name, next(iter(operator.inputs), -1)
        for output in (index for index in operator.outputs if index in group_of):
            demanded = _FIXED.get(name, {}).get(graph.tensors[output].dtype)
            if demanded:
                fixed[output] = Affine(*demanded)
            # A conversion between int8 and uint8 hands on the range that is fixed.
            dtypes = {graph.tensors[source].dtype, graph.tensors[output].dtype}
            if name == "QUANTIZE" and source in fixed and dtypes == {"int8", "uint8"}:
                shift = 128 if graph.tensors[output].dtype == "uint8" else -128
                fixed[output] = Affine(fixed[source].scale, fixed[source].zero_point + shift)
            for index in operator.inputs if name in _PASS_ON else ():
                if index in group_of and group_of[index] is not group_of[output]:
                    both = group_of[index] + group_of[output]
                    group_of.update(dict.fromkeys(both, both))
    computed = (index for operator in graph.operators for index in operator.outputs)
    order = {index: place for place, index in enumerate(dict.fromkeys((*graph.inputs, *computed)))}
    members: dict[int, list[int]] = {}
    for index in sorted(group_of, key=lambda one: order.get(one, len(order))):
        members.setdefault(id(group_of[index]), []).append(index)
    return tuple(_group(graph, tuple(indices), fixed) for indices in members.values())


def _group(graph: Graph, indices: tuple[int, ...], fixed: Mapping[int, Affine]) -> Group:
    affines = [affine_of(graph, index) for index in indices]
    demanded = next((fixed[index] for index in indices if index in fixed), None)
    first = affines[0]
    agrees = demanded is None or (
        abs(first.scale / demanded.scale - 1) < 1e-3 and first.zero_point == demanded.zero_point
    )
    consistent = len(set(affines)) == 1 and agrees
    return Group(indices, graph.tensors[indices[0]].dtype, first, demanded, consistent)
