"""Copies of a quantized .tflite with other scales and zero points, to try a correction for real.

The numbers are written over in place: no table moves, no weight changes. Where the scale of an
operator's input changes, its bias, which is stored in units of (input scale × weight scale), is
converted to the new unit, so that it stays the same real number.
"""

import math
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

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
from edge_runtime.models.quantized.groups import INTEGERS, Affine, Group, affine_of, groups_of

Reals = NDArray[np.float64]

_BIAS_AT = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3}
WITH_WEIGHTS = frozenset(_BIAS_AT)
_STORED_AS = {"float32": "<f4", "float16": "<f2", "int8": "i1", "uint8": "u1", "int16": "<i2",
              "int32": "<i4", "int64": "<i8"}  # fmt: skip


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
        hidden: tensors whose memory runtimes reuse even where they are told to keep all:
            tflite-runtime 2.14.0 writes the answer of an int16 softmax over its input.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        file = FlatBuffer(data)
        root = file.root()
        buffers = [read_buffer(file, table) for table in root.tables(ModelField.BUFFERS)]
        codes = [read_operator_code(table) for table in root.tables(ModelField.OPERATOR_CODES)]
        subgraph = root.tables(ModelField.SUBGRAPHS)[0]
        self.graph: Graph = read_graph(file, subgraph, number=0, codes=codes, buffers=buffers)
        self._outputs = subgraph.span(SubgraphField.OUTPUTS, 4)
        self._places = [_place(table, buffers) for table in subgraph.tables(SubgraphField.TENSORS)]
        self.groups: tuple[Group, ...] = groups_of(self.graph)
        read_by_softmax = {
            one.inputs[0] for one in self.graph.operators if one.code.name == "SOFTMAX"
        }
        self.hidden = {one for one in read_by_softmax if self.graph.tensors[one].dtype == "int16"}

    def group_of(self, tensor: int) -> Group | None:
        """Return the group of a tensor, or None for a tensor that is not quantized as a whole."""
        return next((group for group in self.groups if tensor in group.tensors), None)

    def affine_of(self, tensor: int) -> Affine:
        """Return what the file says of a quantized tensor."""
        return affine_of(self.graph, tensor)

    def where_is(self, group: Group) -> str:
        """Return "input", "output" or "inner"; a conversion at the border belongs to the border."""
        inputs, outputs = set(self.graph.inputs), set(self.graph.outputs)
        for operator in self.graph.operators:
            if operator.code.name == "QUANTIZE" and operator.inputs[0] in self.graph.inputs:
                inputs.update(operator.outputs)
            if operator.code.name in ("QUANTIZE", "DEQUANTIZE") and outputs & {*operator.outputs}:
                outputs.update(operator.inputs)
        if inputs & set(group.tensors):
            return "input"
        return "output" if outputs & set(group.tensors) else "inner"

    def stored(self, tensor: int) -> NDArray[Any] | None:
        """Return the numbers that a constant tensor holds; None if it holds none known here."""
        info, data = self.graph.tensors[tensor], self._places[tensor].data
        dtype = np.dtype(_STORED_AS.get(info.dtype, "V1"))
        if not info.is_constant or data.length != dtype.itemsize * math.prod(info.shape):
            return None
        numbers = np.frombuffer(self.data, dtype, math.prod(info.shape), data.start)
        return None if dtype.kind == "V" else numbers.reshape(info.shape)

    def reals(self, tensor: int) -> tuple[Reals, Reals] | None:
        """Return a constant's real numbers, and how far rounding may have moved each: half a step.

        A float16 has 11 bits (IEEE 754), and steps of 2^-24 near 0.
        """
        info, numbers = self.graph.tensors[tensor], self.stored(tensor)
        if numbers is None or (numbers.dtype.kind != "f" and not info.scales):
            return None
        reals = np.atleast_1d(numbers).astype(np.float64)
        if numbers.dtype.kind == "f":
            is_half = numbers.dtype.itemsize == 2
            return reals, (np.abs(reals) * 2.0**-11 + 2.0**-25 if is_half else np.zeros_like(reals))
        shape = [1] * reals.ndim
        shape[info.quantized_dimension if len(info.scales) > 1 else 0] = -1
        scales, zero_points = np.reshape(info.scales, shape), np.reshape(info.zero_points, shape)
        return (reals - zero_points) * scales, np.broadcast_to(scales / 2, reals.shape)

    def constant(self, tensor: int) -> float | None:
        """Return the number that a constant tensor holds, or None if it is not a single one."""
        found = self.reals(tensor)
        if found is None or found[0].size != 1 or not np.isfinite(found[0]).all():
            return None
        return float(found[0].flat[0])

    def has_dead_layer(self) -> bool:
        """Return whether an int8 layer has nothing but zeros for weights."""
        layers = (one for one in self.graph.operators if one.code.name in WITH_WEIGHTS)
        weights = (self.stored(one.inputs[1]) for one in layers)
        return any(one is not None and one.dtype == np.int8 and not one.any() for one in weights)

    def bias_of(self, operator: Operator) -> int | None:
        """Return the tensor of an operator's biases, or None."""
        at = _BIAS_AT.get(operator.code.name, len(operator.inputs))
        found = operator.inputs[at : at + 1]
        return found[0] if found and found[0] >= 0 else None

    def bias_operators(self) -> list[tuple[TensorInfo, TensorInfo, TensorInfo]]:
        """Return input, weights and bias of the integer operators that have one."""
        found = []
        for operator in self.graph.operators:
            place = self.bias_of(operator)
            if place is not None:
                # TRANSPOSE_CONV has its output's shape first, then weights, then the input.
                at = 2 if operator.code.name == "TRANSPOSE_CONV" else 0
                places = (operator.inputs[at], operator.inputs[1], place)
                source, weights, bias = (self.graph.tensors[index] for index in places)
                scaled = source.scales and weights.scales and bias.scales
                if source.dtype in INTEGERS and bias.is_constant and scaled:
                    found.append((source, weights, bias))
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
        for source, weights, bias in self.bias_operators():
            if source.index in affines:
                scale = affines[source.index].scale
                self._rescale_bias(changed, bias, scale * np.array(weights.scales))
        return bytes(changed)

    def with_output(self, data: bytes, tensor: int) -> bytes:
        """Return a copy of this file, or of a copy of it, of which a tensor is the output.

        So the runtime must keep it.
        """
        changed = bytearray(data)
        if self._outputs is not None:
            struct.pack_into("<i", changed, self._outputs.start, tensor)
        return bytes(changed)

    def _rescale_bias(self, changed: bytearray, bias: TensorInfo, wanted: Reals) -> None:
        place, numbers = self._places[bias.index], self.stored(bias.index)
        wanted = np.broadcast_to(wanted, (max(len(wanted), len(bias.scales)),))
        scales_are_there = place.scale.length == 4 * len(bias.scales) == 4 * len(wanted)
        if numbers is None or not scales_are_there:
            return
        factor = np.array(bias.scales) / np.where(wanted > 0, wanted, 1)
        limits = np.iinfo(numbers.dtype)
        # Halved, since a sum that starts near the limit overflows.
        rescaled = np.clip(np.round(numbers * factor), limits.min // 2, limits.max // 2)
        start = place.data.start
        changed[start : start + place.data.length] = rescaled.astype(numbers.dtype).tobytes()
        struct.pack_into(f"<{len(wanted)}f", changed, place.scale.start, *wanted)


def _place(table: Table, buffers: list[Span]) -> _Place:
    nothing = Span(0, 0)
    quantization = table.table(TensorField.QUANTIZATION)
    data = buffers[table.integer(TensorField.BUFFER, "I")]
    if quantization is None:
        return _Place(nothing, nothing, data)
    scale = quantization.span(QuantizationField.SCALE, 4) or nothing
    return _Place(scale, quantization.span(QuantizationField.ZERO_POINT, 8) or nothing, data)
