"""Copies of a quantized .tflite with other scales and zero points, to try a correction for real.

The numbers are written over in place: no table moves, no weight changes. Where the scale of an
operator's input changes, its bias, which is stored in units of (input scale × weight scale), is
converted to the new unit, so that it stays the same real number.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.models.inspection.flatbuffer import FlatBuffer, Span, Table
from edge_runtime.models.inspection.graph import Graph, Operator, read_graph
from edge_runtime.models.inspection.operators import read_operator_code
from edge_runtime.models.inspection.schema import (
    ModelField,
    QuantizationField,
    SubgraphField,
    TensorField,
)
from edge_runtime.models.inspection.tensors import TensorInfo, read_buffer

INTEGERS = ("int8", "uint8", "int16")

# Operators whose runtime kernels copy or pick numbers: output and input share their quantization.
_PASS_ON = frozenset(
    [
        "MAX_POOL_2D",
        "AVERAGE_POOL_2D",
        "RESHAPE",
        "TRANSPOSE",
        "PAD",
        "PADV2",
        "MIRROR_PAD",
        "SQUEEZE",
        "EXPAND_DIMS",
        "STRIDED_SLICE",
        "SLICE",
        "SPLIT",
        "GATHER",
        "REVERSE_V2",
        "SPACE_TO_DEPTH",
        "DEPTH_TO_SPACE",
        "RESIZE_BILINEAR",
        "RESIZE_NEAREST_NEIGHBOR",
        "CONCATENATION",
        "TILE",
        "PACK",
        "UNPACK",
        "MAXIMUM",
        "MINIMUM",
        "BATCH_TO_SPACE_ND",
        "SPACE_TO_BATCH_ND",
    ]
)
# (scale, zero point) that the TFLite quantization specification fixes for these outputs.
_FIXED: dict[str, dict[str, tuple[float, int]]] = {
    "SOFTMAX": {"int8": (1 / 256, -128), "uint8": (1 / 256, 0), "int16": (1 / 32768, 0)},
    "LOGISTIC": {"int8": (1 / 256, -128), "uint8": (1 / 256, 0), "int16": (1 / 32768, 0)},
    "TANH": {"int8": (1 / 128, 0), "uint8": (1 / 128, 128), "int16": (1 / 32768, 0)},
    "L2_NORMALIZATION": {"int8": (1 / 128, 0), "uint8": (1 / 128, 128)},
    "LOG_SOFTMAX": {"int8": (16 / 256, 127), "uint8": (16 / 256, 255)},
}
_BIAS_AT = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3}
_WEIGHTS_AT = 1
WITH_WEIGHTS = frozenset(_BIAS_AT)


class Affine(NamedTuple):
    """How integers become real numbers: scale · (q - zero_point)."""

    scale: float
    zero_point: int


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


class _Place(NamedTuple):
    scale: Span
    zero_point: Span
    data: Span


class QuantizedFile:
    """The bytes of a .tflite with the places of its scales, zero points and biases.

    Attributes:
        data: the bytes.
        graph: its first subgraph.
        groups: computed tensors that share a quantization, in the order of the computation.
        hidden: tensors whose memory the runtime reuses; None until that was looked for.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.hidden: frozenset[int] | None = None
        file = FlatBuffer(data)
        root = file.root()
        buffers = [read_buffer(file, table) for table in root.tables(ModelField.BUFFERS)]
        codes = [read_operator_code(table) for table in root.tables(ModelField.OPERATOR_CODES)]
        subgraph = root.tables(ModelField.SUBGRAPHS)[0]
        self.graph: Graph = read_graph(file, subgraph, number=0, codes=codes, buffers=buffers)
        self._outputs = subgraph.span(SubgraphField.OUTPUTS, 4)
        self._places = [_place(table, buffers) for table in subgraph.tables(SubgraphField.TENSORS)]
        self.groups: tuple[Group, ...] = _groups(self.graph)

    def group_of(self, tensor: int) -> Group | None:
        """Return the group of a tensor, or None for a tensor that is not quantized as a whole."""
        return next((group for group in self.groups if tensor in group.tensors), None)

    def constant(self, tensor: int) -> float | None:
        """Return the number that a constant tensor holds, or None if it is not a single one."""
        info, data = self.graph.tensors[tensor], self._places[tensor].data
        dtypes = {"float32": "<f4", "float16": "<f2", "int8": "i1", "uint8": "u1", "int16": "<i2"}
        if not info.is_constant or info.dtype not in dtypes:
            return None
        dtype = np.dtype(dtypes[info.dtype])
        if data.length != dtype.itemsize:
            return None
        number = float(np.frombuffer(self.data, dtype, 1, data.start)[0])
        if dtype.kind == "f":
            return number if np.isfinite(number) else None
        if len(info.scales) != 1:
            return None
        return float(info.scales[0] * (number - info.zero_points[0]))

    def is_zero(self, tensor: int) -> bool:
        """Return whether a constant int8 tensor holds nothing but zeros."""
        info, data = self.graph.tensors[tensor], self._places[tensor].data
        if not info.is_constant or info.dtype != "int8" or not data.length:
            return False
        return not any(self.data[data.start : data.start + data.length])

    def bias_operators(self) -> list[tuple[Operator, TensorInfo, TensorInfo, TensorInfo]]:
        """Return the integer operators with a bias: operator, input, weights, bias."""
        found = []
        for operator in self.graph.operators:
            at = _BIAS_AT.get(operator.code.name)
            if at is None or len(operator.inputs) <= at or operator.inputs[at] < 0:
                continue
            # TRANSPOSE_CONV has its output's shape first, then weights, then the input.
            source = operator.inputs[2 if operator.code.name == "TRANSPOSE_CONV" else 0]
            tensors = self.graph.tensors
            trio = (
                tensors[source],
                tensors[operator.inputs[_WEIGHTS_AT]],
                tensors[operator.inputs[at]],
            )
            if trio[0].dtype in INTEGERS and trio[2].is_constant and all(t.scales for t in trio):
                found.append((operator, *trio))
        return found

    def with_affines(self, affines: Mapping[int, Affine]) -> bytes:
        """Return a copy in which these tensors have other scales and zero points.

        Args:
            affines: by tensor; those whose places the file does not hold are left as they are.
        """
        changed = bytearray(self.data)
        for tensor, affine in affines.items():
            place = self._places[tensor]
            if place.scale.length == 4:
                struct.pack_into("<f", changed, place.scale.start, affine.scale)
            if place.zero_point.length == 8:
                struct.pack_into("<q", changed, place.zero_point.start, affine.zero_point)
        for _, source, weights, bias in self.bias_operators():
            scale = affines.get(source.index, Affine(source.scales[0], 0)).scale
            if scale != source.scales[0] or source.index in affines:
                self._rescale_bias(changed, bias, scale * np.array(weights.scales))
        return bytes(changed)

    def with_output(self, data: bytes, tensor: int) -> bytes:
        """Return a copy of which a tensor is the output, so that the runtime must keep it.

        Args:
            data: this file, or a copy that `with_affines` made.
            tensor: its index.
        """
        changed = bytearray(data)
        if self._outputs is not None:
            struct.pack_into("<i", changed, self._outputs.start, tensor)
        return bytes(changed)

    def _rescale_bias(
        self, changed: bytearray, bias: TensorInfo, wanted: NDArray[np.float64]
    ) -> None:
        place = self._places[bias.index]
        dtype = np.dtype(bias.dtype)
        if place.scale.length != 4 * len(bias.scales) or place.data.length % dtype.itemsize:
            return
        numbers = np.frombuffer(
            self.data, dtype, place.data.length // dtype.itemsize, place.data.start
        )
        wanted = np.broadcast_to(wanted, (max(len(wanted), len(bias.scales)),))
        if len(bias.scales) != len(wanted):
            return
        factor = np.array(bias.scales) / np.where(wanted > 0, wanted, 1)
        limits = np.iinfo(dtype)
        # Halved, since a sum that starts near the limit overflows.
        rescaled = np.clip(np.round(numbers * factor), limits.min // 2, limits.max // 2)
        start = place.data.start
        changed[start : start + place.data.length] = rescaled.astype(dtype).tobytes()
        struct.pack_into(f"<{len(wanted)}f", changed, place.scale.start, *wanted)


def _place(table: Table, buffers: list[Span]) -> _Place:
    nothing = Span(0, 0)
    quantization = table.table(TensorField.QUANTIZATION)
    data = buffers[table.integer(TensorField.BUFFER, "I")]
    if quantization is None:
        return _Place(nothing, nothing, data)
    scale = quantization.span(QuantizationField.SCALE, 4) or nothing
    zero_point = quantization.span(QuantizationField.ZERO_POINT, 8) or nothing
    return _Place(Span(scale.start, scale.length), Span(zero_point.start, zero_point.length), data)


def _groups(graph: Graph) -> tuple[Group, ...]:
    """Return the computed, quantized tensors in groups, in the order of the computation."""
    parent = {t.index: t.index for t in graph.tensors if _is_quantized_activation(t)}

    def root(index: int) -> int:
        while parent[index] != index:
            index = parent[index]
        return index

    fixed: dict[int, Affine] = {}
    for operator in graph.operators:
        inputs = [index for index in operator.inputs if index in parent]
        for output in operator.outputs:
            if output not in parent:
                continue
            demanded = _FIXED.get(operator.code.name, {}).get(graph.tensors[output].dtype)
            if demanded:
                fixed[output] = Affine(*demanded)
            if operator.code.name in _PASS_ON:
                for index in inputs:
                    parent[root(output)] = root(index)
    _pass_fixed_on(graph, fixed)
    members: dict[int, list[int]] = {}
    for index in sorted(parent, key=_order(graph)):
        members.setdefault(root(index), []).append(index)
    return tuple(_group(graph, tuple(indices), fixed) for indices in members.values())


def _pass_fixed_on(graph: Graph, fixed: dict[int, Affine]) -> None:
    """Let a conversion between int8 and uint8 hand on the range that is fixed."""
    for operator in graph.operators:
        if operator.code.name != "QUANTIZE" or operator.inputs[0] not in fixed:
            continue
        source = graph.tensors[operator.inputs[0]]
        result = graph.tensors[operator.outputs[0]]
        shift = {("int8", "uint8"): 128, ("uint8", "int8"): -128}.get((source.dtype, result.dtype))
        if shift is not None:
            affine = fixed[source.index]
            fixed[result.index] = Affine(affine.scale, affine.zero_point + shift)


def _order(graph: Graph) -> Callable[[int], int]:
    order = {index: place for place, index in enumerate(graph.inputs)}
    for operator in graph.operators:
        for index in operator.outputs:
            order.setdefault(index, len(order))
    return lambda index: order.get(index, len(order))


def _group(graph: Graph, indices: tuple[int, ...], fixed: Mapping[int, Affine]) -> Group:
    tensors = [graph.tensors[index] for index in indices]
    affines = {Affine(tensor.scales[0], tensor.zero_points[0]) for tensor in tensors}
    demanded = next((fixed[index] for index in indices if index in fixed), None)
    first = Affine(tensors[0].scales[0], tensors[0].zero_points[0])
    agrees = demanded is None or (
        abs(first.scale / demanded.scale - 1) < 1e-3 and first.zero_point == demanded.zero_point
    )
    return Group(indices, tensors[0].dtype, first, demanded, len(affines) == 1 and agrees)


def _is_quantized_activation(tensor: TensorInfo) -> bool:
    return tensor.dtype in INTEGERS and not tensor.is_constant and len(tensor.scales) == 1
