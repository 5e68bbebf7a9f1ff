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

    VERSION = 0
    OPERATOR_CODES = 1
    SUBGRAPHS = 2
    DESCRIPTION = 3
    BUFFERS = 4
    METADATA = 6
    SIGNATURES = 7


class OperatorCodeField(IntEnum):
    """Slots of an operator code."""

    OLD_BUILTIN_CODE = 0
    CUSTOM_NAME = 1
    VERSION = 2
    BUILTIN_CODE = 3


class SubgraphField(IntEnum):
    """Slots of a subgraph."""

    TENSORS = 0
    INPUTS = 1
    OUTPUTS = 2
    OPERATORS = 3
    NAME = 4


class TensorField(IntEnum):
    """Slots of a tensor."""

    SHAPE = 0
    TYPE = 1
    BUFFER = 2
    NAME = 3
    QUANTIZATION = 4
    IS_VARIABLE = 5
    SPARSITY = 6
    SHAPE_SIGNATURE = 7
    EXTERNAL_BUFFER = 10


class QuantizationField(IntEnum):
    """Slots of a tensor's quantization."""

    MINIMUM = 0
    MAXIMUM = 1
    SCALE = 2
    ZERO_POINT = 3
    DETAILS = 5
    QUANTIZED_DIMENSION = 6


class OperatorField(IntEnum):
    """Slots of an operator."""

    CODE = 0
    INPUTS = 1
    OUTPUTS = 2
    OPTIONS = 4
    CUSTOM_OPTIONS = 5
    MUTATED_INPUTS = 7
    INTERMEDIATES = 8
    LARGE_CUSTOM_OPTIONS_OFFSET = 9
    LARGE_CUSTOM_OPTIONS_SIZE = 10
    OPTIONS_2 = 12


class BufferField(IntEnum):
    """Slots of a buffer."""

    DATA = 0
    OFFSET = 1
    SIZE = 2


class MetadataField(IntEnum):
    """Slots of a metadata entry."""

    NAME = 0
    BUFFER = 1


class SignatureField(IntEnum):
    """Slots of a signature."""

    INPUTS = 0
    OUTPUTS = 1
    KEY = 2
    SUBGRAPH = 4


class TensorType(NamedTuple):
    """What the elements of a tensor are.

    Attributes:
        dtype: The name as in NumPy, or in ml_dtypes where NumPy has none.
        bits: The width of one element; 0 where it varies. Types below 8 bits are packed.
    """

    dtype: str
    bits: int


TENSOR_TYPES = (
    TensorType("float32", 32),
    TensorType("float16", 16),
    TensorType("int32", 32),
    TensorType("uint8", 8),
    TensorType("int64", 64),
    TensorType("string", 0),
    TensorType("bool", 8),
    TensorType("int16", 16),
    TensorType("complex64", 64),
    TensorType("int8", 8),
    TensorType("float64", 64),
    TensorType("complex128", 128),
    TensorType("uint64", 64),
    TensorType("resource", 0),
    TensorType("variant", 0),
    TensorType("uint32", 32),
    TensorType("uint16", 16),
    TensorType("int4", 4),
    TensorType("bfloat16", 16),
    TensorType("int2", 2),
    TensorType("uint4", 4),
    TensorType("float8_e4m3fn", 8),
    TensorType("float8_e5m2", 8),
)
