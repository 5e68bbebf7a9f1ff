"""Pack pixels: rewrite the first convolution of an integer model so that it fills vector lanes.

XNNPACK's int8 kernels multiply channels in groups of 8 (on some processors of 4), so with one or
three channels most of each group is padding. The rewrite cuts a row of pixels into overlapping
windows, which become the channels, and computes several neighbouring outputs from each:

    (28, 28, 1) pixels
    (28, 6, 8)      six windows of 8 pixels in a row, one every 4 pixels
    (24, 6, 128)    a 5 x 1 convolution: 4 neighbouring outputs of 32 channels from each window
    (24, 24, 32)    the same numbers in the same order, as they were before

The kernel is the old one at its four places within the window, with zeros elsewhere. Each output is
the sum of the same products, in integers and therefore exactly, with the same bias and scale.
"""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from converter.graph import EditableGraph
from converter.packing_plan import Convolution, Plan, choose_plan

_Code = schema.BuiltinOperator


@dataclass(frozen=True)
class Packed:
    """A rewritten model.

    Attributes:
        data: the .tflite bytes.
        pixels: how many neighbouring outputs are computed from each window.
        window: how many pixels a window has.
    """

    data: bytes
    pixels: int
    window: int


def pack_pixels(data: bytes) -> Packed | None:
    """Return an integer model, checked before, with its first convolution packed.

    The outputs are the same integers. Whether it is faster is for the target to say. None is for a
    model that does not begin with an int8 convolution, or whose lanes are filled anyway.
    """
    graph = EditableGraph(data)
    convolution = _first_convolution(graph)
    plan = choose_plan(convolution) if convolution else None
    if convolution is None or plan is None:
        return None
    _rewrite(graph, convolution, plan)
    return Packed(graph.to_bytes(), plan.outputs, plan.window)


def _first_convolution(graph: EditableGraph) -> Convolution | None:
    """Return the int8 convolution that reads the input, behind a change of its dtype if any."""
    source = graph.inputs[0]
    readers = _readers(graph, source)
    if len(readers) == 1 and graph.code(graph.operators[readers[0]]) == _Code.QUANTIZE:
        source = int(graph.operators[readers[0]].outputs[0])
        readers = _readers(graph, source)
    if len(readers) != 1 or graph.code(graph.operators[readers[0]]) != _Code.CONV_2D:
        return None
    operator = graph.operators[readers[0]]
    image, result = graph.tensors[source], graph.tensors[operator.outputs[0]]
    constants = [int(index) for index in operator.inputs[1:] if index >= 0]
    dtypes = {image.type, result.type, graph.tensors[constants[0]].type}
    if dtypes != {schema.TensorType.INT8} or any(map(graph.is_shared, constants)):
        return None
    kernel = graph.constant(constants[0], np.int8)
    if kernel is None or kernel.shape[3] != image.shape[3]:
        return None
    shapes = tuple(map(int, image.shape)), tuple(map(int, result.shape))
    return Convolution(readers[0], operator, kernel, *shapes)


def _readers(graph: EditableGraph, tensor: int) -> list[int]:
    return [place for place, item in enumerate(graph.operators) if tensor in item.inputs]


def _rewrite(graph: EditableGraph, convolution: Convolution, plan: Plan) -> None:
    operator, options = convolution.operator, convolution.operator.builtinOptions
    source, kernel, *bias = (int(index) for index in operator.inputs)
    result = int(operator.outputs[0])
    batch, rows, _, filters = convolution.output_shape
    before = _windows(graph, source, convolution, plan)
    packed = graph.add_like(
        result, (batch, rows, plan.windows, plan.outputs * filters), "packed/outputs"
    )
    graph.replace_constant(kernel, _packed_kernel(convolution, plan))
    _repeat_quantization(graph.tensors[kernel], plan.outputs)
    for index in (index for index in bias if index >= 0):
        values = graph.constant(index, np.int32)
        if values is not None:
            graph.replace_constant(index, np.tile(values, plan.outputs))
            _repeat_quantization(graph.tensors[index], plan.outputs)
    operator.inputs = np.array([before[-1].outputs[0], kernel, *bias], np.int32)
    operator.outputs = np.array([packed], np.int32)
    options.strideW = options.dilationWFactor = 1
    options.padding = schema.Padding.VALID
    after = _reshape(graph, packed, convolution.output_shape, into=result)
    graph.operators[convolution.index : convolution.index + 1] = [*before, operator, after]


