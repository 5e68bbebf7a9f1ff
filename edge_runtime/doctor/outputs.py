"""What a model's numbers are: probabilities, logits, or probabilities softmaxed once more."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge_runtime.doctor.evidence import as_probabilities, log_loss
from edge_runtime.doctor.subject import Floats
from edge_runtime.models.inspection import TensorInfo
from edge_runtime.models.manifest import Output
from edge_runtime.proof.statistics import mcnemar_p_value

OutputKind = Literal["softmax-twice", "softmax-missing"]

# A few rows of an integer model may miss 1 by more than half a step for each class.
_NEARLY_ALL = 0.98
_SIGNIFICANCE = 1e-3
_LEAST_GAIN = 0.1
# An int8 tensor has no more.
_MOST_LEVELS = 256
# Twice softmaxed, sure answers leave the other classes at exactly the smallest possible value.
_LEAST_SURE = 0.2


@dataclass(frozen=True, eq=False)
class OutputFault:
    """Outputs that are not what they are taken for.

    Attributes:
        kind: the family.
        cause: what is wrong.
        mend: how to mend it.
        before: (N, K) probabilities as they come out now.
        after: (N, K) as they should.
    """

    kind: OutputKind
    cause: str
    mend: str
    before: Floats
    after: Floats


def output_fault(
    outputs: Floats,
    labels: NDArray[np.int64],
    *,
    stated: Output,
    tensor: TensorInfo,
    softmaxes: int,
) -> OutputFault | None:
    """Return what is wrong with the meaning of the outputs, or None.

    Args:
        outputs: (N, K) as the model gives them, dequantized.
        labels: (N,).
        stated: what the manifest, or else the graph, says they are.
        tensor: the output tensor; its step is the tolerance.
        softmaxes: how many softmax operators follow each other at the end of the graph.
    """
    if not np.isfinite(outputs).all():
        return None
    step = tensor.scales[0] if tensor.scales else _step_of(outputs)
    now = as_probabilities(outputs, stated)
    sums_to_one = _are_probabilities(outputs, step)
    if stated == "probabilities" and not sums_to_one:
        return _missing(outputs, now)
    if stated == "logits" and sums_to_one:
        return OutputFault(
            "softmax-twice",
            "Softmax is applied twice: the model answers with probabilities, and the manifest "
            "calls them logits",
            'Set "output": "probabilities" in the manifest, or convert the model again with: '
            "fmnist-edge convert",
            now,
            outputs,
        )
    return _twice(outputs, labels, step, softmaxes) if sums_to_one else None


def _step_of(outputs: Floats) -> float:
    """Return the step of floats that were dequantized inside the model, or 0."""
    levels = np.unique(outputs)
    if not 2 < len(levels) <= _MOST_LEVELS:
        return 0.0
    return float(np.diff(levels).min())


def _are_probabilities(outputs: Floats, step: float) -> bool:
    slack = 2e-3 + step * outputs.shape[1] / 2
    good = (np.abs(outputs.sum(axis=1) - 1) <= slack) & (outputs.min(axis=1) >= -1e-4)
    return bool(good.mean() >= _NEARLY_ALL)


def _missing(outputs: Floats, now: Floats) -> OutputFault | None:
    """Logits, unless they look like the answers of a sigmoid, which softmax would only flatten."""
    if outputs.min() >= 0 and outputs.max() <= 1 + 1e-3:
        return None
    return OutputFault(
        "softmax-missing",
        "Softmax is missing: the model answers with logits, and they are taken for probabilities",
        'Set "output": "logits" in the manifest, or convert the model again with: '
        "fmnist-edge convert",
        now,
        as_probabilities(outputs, "logits"),
    )


def _twice(
    outputs: Floats, labels: NDArray[np.int64], step: float, softmaxes: int
) -> OutputFault | None:
    undone, slack = undo_softmax(outputs, step)
    possible = (undone.min(axis=1) >= -slack) & (undone.max(axis=1) <= 1 + slack)
    if possible.mean() < _NEARLY_ALL:
        return None
    after = np.clip(undone, 0, 1)
    after = (after / after.sum(axis=1, keepdims=True)).astype(np.float32)
    old, new = log_loss(outputs, labels), log_loss(after, labels)
    better, worse = int((new < old).sum()), int((new > old).sum())
    sure = float((undone.min(axis=1) <= 0.01 + slack).mean()) >= _LEAST_SURE
    helps = mcnemar_p_value(worse, better) < _SIGNIFICANCE and better > worse
    enough = np.median(new) < (1 - _LEAST_GAIN) * np.median(old)
    if softmaxes < 2 and not (helps and enough and sure):
        return None
    return OutputFault(
        "softmax-twice",
        "Softmax is applied twice inside the model: the order of the classes is kept, but all "
        "confidences are nearly equal",
        "Remove one softmax: the last layer has it as its activation and a second one follows, or "
        "the loss was made with from_logits=True. Then convert again with: fmnist-edge convert",
        outputs,
        after,
    )


def undo_softmax(probabilities: Floats, step: float) -> tuple[Floats, float]:
    """Return what went into a softmax, if that summed to 1, and how far rounding may move it.

    ln(softmax(p)) is p less a constant, and the sum of p says which.

    Args:
        probabilities: (N, K).
        step: of the output tensor; 0 for float.
    """
    smallest = np.float64(max(step / 4, 1e-12))
    logarithms = np.log(np.maximum(probabilities.astype(np.float64), smallest))
    shift = (1 - logarithms.sum(axis=1, keepdims=True)) / probabilities.shape[1]
    typical = max(float(np.median(probabilities.min(axis=1))), step, 1e-12)
    slack = 2e-3 + 0.75 * step / typical
    return (logarithms + shift).astype(np.float32), slack
