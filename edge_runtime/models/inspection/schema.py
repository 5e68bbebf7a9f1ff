"""The part of the .tflite schema that is read here: fields by slot, and tensor types.

Source: tensorflow/lite/schema/schema.fbs, version 3, as of TensorFlow 2.21. Tables only grow at
their end, so these numbers hold for older and newer files.
"""

from enum import IntEnum
from typing import NamedTuple

FILE_IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3


# The slots of each kind of table, as many as are known or needed.
ModelField = IntEnum(
    "ModelField",
    "VERSION OPERATOR_CODES SUBGRAPHS DESCRIPTION BUFFERS METADATA_BUFFER METADATA SIGNATURES",
    start=0,
)
OperatorCodeField = IntEnum(
    "OperatorCodeField", "OLD_BUILTIN_CODE CUSTOM_NAME VERSION BUILTIN_CODE", start=0
)
SubgraphField = IntEnum("SubgraphField", "TENSORS INPUTS OUTPUTS OPERATORS NAME", start=0)
TensorField = IntEnum(
    "TensorField",
    "SHAPE TYPE BUFFER NAME QUANTIZATION IS_VARIABLE SPARSITY SHAPE_SIGNATURE HAS_RANK"
    " VARIANT_TENSORS EXTERNAL_BUFFER",
    start=0,
)
QuantizationField = IntEnum(
    "QuantizationField",
    "MINIMUM MAXIMUM SCALE ZERO_POINT DETAILS_TYPE DETAILS QUANTIZED_DIMENSION",
    start=0,
)
OperatorField = IntEnum(
    "OperatorField",
    "CODE INPUTS OUTPUTS OPTIONS_TYPE OPTIONS CUSTOM_OPTIONS CUSTOM_OPTIONS_FORMAT MUTATED_INPUTS"
    " INTERMEDIATES LARGE_CUSTOM_OPTIONS_OFFSET LARGE_CUSTOM_OPTIONS_SIZE OPTIONS_2_TYPE OPTIONS_2",
    start=0,
)
BufferField = IntEnum("BufferField", "DATA OFFSET SIZE", start=0)
MetadataField = IntEnum("MetadataField", "NAME BUFFER", start=0)
SignatureField = IntEnum("SignatureField", "INPUTS OUTPUTS KEY DEPRECATED_TAG SUBGRAPH", start=0)


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
