"""The mark in a .tflite that was made here: what says that a manifest belongs to it.

It is the model's `description`, which no runtime reads. A file that bears it is not run without its
manifest, since class names and preprocessing would have to be guessed.
"""

from edge_runtime.errors import ModelError

# As long as what TensorFlow's converter writes there, so that the file keeps its size.
MARK = "By fmnist-edge."


def is_marked(data: bytes) -> bool:
    """Return whether the bytes of a .tflite say that it was made here."""
    if MARK.encode() not in data:
        return False
    # Here, since files with their manifest should not wait for it.
    from edge_runtime.models.inspection.flatbuffer import FlatBuffer
    from edge_runtime.models.inspection.schema import ModelField

    try:
        return FlatBuffer(data).root().text(ModelField.DESCRIPTION) == MARK
    except ModelError:  # a damaged file is told so elsewhere
        return False
