"""What a model's numbers are: probabilities, logits, or probabilities softmaxed once more."""

from dataclasses import dataclass

import numpy as np

from edge_runtime.inference.quantization import softmax
from edge_runtime.inference.recalibration import Floats
from edge_runtime.models.inspection import TensorInfo
from edge_runtime.models.manifest import Output

# A few rows of an integer model may miss 1 by more than half a step for each class.
_NEARLY_ALL = 0.98
# What float16 and the runtimes' softmax kernels round off.
_SLACK = 2e-3
# Floats that were dequantized inside the model have the steps of an int8 softmax.
_INT8_STEP = 1 / 256
_TWICE = (
    "Softmax is applied twice inside the model: the order of the classes is kept, but all "
    "confidences are nearly equal"
)
_REMOVE = (
    "Remove one softmax: the last layer has it as its activation and a second one follows, or the "
    "loss was made with from_logits=True. Then convert again with: fmnist-edge convert"
)
_SET = 'Set "output": "{}" in the manifest, or convert the model again with: fmnist-edge convert'


@dataclass(frozen=True, eq=False)
class OutputFault:
    """Outputs that are not what they are taken for.

    Attributes:
        kind: the family.
        cause: what is wrong.
        mend: how to mend it.
        before: (N, K) probabilities as they come out now.
        after: (N, K) as they should.
        inside: whether the model does it, and not what is said of it.
    """

    kind: str
    cause: str
    mend: str
    before: Floats
    after: Floats
    inside: bool = False


def as_probabilities(outputs: Floats, kind: Output) -> Floats:
    """Return outputs as `Classifier` would: logits get a softmax."""
    return outputs if kind == "probabilities" else softmax(outputs)


def output_fault(
    outputs: Floats, *, stated: Output, tensor: TensorInfo, softmaxes: int
) -> OutputFault | None:
    """Return what is wrong with the meaning of the outputs, or None.

    Args:
        outputs: (N, K) as the model gives them, dequantized.
        stated: what the manifest, or else the graph, says they are.
        tensor: the output tensor; its step is the tolerance.
        softmaxes: how many softmax operators follow each other at the end of the graph.
    """
    if not np.isfinite(outputs).all():
        return None
    step = tensor.scales[0] if tensor.scales else _INT8_STEP
    slack = _SLACK + step * outputs.shape[1] / 2
    fits = (np.abs(outputs.sum(axis=1) - 1) <= slack) & (outputs.min(axis=1) >= -1e-4)
    sums_to_one = fits.mean() >= _NEARLY_ALL
    now = as_probabilities(outputs, stated)
    if stated == "logits" and sums_to_one:
        cause = "Softmax is applied twice: the model answers with probabilities, and the manifest"
        mend = _SET.format("probabilities")
        return OutputFault("softmax-twice", f"{cause} calls them logits", mend, now, outputs)
    # A sigmoid's answers do not sum to 1 either, and softmax would only flatten them.
    is_sigmoid = outputs.min() >= 0 and outputs.max() <= 1 + 1e-3
    if stated == "probabilities" and not sums_to_one and not is_sigmoid:
        cause = "Softmax is missing: the model answers with logits, and they are taken for"
        after, mend = softmax(outputs), _SET.format("logits")
        return OutputFault("softmax-missing", f"{cause} probabilities", mend, now, after)
    undone, slack = undo_softmax(outputs, step)
    possible = (undone.min(axis=1) >= -slack) & (undone.max(axis=1) <= 1 + slack)
    if not sums_to_one or softmaxes < 2 or possible.mean() < _NEARLY_ALL:
        return None
    after = np.clip(undone, 0, 1)
    after = (after / after.sum(axis=1, keepdims=True)).astype(np.float32)
    return OutputFault("softmax-twice", _TWICE, _REMOVE, outputs, after, inside=True)


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
    return (logarithms + shift).astype(np.float32), _SLACK + 0.75 * step / typical
