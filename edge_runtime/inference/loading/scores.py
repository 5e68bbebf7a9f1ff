"""The numbers before the last softmax, which is flat at 0 and 1 and so hides small differences.

A runtime tells only its outputs reliably, since the memory of what lies between is used again, in
tflite-runtime even when it is told to keep it. So a copy of the model is run whose output is that
tensor: four bytes differ.
"""

import struct
from dataclasses import replace

from edge_runtime.errors import BundleError
from edge_runtime.models.inspection import ModelSummary, TensorInfo, inspect_model
from edge_runtime.models.inspection.flatbuffer import FlatBuffer
from edge_runtime.models.inspection.schema import ModelField, SubgraphField
from edge_runtime.models.model_file import ModelFile


def scores_tensor(summary: ModelSummary) -> TensorInfo:
    """Return what goes into the last softmax of an image classifier.

    A model that answers in floats, or does not end in a softmax, has no other scores than its
    output.
    """
    output, scores = summary.outputs[0], summary.scores
    if scores is None or output.is_floating or scores.shape != output.shape:
        return output
    return scores


def ending_at_scores(file: ModelFile) -> ModelFile:
    """Return an image classifier with its scores for an output, or as it is where they are that.

    Raises:
        ModelError: it is damaged.
    """
    summary = inspect_model(file.data)
    scores = scores_tensor(summary)
    if scores.index == summary.outputs[0].index:
        return file
    graph = FlatBuffer(file.data).root().tables(ModelField.SUBGRAPHS)[0]
    span = graph.span(SubgraphField.OUTPUTS, item_size=4)
    if span is None or span.length != 4:
        raise BundleError("its model has more than one output")
    changed = bytearray(file.data)
    struct.pack_into("<i", changed, span.start, scores.index)
    return replace(file, data=bytes(changed), bundle=None)