def _packed_kernel(convolution: Convolution, plan: Plan) -> NDArray[np.int8]:
    """Return (outputs · K, kH, 1, window · C): the kernel at each of its places in a window."""
    filters, tall, _, channels = convolution.kernel.shape
    packed = np.zeros((plan.outputs, filters, tall, plan.window, channels), np.int8)
    dilation = int(convolution.operator.builtinOptions.dilationWFactor)
    for output in range(plan.outputs):
        start = output * convolution.stride
        packed[output, :, :, start : start + convolution.reach : dilation] = convolution.kernel
    return packed.reshape(plan.outputs * filters, tall, 1, plan.window * channels)


def _repeat_quantization(tensor: Any, times: int) -> None:
    quantization = copy.deepcopy(tensor.quantization)
    if quantization is not None and quantization.scale is not None and len(quantization.scale) > 1:
        quantization.scale = np.tile(quantization.scale, times)
        quantization.zeroPoint = np.tile(quantization.zeroPoint, times)
    tensor.quantization = quantization


def _windows(graph: EditableGraph, source: int, convolution: Convolution, plan: Plan) -> list[Any]:
    """Return the operators that make (B, H, windows, window · C) of the images.

    The row is taken once for each piece of a window, shifted by one step each time; their pieces
    then only have to be put side by side.
    """
    batch, height, width, channels = convolution.input_shape
    above, below, left = convolution.padding
    right = max(0, plan.row - width - left)
    made = []
    if above or below or left or right:
        height += above + below
        made.append(_pad(graph, source, (above, below, left, right)))
        source = int(made[-1].outputs[0])
    side = (batch, height, plan.windows // plan.together, plan.together * plan.step * channels)
    parts = []
    for piece in range(plan.pieces):
        made.append(_slice(graph, source, piece * plan.step, plan.windows * plan.step))
        made.append(_reshape(graph, int(made[-1].outputs[0]), side))
        parts.append(int(made[-1].outputs[0]))
    if plan.pieces > 1:
        joined = graph.add_like(source, (*side[:3], plan.pieces * side[3]), "packed/side_by_side")
        options = schema.ConcatenationOptionsT()
        options.axis = 3
        made.append(graph.operator(_Code.CONCATENATION, parts, joined, options, version=2))
        whole = (batch, height, plan.windows, plan.window * channels)
        made.append(_reshape(graph, joined, whole))
    return made


def _pad(graph: EditableGraph, source: int, padding: tuple[int, int, int, int]) -> Any:
    above, below, left, right = padding
    batch, height, width, channels = map(int, graph.tensors[source].shape)
    shape = (batch, height + above + below, width + left + right, channels)
    amounts = np.array([[0, 0], [above, below], [left, right], [0, 0]], np.int32)
    target = graph.add_like(source, shape, "packed/padded")
    inputs = [source, graph.add_int32(amounts, "packed/padding")]
    return graph.operator(_Code.PAD, inputs, target, schema.PadOptionsT(), version=2)


def _slice(graph: EditableGraph, source: int, start: int, width: int) -> Any:
    batch, height, _, channels = map(int, graph.tensors[source].shape)
    shape = (batch, height, width, channels)
    target = graph.add_like(source, shape, "packed/shifted")
    begin = graph.add_int32(np.array([0, 0, start, 0], np.int32), "packed/start")
    size = graph.add_int32(np.array(shape, np.int32), "packed/size")
    inputs = [source, begin, size]
    return graph.operator(_Code.SLICE, inputs, target, schema.SliceOptionsT(), version=2)


def _reshape(
    graph: EditableGraph, source: int, shape: tuple[int, ...], *, into: int | None = None
) -> Any:
    target = graph.add_like(source, shape, "packed/view") if into is None else into
    options = schema.ReshapeOptionsT()
    options.newShape = np.array(shape, np.int32)
    wanted = graph.add_int32(np.array(shape, np.int32), "packed/shape")
    return graph.operator(_Code.RESHAPE, [source, wanted], target, options)
