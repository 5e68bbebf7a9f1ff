"""Which runtimes can load a model, judged from what the model names and what each runtime has."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edge_runtime.models.inspection.model import ModelSummary, OperatorUse
from edge_runtime.models.inspection.schema import TENSOR_TYPES

# Of tflite-runtime 2.14.0 and of ai-edge-litert 2.3.0 the highest version of each operator, 0 where
# it is missing, printed by scripts/measure-op-versions.
_VERSIONS = {
    (0, 1): """
        DILATE REDUCE_WINDOW STABLEHLO_ADD STABLEHLO_AND STABLEHLO_CASE STABLEHLO_COMPOSITE
        STABLEHLO_GATHER STABLEHLO_MAXIMUM STABLEHLO_MINIMUM STABLEHLO_MULTIPLY STABLEHLO_PAD
        STABLEHLO_REDUCE_WINDOW STABLEHLO_RNG_BIT_GENERATOR STABLEHLO_SCATTER STABLEHLO_SHIFT_LEFT
    """,
    (1, 1): """
        ADD_N ASSIGN_VARIABLE ATAN2 BITCAST BITWISE_XOR BROADCAST_ARGS BUCKETIZE CALL_ONCE CEIL
        COMPLEX_ABS CONV_3D CONV_3D_TRANSPOSE CUMSUM DENSIFY ELU EMBEDDING_LOOKUP_SPARSE EXPAND_DIMS
        FLOOR HARD_SWISH HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_LOOKUP HASHTABLE_SIZE
        IF IMAG L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGICAL_AND LOGICAL_NOT LOGICAL_OR
        LSH_PROJECTION MATRIX_DIAG MATRIX_SET_DIAG MULTINOMIAL NEG NON_MAX_SUPPRESSION_V4
        NON_MAX_SUPPRESSION_V5 ONE_HOT POW PRELU RANDOM_STANDARD_NORMAL RANDOM_UNIFORM RANK
        READ_VARIABLE REAL REDUCE_ALL REDUCE_ANY RELU_0_TO_1 RELU_N1_TO_1 RESHAPE REVERSE_SEQUENCE
        RFFT2D RIGHT_SHIFT ROUND SCATTER_ND SEGMENT_SUM SHAPE SKIP_GRAM SQUARE UNIQUE
        UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_MIN UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_SUM
        VAR_HANDLE WHILE ZEROS_LIKE
    """,
    (1, 2): "COS LOG SIN SQRT",
    (1, 6): "DYNAMIC_UPDATE_SLICE",
    (2, 2): """
        DEPTH_TO_SPACE DIV EXP FAKE_QUANT FLOOR_MOD GREATER L2_NORMALIZATION LEAKY_RELU LESS_EQUAL
        LOG_SOFTMAX RANGE REDUCE_PROD SELECT_V2 SIGN SPACE_TO_DEPTH SQUARED_DIFFERENCE SQUEEZE SUM
        WHERE
    """,
    (2, 3): "GELU RSQRT SPLIT_V",
    (3, 3): """
        ARG_MAX ARG_MIN AVERAGE_POOL_2D BIDIRECTIONAL_SEQUENCE_LSTM BIDIRECTIONAL_SEQUENCE_RNN
        FLOOR_DIV GREATER_EQUAL LESS LOGISTIC MAX_POOL_2D MEAN MIRROR_PAD REDUCE_MAX REDUCE_MIN RELU
        RELU6 RNN SPARSE_TO_DENSE TANH TILE TOPK_V2 UNIDIRECTIONAL_SEQUENCE_RNN
    """,
    (3, 4): "BROADCAST_TO NOT_EQUAL REVERSE_V2 SOFTMAX",
    (3, 5): "EMBEDDING_LOOKUP",
    (3, 6): "QUANTIZE",
    (4, 4): """
        BATCH_MATMUL BATCH_TO_SPACE_ND LSTM MAXIMUM MINIMUM RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR
        SELECT SPACE_TO_BATCH_ND SVDF UNIDIRECTIONAL_SEQUENCE_LSTM
    """,
    (4, 5): "EQUAL FILL PACK SPLIT TRANSPOSE_CONV",
    (4, 6): "GATHER_ND PAD PADV2 UNPACK",
    (4, 7): "CONCATENATION",
    (5, 5): "ABS SUB",
    (5, 6): "ADD",
    (5, 9): "CAST DEQUANTIZE",
    (6, 8): "GATHER SLICE",
    (6, 9): "TRANSPOSE",
    (7, 7): "DEPTHWISE_CONV_2D",
    (7, 8): "CONV_2D MUL",
    (8, 8): "STRIDED_SLICE",
    (10, 14): "FULLY_CONNECTED",
}


# The types that the two refuse though they know the operator, printed by scripts/measure-op-types,
# which runs a model of one operator with each type: versions do not tell that, and some kernels
# find out only when they are run. Of other types than float32, int8, uint8 and int16 nothing is
# said.
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


@dataclass(frozen=True)
class RuntimeSupport:
    """Whether one runtime has what a model needs.

    Attributes:
        runtime: Its name, with the version where only that one is meant.
        supported: Whether it has every operator, version and tensor type.
        problems: What is missing, one phrase each; empty if it is supported.
    """

    runtime: str
    supported: bool
    problems: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as what JSON can hold."""
        return asdict(self)


