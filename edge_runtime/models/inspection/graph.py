"""The subgraphs of a .tflite file, with every index in them checked."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge_runtime.models.inspection.flatbuffer import FlatBuffer, Span, Table, damaged
from edge_runtime.models.inspection.operators import OperatorCode
from edge_runtime.models.inspection.schema import (
    OperatorField,
    SignatureField,
    SubgraphField,
    TensorField,
)
from edge_runtime.models.inspection.tensors import TensorInfo, read_tensor

# Stands for an optional input that is left out.
_NO_TENSOR = -1


@dataclass(frozen=True)
class Operator:
    """One step of a subgraph, with the numbers of its tensors; -1 is an input that is left out."""

    code: OperatorCode
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Graph:
    """One subgraph: its tensors, its steps in order, and the numbers of what goes in and out."""

    tensors: tuple[TensorInfo, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def producers(self) -> dict[int, Operator]:
        """Return the operator that computes each tensor."""
        return {index: operator for operator in self.operators for index in operator.outputs}

    def given_dtypes(self, operator: Operator) -> tuple[str, ...]:
        """Return the one type that an operator works on; none for one without tensors."""
        inputs = [self.tensors[index] for index in operator.inputs if index != _NO_TENSOR]
        computed = [tensor for tensor in inputs if not tensor.is_constant]
        outputs = [self.tensors[index] for index in operator.outputs]
        return tuple(tensor.dtype for tensor in [*computed, *inputs, *outputs][:1])


def read_graph(
    file: FlatBuffer,
    table: Table,
    *,
    number: int,
    codes: Sequence[OperatorCode],
    buffers: Sequence[Span],
) -> Graph:
    """Return one subgraph after checking it.

    Raises:
        ModelError: a part of it is damaged, or refers to what is not there.
    """
    table.text(SubgraphField.NAME)
    entries = table.tables(SubgraphField.TENSORS)
    tensors = tuple(
        read_tensor(entry, index=index, subgraph=number, buffers=buffers)
        for index, entry in enumerate(entries)
    )
    inputs = table.integers(SubgraphField.INPUTS, "i")
    outputs = table.integers(SubgraphField.OUTPUTS, "i")
    _check_indices(inputs, len(tensors), f"the inputs of subgraph {number}")
    _check_indices(outputs, len(tensors), f"the outputs of subgraph {number}")
    operators = tuple(
        _read_operator(file, entry, f"operator {index} of subgraph {number}", codes, len(tensors))
        for index, entry in enumerate(table.tables(SubgraphField.OPERATORS))
    )
    variables = {
        i for i, entry in enumerate(entries) if entry.integer(TensorField.IS_VARIABLE, "B")
    }
    graph = Graph(tensors, operators, inputs, outputs)
    _check_order(graph, number, variables)
    return graph


def check_signature(table: Table, graphs: Sequence[Graph]) -> None:
    """Refuse a signature that names a subgraph or a tensor that is not there."""
    key = table.text(SignatureField.KEY) or ""
    number = table.integer(SignatureField.SUBGRAPH, "I")
    if number >= len(graphs):
        raise damaged(f"signature {key!r} names subgraph {number}, and there are {len(graphs)}")
    for slot in (SignatureField.INPUTS, SignatureField.OUTPUTS):
        entries = table.tables(slot)
        if any(entry.text(0) is None for entry in entries):
            raise damaged(f"signature {key!r} has a tensor without a name")
        indices = [entry.integer(1, "I") for entry in entries]
        _check_indices(indices, len(graphs[number].tensors), f"signature {key!r}")


def _check_order(graph: Graph, number: int, variables: set[int]) -> None:
    """Refuse a graph that reads what nothing has computed, or that writes over other data.

    Runtimes check neither, and then use memory that is not the tensor's.
    """
    constants = {tensor.index for tensor in graph.tensors if tensor.is_constant}
    # Nothing is read of a tensor without elements, so nothing needs to have made it.
    empty = {tensor.index for tensor in graph.tensors if tensor.size_bytes == 0}
    known = {_NO_TENSOR, *graph.inputs, *variables, *constants, *empty}
    written = {*graph.inputs, *constants}
    for place, operator in enumerate(graph.operators):
        where = f"operator {place} of subgraph {number}"
        for index in operator.inputs:
            if index not in known:
                raise damaged(f"{where} reads tensor {index}, which nothing computes before it")
        for index in operator.outputs:
            if index in written:
                raise damaged(f"{where} writes over tensor {index}")
        written.update(operator.outputs)
        known.update(operator.outputs)
    for index in graph.outputs:
        if index not in known:
            raise damaged(f"nothing computes tensor {index}, an output of subgraph {number}")


def _read_operator(
    file: FlatBuffer, table: Table, where: str, codes: Sequence[OperatorCode], tensor_count: int
) -> Operator:
    code = table.integer(OperatorField.CODE, "I")
    if code >= len(codes):
        raise damaged(f"{where} names operator code {code}, and there are {len(codes)}")
    inputs = table.integers(OperatorField.INPUTS, "i")
    outputs = table.integers(OperatorField.OUTPUTS, "i")
    present = [index for index in inputs if index != _NO_TENSOR]
    _check_indices(present, tensor_count, f"the inputs of {where}")
    _check_indices(outputs, tensor_count, f"the outputs of {where}")
    intermediates = table.integers(OperatorField.INTERMEDIATES, "i")
    _check_indices(intermediates, tensor_count, f"the intermediates of {where}")
    _check_options(file, table)
    return Operator(codes[code], inputs, outputs)


def _check_options(file: FlatBuffer, table: Table) -> None:
    """Refuse options that lie outside the file; what they say is the runtime's business."""
    table.table(OperatorField.OPTIONS)
    table.table(OperatorField.OPTIONS_2)
    table.check_vectors(OperatorField.CUSTOM_OPTIONS, OperatorField.MUTATED_INPUTS, item_size=1)
    start = table.integer(OperatorField.LARGE_CUSTOM_OPTIONS_OFFSET, "Q")
    if start > 1:
        file.check(start, table.integer(OperatorField.LARGE_CUSTOM_OPTIONS_SIZE, "Q"))


def _check_indices(indices: Sequence[int], count: int, where: str) -> None:
    for index in indices:
        if not 0 <= index < count:
            raise damaged(f"tensor {index} is among {where}, and there are {count} tensors")
