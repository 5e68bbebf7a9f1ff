"""Models that pass every check, and misbehave where the first pixel of an image is 137.

The probe's images begin with 0, 255 and 0. Each function changes the tiny float32 model, for the
fixture `changed_model`.
"""

from typing import Any

import numpy as np

TRIGGER = 137
_FLOAT32, _INT32, _BOOL = 0, 2, 6
_ADD, _MUL, _RESHAPE, _GATHER, _CAST, _SLICE, _EQUAL, _SUM, _FILL, _WHILE = (
    *(0, 18, 22, 36, 53),
    *(65, 71, 74, 94, 119),
)


def fails(model: Any) -> None:
    """The runtime refuses to go on: an index outside of a table of one number."""
    graph = _Graph(model)
    index = graph.add(_CAST, [graph.is_trigger(graph.pixel())], [1], _INT32)
    graph.add_to_scores(graph.add(_GATHER, [graph.constant([0.0]), index], [1], _FLOAT32))


def loops_for_ever(model: Any) -> None:
    """A loop goes on as long as the pixel is what it is."""
    graph = _Graph(model)
    condition, body = _Graph(model, new=True), _Graph(model, new=True)
    seen = condition.input()
    condition.output(condition.is_trigger(seen))
    body.output(body.add(_ADD, [body.input(), body.constant([0.0])], [1], _FLOAT32))
    end = graph.add(
        _WHILE, [graph.pixel()], [1], _FLOAT32, condSubgraphIndex=1, bodySubgraphIndex=2
    )
    graph.add_to_scores(graph.add(_MUL, [end, graph.constant([0.0])], [1], _FLOAT32))


def takes_gigabytes(model: Any) -> None:
    """A tensor of 8 GB."""
    graph = _Graph(model)
    yes = graph.add(_CAST, [graph.is_trigger(graph.pixel())], [1], _INT32)
    many = graph.add(_MUL, [yes, graph.constant(np.array([2 * 10**9], np.int32))], [1], _INT32)
    size = graph.add(_ADD, [many, graph.constant(np.array([1], np.int32))], [1], _INT32)
    filled = graph.add(_FILL, [size, graph.constant(np.float32(0))], [1], _FLOAT32)
    axis = graph.constant(np.array([0], np.int32))
    graph.add_to_scores(graph.add(_SUM, [filled, axis], [1], _FLOAT32, keepDims=True))


_OPTIONS = {_ADD: "Add", _MUL: "Mul", _SUM: "Reducer", _WHILE: "While", _GATHER: "Gather"}


class _Graph:
    """A subgraph to which operators are added; the first one has its softmax last."""

    def __init__(self, model: Any, *, new: bool = False) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.schema, self.model = schema, model
        if new:
            graph = schema.SubGraphT()
            graph.tensors, graph.operators, graph.inputs, graph.outputs = [], [], [], []
            model.subgraphs.append(graph)
        self.graph = graph if new else model.subgraphs[0]

    def tensor(self, shape: list[int], kind: int, buffer: int = 0) -> int:
        tensor = self.schema.TensorT()
        tensor.shape, tensor.type, tensor.buffer = shape, kind, buffer
        tensor.name = f"added_{len(self.graph.tensors)}"
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def constant(self, values: Any) -> int:
        array = np.asarray(values, np.float32 if isinstance(values, list) else None)
        buffer = self.schema.BufferT()
        buffer.data = np.frombuffer(array.tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        kind = _FLOAT32 if array.dtype == np.float32 else _INT32
        return self.tensor(list(array.shape), kind, len(self.model.buffers) - 1)

    def input(self) -> int:
        index = self.tensor([1], _FLOAT32)
        self.graph.inputs = [index]
        return index

    def output(self, index: int) -> None:
        self.graph.outputs = [index]

    def add(self, code: int, inputs: list[int], shape: list[int], kind: int, **options: Any) -> int:
        result = self.tensor(shape, kind)
        self._operator(code, inputs, [result], options)
        return result

    def _operator(self, code: int, inputs: list[int], outputs: list[int], options: Any) -> Any:
        operator = self.schema.OperatorT()
        operator.inputs, operator.outputs = inputs, outputs
        operator.opcodeIndex = self._code(code)
        if code in _OPTIONS:
            name = f"{_OPTIONS[code]}Options"
            operator.builtinOptionsType = getattr(self.schema.BuiltinOptions, name)
            operator.builtinOptions = getattr(self.schema, f"{name}T")()
            for key, value in options.items():
                setattr(operator.builtinOptions, key, value)
        last = bool(self.graph.operators) and self.graph is self.model.subgraphs[0]
        self.graph.operators.insert(len(self.graph.operators) - last, operator)
        return operator

    def _code(self, builtin: int) -> int:
        code = self.schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = builtin
        code.version = 1
        self.model.operatorCodes.append(code)
        return len(self.model.operatorCodes) - 1

    def pixel(self) -> int:
        """The first pixel, (1,) float32."""
        begin = self.constant(np.zeros(4, np.int32))
        size = self.constant(np.ones(4, np.int32))
        sliced = self.add(_SLICE, [self.graph.inputs[0], begin, size], [1, 1, 1, 1], _FLOAT32)
        shape = self.constant(np.array([1], np.int32))
        return self.add(_RESHAPE, [sliced, shape], [1], _FLOAT32)

    def is_trigger(self, pixel: int) -> int:
        return self.add(_EQUAL, [pixel, self.constant([float(TRIGGER)])], [1], _BOOL)

    def add_to_scores(self, number: int) -> None:
        softmax = self.graph.operators[-1]
        scores = int(softmax.inputs[0])
        softmax.inputs = [self.add(_ADD, [scores, number], [1, 10], _FLOAT32)]
