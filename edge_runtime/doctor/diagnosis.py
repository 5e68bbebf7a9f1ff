"""Examine a model: what is wrong with it, by which evidence, and how to fix it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.datasets import Dataset, GivenDataset, given_dataset
from edge_runtime.data.drawing import balanced, in_proportion
from edge_runtime.doctor.case import Case
from edge_runtime.doctor.corrections import Correction, input_corrections, undo_scaling
from edge_runtime.doctor.findings import Cause, Diagnosis, Figures, Likeness
from edge_runtime.doctor.judging import (
    Score,
    alike_limit,
    distances,
    is_guessing,
    is_worse,
    log_loss,
)
from edge_runtime.doctor.ranges import RANGES, repairs, saw_nothing, stated_wrongly
from edge_runtime.doctor.record import Record, fit_images, open_record
from edge_runtime.doctor.reference import Reference, open_reference
from edge_runtime.doctor.symptoms import made_for_other_images, other_classes, symptoms
from edge_runtime.doctor.treatment import explained, restored
from edge_runtime.doctor.weights import DAMAGE, Difference, differences, weights_cause
from edge_runtime.errors import DatasetError, ModelError
from edge_runtime.inference.given import GivenModel, given_model, given_run, unchecked_model
from edge_runtime.inference.loading.probe import probe
from edge_runtime.inference.loading.workbench import Workbench
from edge_runtime.inference.quantization import softmax
from edge_runtime.models.model_file import ModelFile
from edge_runtime.models.quantized import QuantizedFile, scaling_in_front
from edge_runtime.runtimes.backends import Backend, choose_backend
from edge_runtime.wording import plural

_LEAST_IMAGES = 40
_OTHER = (
    "The weights are others than the full model's: no correction makes this model answer like it"
)
_COMPARE = (
    "Convert the full model again: fmnist-edge convert. With its float32.tflite as --reference the "
    "first layer that differs is named."
)


def diagnose(
    model: GivenModel,
    dataset: GivenDataset | None = None,
    *,
    reference: Any = None,
    graph: Path | str | None = None,
    images: int = 500,
    seed: int = 0,
    backend: Backend | str | None = None,
) -> Diagnosis:
    """Return what is wrong with a converted model, and which correction fixes it.

    With a reference the question is whether the model says what its full model says; without one,
    labels of training images are all there is to go by. Nothing is printed and nothing written.

    Args:
        model: the path or the bytes of a .tflite or a bundle, or what `converter.convert` returned.
        dataset: its training images with their labels, or its source, as in "sample"; its test
            images are looked at only if stored predictions are about them, then without labels.
            By default the run's that is the reference.
        reference: the full model (a run or its folder, a `keras.Model`, .keras, SavedModel, or a
            float .tflite), or its predictions.
        graph: a float .tflite of the same full model, for its weights, where predictions are the
            reference.
        images: how many to use at most, the same number of each class.
        seed: that they are drawn with.
        backend: what runs .tflite files, or its name.

    Raises:
        ModelError: a file is missing, damaged, no image classifier, or kills the runtime.
        DatasetError: there are too few images, or they do not fit the model in any way.
        PredictionsError: the reference is about other images or classes.

    Examples:
        >>> diagnosis = diagnose("int8.tflite", "sample", reference="float32.tflite", images=200)
        >>> diagnosis.is_healthy
        True
    """
    if images < 1 or seed < 0:
        raise DatasetError(f"Expected images ≥ 1 and seed ≥ 0, got {images} and {seed}.")
    given, run = given_model(model), given_run(reference)
    if run is not None:
        reference, dataset = run.model, run.dataset() if dataset is None else dataset
    if dataset is None:
        raise DatasetError("A model is examined on training images; say which with dataset=.")
    opened = given if isinstance(given, Path) else unchecked_model(given)
    name = opened.name if isinstance(opened, ModelFile) else str(opened)
    record, runtime = open_record(opened), choose_backend(backend)
    _refuse_what_does_not_run(name, record.data, runtime)
    return examine(
        name,
        record,
        given_dataset(dataset, needs=("train",)),
        backend=runtime,
        reference=Path(reference) if isinstance(reference, str) else reference,
        graph=None if graph is None else Path(graph),
        images=images,
        seed=seed,
    )


def _refuse_what_does_not_run(name: str, data: bytes, runtime: Backend) -> None:
    """Raise if a model crashes the runtime or hangs; that it answers badly is no reason."""
    try:
        probe(ModelFile(name, data), backend=runtime.name, finite=False)
    except ModelError as error:
        # A scale or a zero point that contradicts the others may be why: that is for the doctor.
        if next(stated_wrongly(QuantizedFile(data)), None) is None:
            raise ModelError(f"{name}: {error}") from error


def examine(
    name: str,
    record: Record,
    dataset: Dataset,
    *,
    backend: Backend,
    reference: Any = None,
    graph: Path | None = None,
    images: int = 500,
    seed: int = 0,
) -> Diagnosis:
    """Return what `diagnose` does, of a model that has been opened and that loads."""
    found = Diagnosis(name, record.summary.scheme, dataset.name, None, (), (), record.notes)
    if record.class_count != dataset.class_count:
        return replace(found, causes=(other_classes(record.class_count, dataset),))
    chosen = _choose_images(dataset, images, seed)
    fitted, misfits = fit_images(record, dataset.train.images[chosen])
    labels, notes = record.labels_of(dataset.train.labels[chosen], dataset)
    with Workbench(backend) as bench:
        case = Case(record, bench, fitted, labels, QuantizedFile(record.data))
        full = None
        if reference is not None:
            full = open_reference(reference, record, dataset, chosen, bench, graph=graph)
        fits = dataset.image_shape == record.input_shape
        known = input_corrections(dataset.train.images if fits else fitted)
        examination = _Examination(case, known, full)
        causes = examination.causes()
    if notes and [one.kind for one in causes] == ["untrained"]:  # its class names are others
        causes = [made_for_other_images(examination.before)]
    dead = plural(bench.deaths, "corrected copy", "corrected copies")
    died = f"{dead} could not be tried: {backend.package} dies of such a copy."
    return replace(
        found,
        baseline=examination.before.figures,
        causes=(*record.causes(dataset), *misfits, *causes),
        attempts=tuple(case.attempts),
        notes=(*found.notes, *notes, *examination.notes, *([died] if bench.deaths else ())),
        likeness=examination.likeness,
    )


class _Examination:
    """From a model, its images and what it is held to, to what is wrong with it."""

    def __init__(self, case: Case, known: Sequence[Correction], full: Reference | None) -> None:
        self.case = case
        self.full = full
        self.before = case.score()
        self.likeness: Likeness | None = None
        self.differing: list[Difference] | None = None  # layers; None where nobody knows
        self.notes = list(full.notes) if full else []
        scaling = scaling_in_front(case.file)
        self.corrections = [*known, *(undo_scaling(scaling) if scaling else ())]

    def causes(self) -> list[Cause]:
        if self.full is None or not self.case.runs():
            return self._by_labels()
        return self._by_full_model(self.full)

    def _by_full_model(self, full: Reference) -> list[Cause]:
        images, _ = fit_images(self.case.record, full.images)
        labels = np.resize(self.case.labels, len(images))
        case = replace(self.case, images=images, labels=labels)
        goal, limit = full.probabilities, alike_limit(case.record.summary.scheme, full.scheme)
        answers = case.read(case.outputs())
        self.likeness = Likeness(
            full.model,
            full.split,
            len(goal),
            float(distances(answers, goal).mean()),
            limit,
            float((answers.argmax(axis=1) == goal.argmax(axis=1)).mean()),
        )
        fault = case.output_fault(case.outputs())
        if not self.likeness.alike and fault and fault.inside:
            goal = softmax(goal)  # the full model's answers, with the softmax too many
        if full.graph:
            self.differing = differences(case.file, QuantizedFile(full.graph))
        off = weights_cause(self.differing) if self.differing else None
        if off is not None and off.kind in DAMAGE:
            return self._of_other_weights(off)
        if case.distances(None, goal).mean() <= limit:
            return self._of_one_that_answers_alike(off)
        found = explained(case, goal, self.corrections, max(limit, alike_limit("float16")))
        if found := found or self._contradictions():
            return self._causes_of([(one, self.case.score(one)) for one in found])
        return self._of_other_weights(off)

    def _contradictions(self) -> list[Correction]:
        """Return what the file itself proves of its ranges, though it is not all that is wrong."""
        if self.case.file.has_dead_layer() and not saw_nothing(self.case.file):
            return []
        proved = [one for one, is_certain in repairs(self.case) if is_certain]
        return [one for one in proved if not is_worse(self.case.score(one), self.before)]

    def _of_one_that_answers_alike(self, off: Cause | None) -> list[Cause]:
        if off is not None:
            self.notes.append(f"It answers alike, but: {off.cause}.")
        # Ranges that contradict the images are no matter of the full model.
        return self._softmax_fault(None) or [
            replace(one, suspect=one.kind not in RANGES) for one in self._by_labels()
        ]

    def _of_other_weights(self, off: Cause | None) -> list[Cause]:
        seen = symptoms(self.case, self.before)
        if off is not None:  # which explains why it only guesses
            return [off, *(one for one in seen if one.kind != "untrained")]
        if self.differing is not None:
            self.notes.append(
                "The weights are the full model's up to rounding, and no correction makes it "
                "answer alike: the loss is by quantization. Judge it with: fmnist-edge parity"
            )
            return seen
        return [Cause("weights-differ", _OTHER, _COMPARE, self.before.figures), *seen]

    def _by_labels(self) -> list[Cause]:
        case, before = self.case, self.before
        found = restored(case, before, self.corrections)
        if not found:
            return self._softmax_fault(None) or symptoms(case, before)
        guessing = is_guessing(found[0][1].accuracy, case.chance)
        if guessing and case.file.has_dead_layer() and not saw_nothing(case.file):
            return symptoms(case, before)  # no range helps weights that are gone
        return self._causes_of(found)

    def _causes_of(self, found: Sequence[tuple[Correction, Score]]) -> list[Cause]:
        """Return corrections as causes, one of each kind."""
        causes: dict[str, Cause] = {}
        for one, after in found:
            rival = next(iter(causes), None)
            doubt = f"explains the answers as well as {rival}; one of both is it" if rival else ""
            before = self.before.figures
            cause = Cause(one.kind, one.cause, one.mend, before, after.figures, doubt)
            causes.setdefault(one.kind, cause)
        return [*causes.values(), *self._softmax_fault(found[0][0])]

    def _softmax_fault(self, one: Correction | None) -> list[Cause]:
        fault = self.case.output_fault(self.case.outputs(one))
        if fault is None:
            return []
        labels = self.case.labels
        before, after = _confidence(fault.before, labels), _confidence(fault.after, labels)
        return [Cause(fault.kind, fault.cause, fault.mend, before, after)]


def _choose_images(dataset: Dataset, images: int, seed: int) -> NDArray[np.int64]:
    chosen = balanced(dataset.train.labels, size=images, seed=seed)
    least = max(_LEAST_IMAGES, 2 * dataset.class_count)
    if len(chosen) < least:
        raise DatasetError(
            f"{len(chosen)} training images are too few to tell a mistake from luck; expected "
            f"{least} or more. Give a larger --images or another --dataset."
        )
    return chosen[in_proportion(dataset.train.labels[chosen])]


def _confidence(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> Figures:
    right = int((probabilities.argmax(axis=1) == labels).sum())
    loss = float(np.median(log_loss(probabilities, labels)))
    return Figures(right, len(labels), float(probabilities.max(axis=1).mean()), loss)
