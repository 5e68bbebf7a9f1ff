"""The tensor types that an operator refuses in a runtime, though the runtime knows the operator.

Versions do not tell that: some kernels find out only when they are run. Printed by
`scripts/measure-op-types`, which runs a model of one operator with each type.
"""

from collections.abc import Mapping

# These types are measured; of others nothing is said.
MEASURED_TYPES = ("float32", "int8", "uint8", "int16")

# The types that tflite-runtime 2.14.0 and ai-edge-litert 2.3.0 refuse, and of which operators.
_REFUSED = {
    ("", "int8 uint8 int16"): "SIGN",
    ("float32", "float32"): "DEQUANTIZE",
    ("int16", ""): "GELU GREATER LESS_EQUAL NOT_EQUAL PRELU TILE",
    ("int16", "int16"): """
        ARG_MAX ARG_MIN DEPTH_TO_SPACE HARD_SWISH L2_NORMALIZATION LOG_SOFTMAX RELU_0_TO_1
        RELU_N1_TO_1 SPACE_TO_DEPTH
    """,
    ("int8 int16", ""): "DIV",
    ("int8 uint8 int16", "int8 uint8 int16"): """
        ADD_N ATAN2 CEIL COS CUMSUM FLOOR L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION POW ROUND SIN
        SQUARE ZEROS_LIKE
    """,
    ("int8 uint8 int16", "uint8"): "LOG NEG SQRT",
    ("uint8", "uint8"): "ABS BATCH_MATMUL EXP FLOOR_DIV FLOOR_MOD REDUCE_PROD",
    ("uint8 int16", "uint8"): "RSQRT",
    ("uint8 int16", "uint8 int16"): "ELU SQUARED_DIFFERENCE",
}


def _refused_by(runtime: int) -> Mapping[str, tuple[str, ...]]:
    return {
        name: tuple(types[runtime].split())
        for types, names in _REFUSED.items()
        for name in names.split()
        if types[runtime]
    }


REFUSED_BY_TFLITE_RUNTIME_2_14 = _refused_by(0)
REFUSED_BY_AI_EDGE_LITERT_2_3 = _refused_by(1)
