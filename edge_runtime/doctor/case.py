"""The model and the images of one examination, and how it and its copies answer."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.counting import count_numbers
from edge_runtime.doctor.corrections import Correction
from edge_runtime.doctor.findings import Attempt
from edge_runtime.doctor.judging import Distances, Score, distances, score
from edge_runtime.doctor.outputs import (
    OutputFault,
    as_probabilities,
    output_fault,
)
from edge_runtime.doctor.record import Record
from edge_runtime.errors import ModelError
from edge_runtime.inference.loading.workbench import Workbench
from edge_runtime.inference.recalibration import Floats, recalibrate
from edge_runtime.models.quantized import INTEGERS, QuantizedFile, softmaxes_at_end

ALL = slice(None)
_PART = 64
_FOR_CALIBRATION = slice(0, 20)


@dataclass(frozen=True, eq=False)
class Case:
    """What is examined.

    Attributes:
        record: the model.
        bench: what runs it.
        images: (N, H, W, C) uint8, each class in proportion in any part from the start.
        labels: (N,) int64, in the order of the model's recorded class names.
        file: the bytes of the model, open for surgery.
        attempts: what was tried.
    """

    record: Record
    bench: Workbench
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    file: QuantizedFile = field(repr=False)
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def chance(self) -> float:
        """The accuracy of always giving the commonest class."""
        return float(count_numbers(self.labels).max() / len(self.labels))

    @property
    def has_integers(self) -> bool:
        """Whether it computes with integers, so that it has ranges."""
        return not set(INTEGERS).isdisjoint(self.record.summary.activation_dtypes)

    def inputs(self, one: Correction | None, part: slice) -> Floats:
        """Return images, corrected, as a model's real-valued input."""
        images = self.images[part].astype(np.float32)
        return images if one is None else one.apply(images)

    def outputs(self, one: Correction | None = None, part: slice = ALL) -> Floats:
        """Return the (N, K) dequantized outputs; NaN for a copy that does not run.

        Images go in parts, since floats of all of them may not fit into a small memory.
        """
        data = (one.data if one else None) or self.file.data
        start, stop, _ = part.indices(len(self.images))
        rows = [slice(at, min(at + _PART, stop)) for at in range(start, stop, _PART)]
        try:
            found = np.concatenate([self.bench.answers(data, self.inputs(one, r)) for r in rows])
        except ModelError:
            return np.full((stop - start, self.record.class_count), np.nan, np.float32)
        if one is None or one.class_of_output is None:
            return found
        ordered = np.empty_like(found)
        ordered[:, list(one.class_of_output)] = found
        return ordered

    def score(self, one: Correction | None = None, part: slice = ALL) -> Score:
        """Return how the model answers; one that does not run answers nothing rightly."""
        return score(self.outputs(one, part), self.labels[part])

    def output_fault(self, outputs: Floats) -> OutputFault | None:
        """Return what is wrong with the meaning of (N, K) outputs."""
        return output_fault(
            outputs,
            stated=self.record.output,
            tensor=self.record.summary.outputs[0],
            softmaxes=softmaxes_at_end(self.file),
        )

    def read(self, outputs: Floats) -> Floats:
        """Return outputs as probabilities, by what they evidently are."""
        fault = self.output_fault(outputs)
        if fault is not None and not fault.inside:
            return fault.after
        return as_probabilities(outputs, self.record.output)

    def distances(self, one: Correction | None, goal: Floats, part: slice = ALL) -> Distances:
        """Return (N,) how far the answers are from (N, K) the full model's."""
        return distances(self.read(self.outputs(one, part)), goal[part])

    def runs(self, one: Correction | None = None) -> bool:
        """Return whether the runtime takes the file, or a copy."""
        try:
            self.bench.load((one.data if one else None) or self.file.data)
        except ModelError:
            return False
        return True

    def with_fitted_ranges(self, one: Correction) -> Correction | None:
        """Return a correction on a copy whose ranges were fitted to the corrected images."""
        try:
            data = recalibrate(self.file, self.bench, self.inputs(one, _FOR_CALIBRATION)).data
        except ModelError:
            return None
        copy = replace(one, tried=f"{one.tried}, ranges fitted to them", data=data)
        return copy if self.runs(copy) else None

    def note(self, one: Correction, found: Score, proved: bool, far: float | None = None) -> None:
        """Put a correction on the list of what was tried."""
        self.attempts.append(Attempt(one.kind, one.tried, found.figures, proved, far))
