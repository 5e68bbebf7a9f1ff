"""How far a runtime or processor moves the probabilities of the very same file, and why."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.predictions import Predictions

# The steps of a softmax in int8 and in int16 (TFLite's quantization specification); fractions of
# powers of two, so that dequantized probabilities are exact multiples of them.
_OUTPUT_STEPS = (1 / 256, 1 / 32768)


@dataclass(frozen=True)
class MovedAnswer:
    """An image, by its index in the test split, whose answer another runtime changed.

    It is tied where one of the two runtimes gave both classes the same probability.
    """

    image: int
    before: int
    after: int
    tied: bool


@dataclass(frozen=True)
class Movement:
    """What another runtime or processor changed about the answers of the same file.

    Attributes:
        images: how many have any other probability.
        largest: the largest difference of a probability.
        output_step: the step that the probabilities come in; None where they are not quantized.
        answers: the images whose answer changed.
        reason: why, a sentence.
    """

    images: int
    largest: float
    output_step: float | None
    answers: tuple[MovedAnswer, ...]
    reason: str

    @property
    def largest_steps(self) -> int | None:
        """The largest difference in steps of the output, where it has any."""
        return None if self.output_step is None else round(self.largest / self.output_step)

    @property
    def ties(self) -> int:
        """How many of the changed answers are ties, which no runtime decides better."""
        return sum(answer.tied for answer in self.answers)

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "images": self.images,
            "largest_difference": self.largest,
            "output_step": self.output_step,
            "largest_steps": self.largest_steps,
            "tied_answers": self.ties,
            "changed_answers": [asdict(answer) for answer in self.answers],
            "reason": self.reason,
        }


def find_movement(before: Predictions, after: Predictions) -> Movement:
    """Return how one file's probabilities differ between two runs on the same images in order."""
    p, q = before.probabilities, after.probabilities
    differences = np.abs(p.astype(np.float64) - q).max(axis=1)
    images, largest = int((differences > 0).sum()), float(differences.max())
    step = next((one for one in _OUTPUT_STEPS if _in_steps(p, one) and _in_steps(q, one)), None)
    old, new = before.answers, after.answers
    changed = np.flatnonzero(old != new)
    tied = (p[changed, old[changed]] == p[changed, new[changed]]) | (
        q[changed, old[changed]] == q[changed, new[changed]]
    )
    answers = tuple(
        MovedAnswer(int(image), int(old[image]), int(new[image]), bool(is_tied))
        for image, is_tied in zip(changed, tied, strict=True)
    )
    reason = _reason(before.details, after.details, largest, step)
    return Movement(images, largest, step, answers, reason)


def _in_steps(probabilities: NDArray[np.float32], step: float) -> bool:
    return bool((np.rint(probabilities / step) * step == probabilities).all())


def _reason(
    before: Mapping[str, Any], after: Mapping[str, Any], largest: float, step: float | None
) -> str:
    """Return why probabilities moved, from what is recorded of both runs."""
    if not largest:
        return "Both compute the same, bit for bit."
    old, new = _kernels(before), _kernels(after)
    if old and new and old != new:
        cause = f"Other kernels round differently: {old}, then {new}."
    else:
        cause = "Another processor or build of the same kernels rounds differently."
    if step is not None and largest > step:
        return (
            f"{cause} The scores before the softmax come in steps too, and one of those moves a "
            "probability by several of its own."
        )
    if step is None and after.get("scheme") == "dynamic":
        return (
            f"{cause} Each layer's input is quantized while it runs, so that a last bit may decide "
            "a whole step."
        )
    return cause if step is not None else f"{cause} The sum of floats depends on their order."


def _kernels(details: Mapping[str, Any]) -> str:
    """Return whose kernels ran, as in "XNNPACK (7 of 8 operators) of ai-edge-litert 2.3.0"."""
    kernels, _, share = str(details.get("kernels") or "").partition(", ")
    runtime = runtime_of(details)
    if not kernels or not runtime:
        return ""
    own = {"built-in": "the kernels", "reference": "the reference kernels"}
    return f"{own.get(kernels, kernels)}{f' ({share})' if share else ''} of {runtime}"


def runtime_of(details: Mapping[str, Any]) -> str:
    """Return the name and version of a runtime as far as they are recorded."""
    return " ".join(str(details[key]) for key in ("backend", "backend_version") if key in details)
