"""Mark a .tflite as made here, without touching what it computes."""

from converter.graph import EditableGraph
from edge_runtime.models.inspection.flatbuffer import FlatBuffer
from edge_runtime.models.inspection.schema import ModelField
from edge_runtime.models.model_file import MARK


def marked(data: bytes) -> bytes:
    """Return the bytes of a .tflite with `MARK` as its description.

    Raises:
        ModelError: the file is damaged.
    """
    described = FlatBuffer(data).root().span(ModelField.DESCRIPTION)
    mark = MARK.encode()
    if described is None or described.length < len(mark):
        graph = EditableGraph(data)
        graph.describe(MARK)
        return graph.to_bytes()
    start, end = described.start, described.start + described.length
    # A string of a FlatBuffer is its length in four bytes, and then its bytes and a zero.
    length = len(mark).to_bytes(4, "little")
    return data[: start - 4] + length + mark.ljust(described.length, b"\0") + data[end:]
