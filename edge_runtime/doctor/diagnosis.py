"""Examine a model: what is wrong with it, by which evidence, and what mends it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.datasets import Dataset
from edge_runtime.doctor.case import Case, balanced, softmaxes_at_end
from edge_runtime.doctor.corrections import input_corrections
from edge_runtime.doctor.evidence import Score, is_guessing, log_loss
from edge_runtime.doctor.findings import Cause, Diagnosis, Figures
from edge_runtime.doctor.labels import reorder
from edge_runtime.doctor.outputs import output_fault
from edge_runtime.doctor.ranges import saw_nothing
from edge_runtime.doctor.record import Record, fit_images
from edge_runtime.doctor.session import Candidate
from edge_runtime.doctor.surgery import INTEGERS, WITH_WEIGHTS, QuantizedFile
from edge_runtime.doctor.treatment import Treatment, treat
from edge_runtime.doctor.workbench import Workbench
from edge_runtime.errors import DatasetError
from edge_runtime.runtimes.backends import Backend
from edge_runtime.wording import plural

DEFAULT_IMAGES = 500
_LEAST_IMAGES = 40
# Mean and deviation of the pixels need no more.
_FOR_STATISTICS = 200


@dataclass(frozen=True)
class Options:
    """How to examine.

    Attributes:
        images: how many training images at most.
        seed: that they are drawn with.
    """

    images: int = DEFAULT_IMAGES
    seed: int = 0


def examine(
    name: str,
    record: Record,
    dataset: Dataset,
    *,
    backend: Backend,
    options: Options | None = None,
) -> Diagnosis:
    """Return what is wrong with a model, measured on training images.

    Args:
        name: what to call the model.
        record: the model with what is recorded beside it.
        dataset: only its training split is used.
        backend: the runtime.
        options: how many images, and their seed.

    Raises:
        DatasetError: there are too few images, or they do not fit the model in any way.
    """
    options = options or Options()
    count = record.summary.outputs[0].shape[1]
    if count != dataset.class_count:
        return _misfit(name, record, dataset, _class_count(count, dataset))
    chosen = _choose_images(dataset, count, options)
    images = dataset.train.images[chosen]
    fitted = fit_images(record, images)
    labels, notes = record.labels_of(dataset.train.labels[chosen], dataset)
    with Workbench(backend) as bench:
        case = Case(
            record.data,
            record.summary,
            bench,
            fitted.images,
            labels,
            record.output,
            _quantized(record),
        )
        corrections = input_corrections(fitted.images[:_FOR_STATISTICS].astype(np.float32))
        treatment = treat(case, corrections)
        found = _causes(case, treatment)
    if notes and [one.kind for one in found] == ["untrained"]:
        found = [_of_other_images(treatment.before)]  # the notes say that its names are others
    causes = [*record.causes(dataset), *fitted.causes, *found]
    return Diagnosis(
        name,
        record.summary.scheme,
        dataset.name,
        _figures(treatment.before),
        tuple(causes),
        treatment.attempts,
        (*record.notes, *notes, *_not_tried(bench)),
    )


def _not_tried(bench: Workbench) -> tuple[str, ...]:
    """Return a note on the copies that killed their process, if there were any."""
    if not bench.deaths:
        return ()
    copies = plural(bench.deaths, "corrected copy", "corrected copies")
    return (f"{copies} could not be tried: {bench.backend.package} dies of such a copy.",)


def _choose_images(dataset: Dataset, class_count: int, options: Options) -> NDArray[np.int64]:
    chosen = balanced(dataset.train.labels, size=options.images, seed=options.seed)
    least = max(_LEAST_IMAGES, 2 * class_count)
    if len(chosen) < least:
        raise DatasetError(
            f"{len(chosen)} training images are too few to tell a mistake from luck; expected "
            f"{least} or more. Give a larger --images or another --dataset."
        )
    return chosen


def _quantized(record: Record) -> QuantizedFile | None:
    has_integers = set(record.summary.activation_dtypes) & set(INTEGERS)
    return QuantizedFile(record.data) if has_integers else None


def _figures(score: Score) -> Figures:
    return Figures(score.count, score.total)


def _causes(case: Case, treatment: Treatment) -> list[Cause]:
    best = treatment.best
    causes = []
    if best is not None:
        hopeless = _has_dead_layer(case) and is_guessing(best.score.accuracy, case.chance)
        if hopeless and not (case.file and saw_nothing(case.file)):
            return _untreatable(case, treatment.before)  # no range helps weights that are gone
        causes.append(_cause_of(treatment.before, best))
    trial = best.trial if best else case.trial()
    if trial is None:
        return causes or [_refused(case)]
    outputs = case.score(trial, best.correction.apply).outputs if best else treatment.before.outputs
    if best and best.relabelled:
        outputs = reorder(outputs, best.relabelled.class_of_output)
    fault = output_fault(
        outputs,
        case.labels,
        stated=case.stated,
        tensor=trial.output,
        softmaxes=softmaxes_at_end(case),
    )
    if fault is not None:
        before = _confidence(case, fault.before)
        causes.append(
            Cause(fault.kind, fault.cause, fault.mend, before, _confidence(case, fault.after))
        )
    return causes or _untreatable(case, treatment.before)


def _has_dead_layer(case: Case) -> bool:
    """Return whether an integer layer has nothing but zeros for weights."""
    file = case.file
    return file is not None and any(
        operator.code.name in WITH_WEIGHTS and file.is_zero(operator.inputs[1])
        for operator in file.graph.operators
    )


def _cause_of(before: Score, best: Candidate) -> Cause:
    one = best.correction
    return Cause(one.kind, one.cause, one.mend, _figures(before), _figures(best.score))


def _confidence(
    case: Case, probabilities: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
) -> Figures:
    right = int((probabilities.argmax(axis=1) == case.labels).sum())
    loss = log_loss(probabilities, case.labels)
    confidence = float(probabilities.max(axis=1).mean())
    return Figures(right, len(case.labels), confidence, float(np.median(loss)))


def _refused(case: Case) -> Cause:
    return Cause(
        "refused",
        "The runtime refuses this model, and no correction changes that",
        "Convert it again: fmnist-edge convert; `fmnist-edge inspect` shows which runtimes can "
        "run it.",
    )


def _untreatable(case: Case, before: Score) -> list[Cause]:
    """Return what is wrong with a model that no correction helps, or nothing."""
    outputs = before.outputs
    figures = _figures(before)
    train = "Train it again (fmnist-edge train) and convert the result; compare with `fmnist-edge "
    train += "parity`."
    broken = int((~np.isfinite(outputs)).any(axis=1).sum())
    if broken:
        return [
            Cause(
                "nan",
                f"The model answers {broken} of {len(outputs)} images with NaN or infinity: its "
                "weights are destroyed",
                train,
                figures,
            )
        ]
    if not is_guessing(before.accuracy, case.chance):
        return []
    answers = outputs.argmax(axis=1)
    if np.ptp(outputs, axis=0).max() <= 1e-6 * max(1.0, float(np.abs(outputs).max())):
        cause = "The output is constant: every image gets the same numbers, whatever it shows"
        return [Cause("constant-output", cause, train, figures)]
    if len(np.unique(answers)) == 1:
        cause = f"The output is constant: every image is taken for class {answers[0]}"
        return [Cause("constant-output", cause, train, figures)]
    cause = (
        f"The model only guesses ({before.accuracy:.1%}; guessing gives {case.chance:.1%}), and no "
        "correction helps: it is untrained, or its weights are destroyed"
    )
    return [Cause("untrained", cause, train, figures)]


def _of_other_images(before: Score) -> Cause:
    return Cause(
        "other-images",
        f"The model only guesses ({before.accuracy:.1%}), and its class names are not the "
        "dataset's: it was made for other images",
        "Use the dataset that the model was made for (--dataset). If it is this one under other "
        "names, train it again.",
        _figures(before),
    )


def _misfit(name: str, record: Record, dataset: Dataset, cause: Cause) -> Diagnosis:
    return Diagnosis(
        name, record.summary.scheme, dataset.name, None, (cause,), (), tuple(record.notes)
    )


def _class_count(count: int, dataset: Dataset) -> Cause:
    return Cause(
        "class-count",
        f"The model has {count} classes, the dataset '{dataset.name}' has {dataset.class_count}",
        "Use the dataset that the model was made for (--dataset), or train on this one.",
    )
