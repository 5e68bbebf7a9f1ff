"""What is wrong with models that no correction helps."""

import numpy as np

from edge_runtime.data.datasets import Dataset
from edge_runtime.doctor.case import Case
from edge_runtime.doctor.findings import Cause
from edge_runtime.doctor.judging import Score, is_guessing

_TRAIN = (
    "Train it again (fmnist-edge train) and convert the result; compare with `fmnist-edge parity`."
)
_BROKEN = "with NaN or infinity: its weights are destroyed"
_HELPLESS = "and no correction helps: it is untrained, or its weights are destroyed"
_CONSTANT = "The output is constant: every image"


def symptoms(case: Case, before: Score) -> list[Cause]:
    """Return what is evident from the answers, or nothing."""
    if not case.runs():
        cause = "The runtime refuses this model, and no correction changes that"
        mend = (
            "Convert it again: fmnist-edge convert; `fmnist-edge inspect` shows which runtimes can "
            "run it."
        )
        return [Cause("refused", cause, mend)]
    outputs, answers = before.outputs, before.outputs.argmax(axis=1)
    broken = int((~np.isfinite(outputs)).any(axis=1).sum())
    if broken:
        kind, cause = "nan", f"The model answers {broken} of {len(outputs)} images {_BROKEN}"
    elif not is_guessing(before.accuracy, case.chance):
        return []
    elif np.ptp(outputs, axis=0).max() <= 1e-6 * max(1.0, float(np.abs(outputs).max())):
        kind, cause = "constant-output", f"{_CONSTANT} gets the same numbers, whatever it shows"
    elif len(np.unique(answers)) == 1:
        kind, cause = "constant-output", f"{_CONSTANT} is taken for class {answers[0]}"
    else:
        guess = f"{before.accuracy:.1%}; guessing gives {case.chance:.1%}"
        kind, cause = "untrained", f"The model only guesses ({guess}), {_HELPLESS}"
    return [Cause(kind, cause, _TRAIN, before.figures)]


def made_for_other_images(before: Score) -> Cause:
    """Return the cause of guesses where the class names are others, too."""
    return Cause(
        "other-images",
        f"The model only guesses ({before.accuracy:.1%}), and its class names are not the "
        "dataset's: it was made for other images",
        "Use the dataset that the model was made for (--dataset). If it is this one under other "
        "names, train it again.",
        before.figures,
    )


def other_classes(count: int, dataset: Dataset) -> Cause:
    """Return the cause of a number of classes that is not the dataset's."""
    return Cause(
        "class-count",
        f"The model has {count} classes, the dataset '{dataset.name}' has {dataset.class_count}",
        "Use the dataset that the model was made for (--dataset), or train on this one.",
    )