@dataclass(frozen=True)
class Runtime:
    """A runtime that files can be made for.

    Attributes:
        option: What `convert --runtime` takes.
        name: Its name, with the version where only that one is meant.
        backend: The backend that runs it, as in `edge_runtime.runtimes.backends`.
        release: How its versions begin; "" for any.
        dtypes: The tensor types that it knows.
        versions: The highest version of each operator that it has.
        refused: The types that an operator refuses there.
    """

    option: str
    name: str
    backend: str
    release: str
    dtypes: tuple[str, ...]
    versions: Mapping[str, int]
    refused: Mapping[str, tuple[str, ...]]

    def support(self, summary: ModelSummary) -> RuntimeSupport:
        """Return whether it can load a model, judged as in `runtime_support`."""
        found = [problem for use in summary.operators for problem in self._problems(use)]
        dtypes = dict.fromkeys(tensor.dtype for tensor in summary.tensors)
        found += [f"{dtype} tensors: not there" for dtype in dtypes if dtype not in self.dtypes]
        return RuntimeSupport(self.name, not found, tuple(found))

    def _problems(self, use: OperatorUse) -> list[str]:
        highest = self.versions.get(use.name)
        if use.custom:
            return [f"custom operator {use.name}: not there"]
        if highest is None:
            return [f"{use.name}: not there"]
        if use.version > highest:
            return [f"{use.name} version {use.version}: at most {highest} there"]
        # Types were measured of versions that are there.
        refused = self.refused.get(use.name, ())
        return [f"{use.name} of {dtype}: not there" for dtype in use.dtypes if dtype in refused]


def _measured(place: int) -> tuple[Mapping[str, int], Mapping[str, tuple[str, ...]]]:
    """Return the versions and the refused types of each operator, of the runtime at that place."""
    versions = {name: both[place] for both, names in _VERSIONS.items() for name in names.split()}
    refused = {name: both[place] for both, names in _REFUSED.items() for name in names.split()}
    return (
        {name: version for name, version in versions.items() if version},
        {name: tuple(types.split()) for name, types in refused.items() if types},
    )


_DTYPES = tuple(kind.dtype for kind in TENSOR_TYPES)
RUNTIMES: dict[str, Runtime] = {
    each.option: each
    for each in (
        # Newer releases only add to what was measured, so 2.3.0 stands for those that follow.
        Runtime("litert", "ai-edge-litert", "litert", "", _DTYPES, *_measured(1)),
        Runtime(
            "tflite-runtime-2.14",
            "tflite-runtime 2.14.0",
            "tflite-runtime",
            "2.14.",
            _DTYPES[:18],
            *_measured(0),
        ),
    )
}


def runtime_support(summary: ModelSummary) -> tuple[RuntimeSupport, ...]:
    """Return, for each runtime, whether it can load the model, and what stands in the way.

    This is necessary, not sufficient: a kernel may still refuse a shape, or a type that was not
    measured. Loading the model in the runtime is the proof.
    """
    return tuple(runtime.support(summary) for runtime in RUNTIMES.values())
