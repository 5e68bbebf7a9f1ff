"""What a .tflite file is: its quantization, operators, tensors, and the runtimes it can load in.

    summary = inspect_model(Path("model.tflite").read_bytes())
    summary.scheme                    # "int8"
    summary.inputs[0].scales          # (1.0,)
    runtime_support(summary)          # (RuntimeSupport(runtime="ai-edge-litert", ...), ...)

Neither TensorFlow nor a runtime is needed, and nothing in the file is executed.
"""

from edge_runtime.models.inspection.model import ModelSummary as ModelSummary
from edge_runtime.models.inspection.model import OperatorUse as OperatorUse
from edge_runtime.models.inspection.model import inspect_model as inspect_model
from edge_runtime.models.inspection.operators import BUILTIN_OPERATORS as BUILTIN_OPERATORS
from edge_runtime.models.inspection.runtimes import RUNTIMES as RUNTIMES
from edge_runtime.models.inspection.runtimes import Runtime as Runtime
from edge_runtime.models.inspection.runtimes import RuntimeSupport as RuntimeSupport
from edge_runtime.models.inspection.runtimes import runtime_support as runtime_support
from edge_runtime.models.inspection.tensors import TensorInfo as TensorInfo
