"""A .tflite graph that can be changed: the schema's own classes, and the moves needed here."""

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edge_runtime.models.inspection.flatbuffer import FlatBuffer
from edge_runtime.models.inspection.schema import FILE_IDENTIFIER, ModelField
from edge_runtime.models.model_file import MARK

# Buffers start at multiples of this (force_align in tensorflow/lite/schema/schema.fbs).
_BUFFER_ALIGNMENT = 16


class EditableGraph:
    """The first subgraph of a .tflite file.

    Attributes:
        model: the whole file, in the schema's classes.
        operators: in the order of the computation; insert and replace them at will.
        tensors: by index; only ever add to them.
        inputs: indices of the inputs.
    """

    def __init__(self, data: bytes) -> None:
        self.model = schema.ModelT.InitFromPackedBuf(bytearray(data), 0)
        subgraph = self.model.subgraphs[0]
        self.operators: list[Any] = subgraph.operators
        self.tensors: list[Any] = subgraph.tensors
        self.inputs: list[int] = [int(index) for index in subgraph.inputs]

    def to_bytes(self) -> bytes:
        """Return the file; the same graph, the same bytes."""
        for buffer in self.model.buffers:
            buffer.__class__ = _AlignedBuffer
        builder = _Builder(1024)
        builder.Finish(self.model.Pack(builder), FILE_IDENTIFIER)
        return bytes(builder.Output())

    def code(self, operator: Any) -> int:
        """Return which builtin operator it is, as `schema.BuiltinOperator` numbers them."""
        code = self.model.operatorCodes[operator.opcodeIndex]
        return int(max(code.builtinCode, code.deprecatedBuiltinCode))

    def constant(self, tensor: int, dtype: type) -> NDArray[Any] | None:
        """Return what a constant tensor holds, or None if it is computed."""
        data = self.model.buffers[self.tensors[tensor].buffer].data
        if data is None or len(data) == 0:
            return None
        values: NDArray[Any] = np.frombuffer(bytes(data), dtype)
        return values.reshape(tuple(self.tensors[tensor].shape))

    def replace_constant(self, tensor: int, values: NDArray[Any]) -> None:
        """Give a constant tensor other values and their shape."""
        target = self.tensors[tensor]
        target.shape = np.array(values.shape, np.int32)
        self.model.buffers[target.buffer].data = np.frombuffer(values.tobytes(), np.uint8)

    def is_shared(self, tensor: int) -> bool:
        """Return whether more than one operator reads the tensor, or another tensor its buffer."""
        readers = sum(tensor in operator.inputs for operator in self.operators)
        buffer = self.tensors[tensor].buffer
        return readers > 1 or sum(other.buffer == buffer for other in self.tensors) > 1

    def add_like(self, tensor: int, shape: tuple[int, ...], name: str) -> int:
        """Add a computed tensor with the dtype and the quantization of another one."""
        source = self.tensors[tensor]
        return self._add(name, shape, source.type, source.quantization, data=None)

    def add_int32(self, values: NDArray[np.int32], name: str) -> int:
        """Add a constant of int32, as operators have shapes, offsets and paddings."""
        data = np.frombuffer(values.tobytes(), np.uint8)
        return self._add(name, values.shape, schema.TensorType.INT32, None, data)

    def _add(
        self, name: str, shape: tuple[int, ...], kind: int, quantization: Any, data: Any
    ) -> int:
        buffer = schema.BufferT()
        buffer.data = data
        self.model.buffers.append(buffer)
        tensor = schema.TensorT()
        tensor.name, tensor.type, tensor.quantization = name, kind, quantization
        tensor.shape = np.array(shape, np.int32)
        tensor.hasRank = True
        tensor.buffer = len(self.model.buffers) - 1
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def operator(
        self, code: int, inputs: list[int], output: int, options: Any = None, *, version: int = 1
    ) -> Any:
        """Return an operator, to be put among the `operators`.

        Args:
            code: one of `schema.BuiltinOperator`.
            inputs: indices of tensors.
            output: index of a tensor.
            options: an object of the schema, such as `schema.ReshapeOptionsT`.
            version: the least version that knows these dtypes (tensorflow/lite/tools/versioning).
        """
        made = schema.OperatorT()
        made.opcodeIndex = self._opcode(code, version)
        made.inputs, made.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            made.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            made.builtinOptions = options
        return made

    def _opcode(self, code: int, version: int) -> int:
        for index, known in enumerate(self.model.operatorCodes):
            if max(known.builtinCode, known.deprecatedBuiltinCode) == code:
                known.version = max(known.version, version)
                return index
        added = schema.OperatorCodeT()
        added.builtinCode = added.deprecatedBuiltinCode = code
        added.version = version
        self.model.operatorCodes.append(added)
        return len(self.model.operatorCodes) - 1


def marked(data: bytes) -> bytes:
    """Return the bytes of a .tflite with `MARK` as its description, and all else as it was.

    Raises:
        ModelError: the file is damaged.
    """
    described = FlatBuffer(data).root().span(ModelField.DESCRIPTION)
    mark = MARK.encode()
    if described is None or described.length < len(mark):
        graph = EditableGraph(data)
        graph.model.description = MARK
        return graph.to_bytes()
    start, end = described.start, described.start + described.length
    # A string of a FlatBuffer is its length in four bytes, and then its bytes and a zero.
    length = len(mark).to_bytes(4, "little")
    return data[: start - 4] + length + mark.ljust(described.length, b"\0") + data[end:]


class _AlignedBuffer(schema.BufferT):  # type: ignore[misc]
    """A buffer that is aligned as the schema demands, which the generated code forgets."""

    def Pack(self, builder: Any) -> Any:  # noqa: N802
        if self.data is None:
            return super().Pack(builder)
        data = bytes(self.data)
        builder.StartVector(1, len(data), _BUFFER_ALIGNMENT)
        builder.head -= len(data)
        builder.Bytes[builder.head : builder.head + len(data)] = data
        vector = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, vector)
        return schema.BufferEnd(builder)


class _Builder(flatbuffers.Builder):  # type: ignore[misc]
    """Writes the zero points of many channels, which are all 0, only once for each length."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._written: dict[bytes, Any] = {}

    def CreateNumpyVector(self, x: Any) -> Any:  # noqa: N802
        if x.dtype != np.int64 or x.size < 2:
            return super().CreateNumpyVector(x)
        key = x.tobytes()
        if key not in self._written:
            self._written[key] = super().CreateNumpyVector(x)
        return self._written[key]
