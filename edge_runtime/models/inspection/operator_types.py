"""The tensor types that an operator refuses in a runtime, though the runtime knows the operator.

Versions do not tell that: some kernels find out only when they are run. Printed by
`scripts/measure-op-types`, which runs a model of one operator with each type.
"""

from collections.abc import Mapping


def _by_name(names_by_types: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
    return {
        name: tuple(types.split())
        for types, names in names_by_types.items()
        for name in names.split()
    }


# These types are measured; of others nothing is said.
MEASURED_TYPES = ("float32", "int8", "uint8", "int16")

REFUSED_BY_TFLITE_RUNTIME_2_14 = _by_name(
    {
        "float32": "DEQUANTIZE",
        "int16": """
            ARG_MAX ARG_MIN DEPTH_TO_SPACE GELU GREATER HARD_SWISH L2_NORMALIZATION
            LESS_EQUAL LOG_SOFTMAX NOT_EQUAL PRELU RELU_0_TO_1 RELU_N1_TO_1
            SPACE_TO_DEPTH TILE
        """,
        "int8 int16": "DIV",
        "int8 uint8 int16": """
            ADD_N ATAN2 CEIL COS CUMSUM FLOOR L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION
            LOG NEG POW ROUND SIN SQRT SQUARE ZEROS_LIKE
        """,
        "uint8": "ABS BATCH_MATMUL EXP FLOOR_DIV FLOOR_MOD REDUCE_PROD",
        "uint8 int16": "ELU RSQRT SQUARED_DIFFERENCE",
    }
)
REFUSED_BY_AI_EDGE_LITERT_2_3 = _by_name(
    {
        "float32": "DEQUANTIZE",
        "int16": """
            ARG_MAX ARG_MIN DEPTH_TO_SPACE HARD_SWISH L2_NORMALIZATION LOG_SOFTMAX
            RELU_0_TO_1 RELU_N1_TO_1 SPACE_TO_DEPTH
        """,
        "int8 uint8 int16": """
            ADD_N ATAN2 CEIL COS CUMSUM FLOOR L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION
            POW ROUND SIGN SIN SQUARE ZEROS_LIKE
        """,
        "uint8": "ABS BATCH_MATMUL EXP FLOOR_DIV FLOOR_MOD LOG NEG REDUCE_PROD RSQRT SQRT",
        "uint8 int16": "ELU SQUARED_DIFFERENCE",
    }
)
