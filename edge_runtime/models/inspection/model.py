"""What a .tflite file is, read from its bytes without running them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edge_runtime.errors import ModelError
from edge_runtime.files.reading import sha256
from edge_runtime.models.inspection.flatbuffer import FlatBuffer, Span, Table, damaged
from edge_runtime.models.inspection.graph import Graph, check_signature, read_graph
from edge_runtime.models.inspection.operators import OperatorCode, read_operator_code
from edge_runtime.models.inspection.schema import (
    FILE_IDENTIFIER,
    SCHEMA_VERSION,
    MetadataField,
    ModelField,
)
from edge_runtime.models.inspection.scheme import activation_dtypes, scheme_of, softmax_input
from edge_runtime.models.inspection.tensors import TensorInfo, read_buffer
from edge_runtime.wording import Described


@dataclass(frozen=True)
class OperatorUse:
    """An operator that the model names.

    Attributes:
        name: Its name as in interpreters, such as "CONV_2D", or a custom operator's own name.
        version: The version that a runtime must have.
        count: How many times it is used, over all subgraphs. Runtimes insist on operators that are
            named and never used, so 0 is possible.
        custom: Whether it comes from outside TensorFlow Lite.
        dtypes: The types of what it is given, over all its uses, in alphabetical order: of its
            first input that is computed, or of the first where all are constant.
    """

    name: str
    version: int
    count: int
    custom: bool = False
    dtypes: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class ModelSummary(Described):
    """What a .tflite file is.

    Attributes:
        size_bytes: The size of the file.
        sha256: The hash of the file, 64 hexadecimal digits.
        schema_version: The version of the file format.
        description: What the converter wrote about itself.
        scheme: "float32", "float16", "dynamic", "int8", "int16x8" or "mixed".
        operators: The operators, in the order in which the file lists them.
        tensors: The tensors of all subgraphs, those of subgraph 0 first.
        inputs: What subgraph 0, the one that is run, takes.
        outputs: What it answers.
        metadata: The metadata entries: the text of "min_runtime_version", the length of others.
        scores: What goes into the softmax that makes the first output; None without one.
        activation_dtypes: The types of all that is fed in or computed, in alphabetical order.
    """

    size_bytes: int
    sha256: str
    schema_version: int
    description: str
    scheme: str
    operators: tuple[OperatorUse, ...]
    tensors: tuple[TensorInfo, ...]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    metadata: Mapping[str, str]
    scores: TensorInfo | None
    activation_dtypes: tuple[str, ...]

    def facts(self) -> dict[str, object]:
        """Return what there is to say of it in a notebook."""
        return {
            "scheme": self.scheme,
            "size": f"{self.size_bytes:,} bytes",
            "input": ", ".join(f"{tensor.dtype} {tensor.shape}" for tensor in self.inputs),
            "output": ", ".join(f"{tensor.dtype} {tensor.shape}" for tensor in self.outputs),
            "operators": ", ".join(f"{use.name} v{use.version}" for use in self.operators),
        }

    @property
    def ends_in_softmax(self) -> bool:
        """Whether the first output holds probabilities from a softmax."""
        return self.scores is not None

    @property
    def float_tensors(self) -> tuple[TensorInfo, ...]:
        """The tensors whose elements are floating-point numbers."""
        return tuple(tensor for tensor in self.tensors if tensor.is_floating)

    @property
    def is_full_integer(self) -> bool:
        """Whether no tensor at all is floating-point, border included."""
        return not self.float_tensors

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as what JSON can hold."""
        return {
            **asdict(self),
            "ends_in_softmax": self.ends_in_softmax,
            "is_full_integer": self.is_full_integer,
        }


def inspect_model(data: bytes) -> ModelSummary:
    """Check the bytes of a .tflite file and say what they are.

    Nothing is executed, and no runtime is needed. The check is of structure: every offset, index
    and length. It cannot see that a weight was changed; compare the hash for that.

    Args:
        data: The whole file.

    Raises:
        ModelError: the file is not a .tflite file, or is damaged.

    Examples:
        >>> from pathlib import Path
        >>> summary = inspect_model(Path("int8.tflite").read_bytes())
        >>> summary.scheme, summary.inputs[0].dtype, summary.inputs[0].shape
        ('int8', 'int8', (1, 28, 28, 1))
    """
    check_header(data)
    file = FlatBuffer(data)
    root = file.root()
    version = root.integer(ModelField.VERSION, "I")
    if version != SCHEMA_VERSION:
        raise damaged(f"its schema version is {version}, expected {SCHEMA_VERSION}")
    buffers = [read_buffer(file, table) for table in root.tables(ModelField.BUFFERS)]
    codes = [read_operator_code(table) for table in root.tables(ModelField.OPERATOR_CODES)]
    graphs = [
        read_graph(file, table, number=number, codes=codes, buffers=buffers)
        for number, table in enumerate(root.tables(ModelField.SUBGRAPHS))
    ]
    if not graphs:
        raise damaged("it has no subgraph, expected at least one")
    for table in root.tables(ModelField.SIGNATURES):
        check_signature(table, graphs)
    tensors = tuple(tensor for graph in graphs for tensor in graph.tensors)
    return ModelSummary(
        size_bytes=len(data),
        sha256=sha256(data),
        schema_version=version,
        description=root.text(ModelField.DESCRIPTION) or "",
        scheme=scheme_of(graphs),
        operators=_count_operators(codes, graphs),
        tensors=tensors,
        inputs=tuple(tensors[index] for index in graphs[0].inputs),
        outputs=tuple(tensors[index] for index in graphs[0].outputs),
        metadata=_read_metadata(data, root, buffers),
        scores=softmax_input(graphs[0]),
        activation_dtypes=activation_dtypes(graphs),
    )


def check_header(data: bytes) -> None:
    """Raise unless the bytes of a file, or its first 8, start as a .tflite does.

    Raises:
        ModelError: they do not.
    """
    if not data:
        raise ModelError("the model file is empty. Copy it again, or convert it again.")
    if len(data) < 8:
        raise damaged(f"it is truncated to {len(data)} bytes, and the header alone has 8")
    if data[4:8] != FILE_IDENTIFIER:
        raise ModelError(
            "not a .tflite file: it does not start with the TFL3 identifier"
            f" (bytes 4 to 8 are {data[4:8]!r}). Give the file that the converter wrote."
        )


def _count_operators(
    codes: Sequence[OperatorCode], graphs: Sequence[Graph]
) -> tuple[OperatorUse, ...]:
    given: dict[OperatorCode, list[tuple[str, ...]]] = {code: [] for code in codes}
    for graph in graphs:
        for operator in graph.operators:
            given[operator.code].append(graph.given_dtypes(operator))
    return tuple(
        OperatorUse(
            code.name, code.version, len(uses), code.custom, tuple(sorted(set().union(*uses)))
        )
        for code, uses in given.items()
    )


def _read_metadata(data: bytes, root: Table, buffers: Sequence[Span]) -> dict[str, str]:
    metadata = {}
    for table in root.tables(ModelField.METADATA):
        name = table.text(MetadataField.NAME) or ""
        buffer = table.integer(MetadataField.BUFFER, "I")
        if buffer >= len(buffers):
            raise damaged(f"metadata {name!r} names buffer {buffer} of {len(buffers)}")
        start, length = buffers[buffer]
        metadata[name] = f"{length} bytes"
        if name == "min_runtime_version":
            # A version is a few characters, padded with zero bytes to 16.
            text = data[start : start + min(length, 16)].split(b"\0")[0]
            metadata[name] = text.decode("ascii", errors="replace")
    return metadata
