"""The model and the images of one examination, made ready to be tried."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.counting import count_numbers
from edge_runtime.doctor.correction import Apply
from edge_runtime.doctor.evidence import Score, score
from edge_runtime.doctor.subject import Floats, Trial
from edge_runtime.doctor.surgery import QuantizedFile
from edge_runtime.doctor.workbench import Workbench
from edge_runtime.errors import ModelError
from edge_runtime.models.inspection import ModelSummary
from edge_runtime.models.manifest import Output

_PART = 64


def as_fed(images: Floats) -> Floats:
    """Return the images as the project feeds them: raw pixels."""
    return images


@dataclass(frozen=True, eq=False)
class Case:
    """What is examined.

    Attributes:
        data: the .tflite bytes.
        summary: what they are.
        bench: what runs them.
        images: (N, H, W, C) uint8, training images, the classes in turn.
        labels: (N,) int64, in the order of the model's recorded class names.
        stated: what the outputs are said to be.
        file: the same bytes, open for surgery; None for a model without integer activations.
    """

    data: bytes
    summary: ModelSummary
    bench: Workbench
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    stated: Output
    file: QuantizedFile | None = field(repr=False, default=None)

    @property
    def chance(self) -> float:
        """The accuracy of always giving the commonest class."""
        return float(count_numbers(self.labels).max() / len(self.labels))

    def trial(self, data: bytes | None = None) -> Trial | None:
        """Return a copy of the model ready to run, or None if the runtime refuses it."""
        try:
            return Trial(self.data if data is None else data, self.bench)
        except ModelError:
            return None

    def sample(self, count: int) -> NDArray[np.int64]:
        """Return the places of up to so many images, of each class in proportion."""
        by_class = np.argsort(self.labels, kind="stable")
        count = min(count, len(by_class))
        chosen: NDArray[np.int64] = by_class[np.arange(count) * len(by_class) // count]
        return chosen

    def take(self, places: NDArray[np.int64]) -> "Case":
        """Return the same case with these images only."""
        return replace(self, images=self.images[places], labels=self.labels[places])

    def inputs(self, apply: Apply, count: int) -> Floats:
        """Return the first so many images, corrected, as a model's real-valued input."""
        return apply(self.images[:count].astype(np.float32))

    def score(self, trial: Trial | None, apply: Apply = as_fed) -> Score:
        """Return how the model answers; one that does not run answers nothing rightly."""
        if trial is not None:
            try:
                return score(self._answers(trial, apply), self.labels)
            except ModelError:
                pass
        count = self.summary.outputs[0].shape[1]
        return score(np.full((len(self.labels), count), np.nan, np.float32), self.labels)

    def _answers(self, trial: Trial, apply: Apply) -> Floats:
        """Run the images in parts, since floats of all of them may not fit into a small memory."""
        parts = [
            trial.answers(apply(self.images[start : start + _PART].astype(np.float32)))
            for start in range(0, len(self.images), _PART)
        ]
        return np.concatenate(parts)


def balanced(labels: NDArray[np.int64], *, size: int, seed: int) -> NDArray[np.int64]:
    """Return the places of up to ``size`` images, drawn with ``seed``, the classes in turn."""
    order = np.random.default_rng(seed).permutation(len(labels))
    turns = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        members = np.flatnonzero(labels[order] == label)
        turns[members] = np.arange(len(members))
    chosen: NDArray[np.int64] = order[np.argsort(turns, kind="stable")][:size]
    return chosen


def softmaxes_at_end(case: Case) -> int:
    """Return how many softmax operators follow each other at the end of the graph."""
    graph = QuantizedFile(case.data).graph
    producers = graph.producers()
    index, count = graph.outputs[0], 0
    for _ in graph.operators:
        producer = producers.get(index)
        if producer is None or not producer.inputs:
            break
        name = producer.code.name
        if name not in ("SOFTMAX", "QUANTIZE", "DEQUANTIZE", "RESHAPE"):
            break
        count += name == "SOFTMAX"
        index = producer.inputs[0]
    return count


def shifts_its_input(case: Case) -> bool:
    """Return whether the graph adds to its input before the first operator with weights.

    A shift that a convolution or a batch norm has absorbed cannot be seen.
    """
    graph = QuantizedFile(case.data).graph
    reached = set(graph.inputs)
    for operator in graph.operators:
        if not reached & set(operator.inputs):
            continue
        if operator.code.name in ("ADD", "SUB"):
            return True
        if operator.code.name not in ("QUANTIZE", "DEQUANTIZE", "MUL", "RESHAPE", "TRANSPOSE"):
            return False
        reached.update(operator.outputs)
    return False
