"""What a .tflite file is: its quantization, operators, tensors, and the runtimes it can load in.

    summary = inspect_model(Path("model.tflite").read_bytes())
    summary.scheme                    # "int8"
    summary.inputs[0].scales          # (1.0,)
    runtime_support(summary)          # (RuntimeSupport(runtime="ai-edge-litert", ...), ...)

Neither TensorFlow nor a runtime is needed, and nothing in the file is executed.
"""

from edge_runtime.models.inspection.model import ModelSummary, OperatorUse, inspect_model
from edge_runtime.models.inspection.operators import BUILTIN_OPERATORS
from edge_runtime.models.inspection.runtimes import (
    RUNTIMES,
    Runtime,
    RuntimeSupport,
    runtime_support,
)
from edge_runtime.models.inspection.tensors import TensorInfo

__all__ = [
    "BUILTIN_OPERATORS",
    "RUNTIMES",
    "ModelSummary",
    "OperatorUse",
    "Runtime",
    "RuntimeSupport",
    "TensorInfo",
    "inspect_model",
    "runtime_support",
]
