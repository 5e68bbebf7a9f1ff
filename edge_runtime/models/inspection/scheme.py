"""How a model was quantized, judged from its tensors and not from its name or metadata."""

from collections.abc import Iterable, Sequence

from edge_runtime.models.inspection.graph import Graph, Operator
from edge_runtime.models.inspection.tensors import TensorInfo

# They change how numbers are written, not what the numbers are.
_CONVERSIONS = frozenset({"QUANTIZE", "DEQUANTIZE", "CAST"})
_PASSES_VALUES_ON = frozenset({"QUANTIZE", "DEQUANTIZE", "RESHAPE"})
# They hold indices, shapes and conditions, in models of every scheme.
_NEUTRAL = frozenset(
    {"int32", "int64", "uint32", "uint64", "bool", "string", "resource", "variant"}
)
_NARROW_WEIGHTS = frozenset({"int8", "uint8", "int4", "uint4", "int2"})


def scheme_of(graphs: Sequence[Graph]) -> str:
    """Return "float32", "float16", "dynamic", "int8", "int16x8" or "mixed".

    What counts is the type that is computed in. Conversions at the border of the model do not: an
    int8 model may take float32 pixels and quantize them first. "float16" and "dynamic" compute in
    float32 with weights stored as float16, or as 8-bit and narrower integers.
    """
    computed = _dtypes(tensor for graph in graphs for tensor in _computed(graph)) - _NEUTRAL
    weights = _dtypes(tensor for graph in graphs for tensor in _weights(graph)) - _NEUTRAL
    if computed == {"int8"}:
        return "int8"
    if computed == {"int16"}:
        return "int16x8" if weights <= {"int8", "int16"} else "mixed"
    if computed == {"float32"}:
        return _scheme_of_weights(weights)
    return "mixed"


def activation_dtypes(graphs: Sequence[Graph]) -> tuple[str, ...]:
    """Return the types of what is fed in or computed, border included, in alphabetical order."""
    used = (tensor for graph in graphs for tensor in _used(graph) if not tensor.is_constant)
    return tuple(sorted(_dtypes(used)))


def softmax_input(graph: Graph) -> TensorInfo | None:
    """Return what the softmax takes that makes the first output, maybe rescaled or reshaped after;
    None if that is not how the graph ends.
    """  # noqa: D205
    producers = graph.producers()
    index = graph.outputs[0] if graph.outputs else -1
    # No path is longer than the operators are many; more steps would be a circle.
    for _ in graph.operators:
        producer = producers.get(index)
        if producer is None or not producer.inputs:
            return None
        index = producer.inputs[0]
        if producer.code.name not in _PASSES_VALUES_ON:
            return graph.tensors[index] if producer.code.name == "SOFTMAX" else None
    return None


def _scheme_of_weights(weights: set[str]) -> str:
    if weights <= {"float32"}:
        return "float32"
    if weights <= {"float32", "float16"}:
        return "float16"
    return "dynamic" if weights <= _NARROW_WEIGHTS | {"float32"} else "mixed"


def _dtypes(tensors: Iterable[TensorInfo]) -> set[str]:
    return {tensor.dtype for tensor in tensors}


def _used(graph: Graph) -> list[TensorInfo]:
    """Return the tensors that take part; converters leave others behind."""
    indices = {*graph.inputs, *graph.outputs}
    for operator in graph.operators:
        indices.update(operator.inputs, operator.outputs)
    return [graph.tensors[index] for index in sorted(indices) if index >= 0]


def _weights(graph: Graph) -> list[TensorInfo]:
    return [tensor for tensor in _used(graph) if tensor.is_constant]


def _computed(graph: Graph) -> list[TensorInfo]:
    """Return the tensors between the border conversions, without weights in any form."""
    outside = _border(graph) | _unpacked_weights(graph)
    used = _used(graph)
    return [tensor for tensor in used if not tensor.is_constant and tensor.index not in outside]


def _border(graph: Graph) -> set[int]:
    """Return the inputs that are only converted, and the outputs that come from a conversion."""
    consumers: dict[int, set[str]] = {}
    for operator in graph.operators:
        for index in operator.inputs:
            consumers.setdefault(index, set()).add(operator.code.name)
    producers = graph.producers()
    inputs = {index for index in graph.inputs if consumers.get(index, {""}) <= _CONVERSIONS}
    outputs = {index for index in graph.outputs if _is_conversion(producers.get(index))}
    return inputs | outputs


def _unpacked_weights(graph: Graph) -> set[int]:
    """Return the tensors that are constants converted as the run begins."""
    return {
        index
        for operator in graph.operators
        if _is_conversion(operator) and graph.tensors[operator.inputs[0]].is_constant
        for index in operator.outputs
    }


def _is_conversion(operator: Operator | None) -> bool:
    if operator is None or not operator.inputs or operator.inputs[0] < 0:
        return False
    return operator.code.name in _CONVERSIONS
