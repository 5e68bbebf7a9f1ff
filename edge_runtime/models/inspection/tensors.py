"""The tensors of a .tflite file, each checked against its type, its shape and its data."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edge_runtime.models.inspection.flatbuffer import FlatBuffer, Span, Table, damaged
from edge_runtime.models.inspection.schema import (
    TENSOR_TYPES,
    BufferField,
    QuantizationField,
    TensorField,
    TensorType,
)

# NumPy 1 holds no more, so no runtime could hand the tensor over.
_MOST_DIMENSIONS = 32

_FLOATING = ("float", "bfloat", "complex")


@dataclass(frozen=True)
class TensorInfo:
    """One tensor.

    Attributes:
        index: Its number in its subgraph, which is also the interpreter's number for it.
        name: Its name, often the layers that it came from.
        shape: Its shape; a dimension that may be resized counts as 1.
        dtype: Its type as NumPy names it, such as "int8"; "int4" and "bfloat16" are not NumPy's.
        scales: real = scale * (stored - zero_point); empty if it is not quantized, one, or one per
            entry of the quantized dimension.
        zero_points: As many as scales.
        quantized_dimension: The dimension that several scales belong to.
        is_constant: Whether the file holds its data.
        size_bytes: The length of its data, or that which it will have; 0 where only the run tells.
        subgraph: The number of its subgraph; 0 is the one that is run.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    quantized_dimension: int
    is_constant: bool
    size_bytes: int
    subgraph: int = 0

    @property
    def is_floating(self) -> bool:
        """Whether its elements are made of floating-point numbers."""
        return self.dtype.startswith(_FLOATING)


# Scales, zero points and the dimension that several scales belong to.
_Quantization = tuple[tuple[float, ...], tuple[int, ...], int]


def read_buffer(file: FlatBuffer, table: Table) -> Span:
    """Return where a buffer's data lies; it is empty for a tensor that is computed.

    Files above 2 GB keep the data behind the FlatBuffer, at an offset; offsets 0 and 1 mean none.
    """
    span = table.span(BufferField.DATA)
    if span is not None:
        return span
    start = table.integer(BufferField.OFFSET, "Q")
    if start <= 1:
        return Span(0, 0)
    span = Span(start, table.integer(BufferField.SIZE, "Q"))
    file.check(*span)
    return span


def read_tensor(table: Table, *, index: int, subgraph: int, buffers: Sequence[Span]) -> TensorInfo:
    """Return one tensor after checking that its parts agree.

    Raises:
        ModelError: it has an unknown type, an impossible shape or quantization, or its data have
            another length than its shape and type say.
    """
    where = f"tensor {index} of subgraph {subgraph}"
    name = table.text(TensorField.NAME) or ""
    kind = _read_type(table, where)
    shape = _read_shape(table, where)
    full_bytes = (math.prod(shape) * kind.bits + 7) // 8
    data_bytes = _read_data_length(table, where, buffers)
    is_sparse = table.table(TensorField.SPARSITY) is not None
    if data_bytes and kind.bits and not is_sparse and data_bytes != full_bytes:
        raise damaged(f"{where} should hold {full_bytes} bytes, and holds {data_bytes}")
    table.check_vectors(TensorField.SHAPE_SIGNATURE)
    scales, zero_points, dimension = _read_quantization(table, where, shape, kind)
    _check_scales(where, scales, is_constant=data_bytes > 0)
    return TensorInfo(
        index=index,
        name=name,
        shape=shape,
        dtype=kind.dtype,
        scales=scales,
        zero_points=zero_points,
        quantized_dimension=dimension,
        is_constant=data_bytes > 0,
        size_bytes=data_bytes or full_bytes,
        subgraph=subgraph,
    )


def _read_type(table: Table, where: str) -> TensorType:
    code = table.integer(TensorField.TYPE, "b")
    if not 0 <= code < len(TENSOR_TYPES):
        raise damaged(f"{where} has type {code}, expected 0 to {len(TENSOR_TYPES) - 1}")
    return TENSOR_TYPES[code]


def _read_shape(table: Table, where: str) -> tuple[int, ...]:
    shape = table.integers(TensorField.SHAPE, "i")
    if len(shape) > _MOST_DIMENSIONS:
        raise damaged(f"{where} has {len(shape)} dimensions, expected up to {_MOST_DIMENSIONS}")
    if any(size < 0 for size in shape):
        raise damaged(f"{where} has the negative size {min(shape)} in its shape")
    return shape


def _read_data_length(table: Table, where: str, buffers: Sequence[Span]) -> int:
    if table.integer(TensorField.EXTERNAL_BUFFER, "I"):
        raise damaged(f"{where} keeps its data in another file, expected all in one")
    buffer = table.integer(TensorField.BUFFER, "I")
    if buffer >= len(buffers):
        raise damaged(f"{where} names buffer {buffer}, and there are {len(buffers)}")
    return buffers[buffer].length


def _read_quantization(
    tensor: Table, where: str, shape: tuple[int, ...], kind: TensorType
) -> _Quantization:
    table = tensor.table(TensorField.QUANTIZATION)
    if table is None:
        return (), (), 0
    table.check_vectors(QuantizationField.MINIMUM, QuantizationField.MAXIMUM)
    table.table(QuantizationField.DETAILS)
    scales = table.floats(QuantizationField.SCALE)
    if not scales:
        return (), (), 0
    dimension = table.integer(QuantizationField.QUANTIZED_DIMENSION, "i")
    if dimension < 0 or (len(scales) > 1 and dimension >= len(shape)):
        raise damaged(f"{where} is quantized along dimension {dimension} of {len(shape)}")
    if len(scales) > 1 and len(scales) != shape[dimension]:
        raise damaged(f"{where} has {len(scales)} scales, expected 1 or {shape[dimension]}")
    zero_points = table.integers(QuantizationField.ZERO_POINT, "q") or (0,)
    # Newer converters write one zero point for all scales.
    if len(zero_points) == 1:
        zero_points *= len(scales)
    if len(zero_points) != len(scales):
        raise damaged(f"{where} has {len(scales)} scales and {len(zero_points)} zero points")
    _check_zero_points(where, zero_points, kind)
    return scales, zero_points, dimension


def _check_scales(where: str, scales: tuple[float, ...], *, is_constant: bool) -> None:
    """Refuse scales that are no scales; int16x8 converters write 0 for weights that are all 0."""
    for scale in scales:
        if not math.isfinite(scale) or scale < 0 or (scale == 0 and not is_constant):
            raise damaged(f"{where} has the scale {scale}, expected a positive number")


def _check_zero_points(where: str, zero_points: tuple[int, ...], kind: TensorType) -> None:
    """Refuse zero points that the tensor's own type cannot hold."""
    half = 1 << (min(kind.bits or 32, 32) - 1)
    lowest, highest = (0, 2 * half - 1) if kind.dtype.startswith("u") else (-half, half - 1)
    if min(zero_points) < lowest or max(zero_points) > highest:
        raise damaged(
            f"{where} has zero points from {min(zero_points)} to {max(zero_points)},"
            f" which {kind.dtype} cannot hold"
        )
