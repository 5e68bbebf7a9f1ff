"""The part of the .tflite schema that is read here: fields by slot, and tensor types.

Source: tensorflow/lite/schema/schema.fbs, version 3, as of TensorFlow 2.21. Tables only grow at
their end, so these numbers hold for older and newer files.
"""

from enum import IntEnum
from typing import NamedTuple

FILE_IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3


class ModelField(IntEnum):
    """Slots of the root table."""

    VERSION, OPERATOR_CODES, SUBGRAPHS, DESCRIPTION, BUFFERS = range(5)
    METADATA, SIGNATURES = 6, 7


class OperatorCodeField(IntEnum):
    """Slots of an operator code."""

    OLD_BUILTIN_CODE, CUSTOM_NAME, VERSION, BUILTIN_CODE = range(4)


class SubgraphField(IntEnum):
    """Slots of a subgraph."""

    TENSORS, INPUTS, OUTPUTS, OPERATORS, NAME = range(5)


class TensorField(IntEnum):
    """Slots of a tensor."""

    SHAPE, TYPE, BUFFER, NAME, QUANTIZATION, IS_VARIABLE, SPARSITY, SHAPE_SIGNATURE = range(8)
    EXTERNAL_BUFFER = 10


class QuantizationField(IntEnum):
    """Slots of a tensor's quantization."""

    MINIMUM, MAXIMUM, SCALE, ZERO_POINT = range(4)
    DETAILS, QUANTIZED_DIMENSION = 5, 6


class OperatorField(IntEnum):
    """Slots of an operator."""

    CODE, INPUTS, OUTPUTS = range(3)
    OPTIONS, CUSTOM_OPTIONS, MUTATED_INPUTS, INTERMEDIATES = 4, 5, 7, 8
    LARGE_CUSTOM_OPTIONS_OFFSET, LARGE_CUSTOM_OPTIONS_SIZE, OPTIONS_2 = 9, 10, 12


class BufferField(IntEnum):
    """Slots of a buffer."""

    DATA, OFFSET, SIZE = range(3)


class MetadataField(IntEnum):
    """Slots of a metadata entry."""

    NAME, BUFFER = range(2)


class SignatureField(IntEnum):
    """Slots of a signature."""

    INPUTS, OUTPUTS, KEY = range(3)
    SUBGRAPH = 4


class TensorType(NamedTuple):
    """What the elements of a tensor are.

    Attributes:
        dtype: The name as in NumPy, or in ml_dtypes where NumPy has none.
        bits: The width of one element; 0 where it varies. Types below 8 bits are packed.
    """

    dtype: str
    bits: int


# By code: enum TensorType.
TENSOR_TYPES = tuple(
    TensorType(dtype, bits)
    for dtype, bits in (
        *(("float32", 32), ("float16", 16), ("int32", 32), ("uint8", 8), ("int64", 64)),
        *(("string", 0), ("bool", 8), ("int16", 16), ("complex64", 64), ("int8", 8)),
        *(("float64", 64), ("complex128", 128), ("uint64", 64), ("resource", 0), ("variant", 0)),
        *(("uint32", 32), ("uint16", 16), ("int4", 4), ("bfloat16", 16), ("int2", 2)),
        *(("uint4", 4), ("float8_e4m3fn", 8), ("float8_e5m2", 8)),
    )
)
