"""Changes of a .tflite's FlatBuffer: scales, zero points, bits, biases."""

from collections.abc import Callable
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema


def edited(data: bytes, change: Callable[[Any], None]) -> bytes:
    """Return a .tflite after a change to its FlatBuffer."""
    model = schema.ModelT.InitFromPackedBuf(data)
    change(model)
    builder = flatbuffers.Builder(65536)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def shift_zero_point(model: Any, *, is_input: bool, shift: int) -> None:
    """Move the zero point of the input or output, within its dtype."""
    tensor = _border(model, is_input)
    low, high = (0, 255) if tensor.type == schema.TensorType.UINT8 else (-128, 127)
    now = int(tensor.quantization.zeroPoint[0])
    moved = now + shift if now + shift <= high else max(low, now - shift)
    tensor.quantization.zeroPoint = [moved]


def multiply_scale(model: Any, *, is_input: bool, factor: float) -> None:
    """Change the scale of the input or output."""
    tensor = _border(model, is_input)
    tensor.quantization.scale = [float(tensor.quantization.scale[0]) * factor]


def _border(model: Any, is_input: bool) -> Any:
    """Return the input or output tensor."""
    graph = model.subgraphs[0]
    return graph.tensors[int((graph.inputs if is_input else graph.outputs)[0])]


def flip_bits(model: Any, *, share: float, rng: Any) -> None:
    """Flip one bit in some bytes of the weights of one layer; three bytes at least."""
    buffers = _constants(model, 1)
    buffer = buffers[rng.integers(len(buffers))]
    data = np.array(buffer.data, np.uint8)
    places = rng.choice(len(data), max(3, round(share * len(data))), replace=False)
    data[places] ^= (1 << rng.integers(0, 8, len(places))).astype(np.uint8)
    buffer.data = data


def lose_bias(model: Any, *, rng: Any) -> None:
    """Write zeros over the biases of one layer."""
    buffers = _constants(model, 2)
    buffer = buffers[rng.integers(len(buffers))]
    buffer.data = np.zeros_like(np.array(buffer.data, np.uint8))


def _constants(model: Any, input_place: int) -> list[Any]:
    """Return the buffers of constants that operators take as weights (1) or biases (2)."""
    graph = model.subgraphs[0]
    makers = {int(index): one for one in graph.operators for index in one.outputs}
    names = {value: name for name, value in vars(schema.BuiltinOperator).items()}
    found = []
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        name = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        if name not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            continue
        if len(operator.inputs) <= input_place or operator.inputs[input_place] < 0:
            continue
        index = int(operator.inputs[input_place])
        if index in makers:  # float16 weights are made float32 by an operator
            index = int(makers[index].inputs[0])
        buffer = model.buffers[graph.tensors[index].buffer]
        if buffer.data is not None and np.any(buffer.data):
            found.append(buffer)
    return found
