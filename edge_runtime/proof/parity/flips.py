"""The images whose answer changed, and the step at which it did."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.predictions import Predictions
from edge_runtime.proof.parity.steps import STEP_NAMES, Step, joined_names

Effect = Literal["lost", "won", "neither right"]

_WORST_FIRST: tuple[Effect, ...] = ("lost", "neither right", "won")


@dataclass(frozen=True)
class Flip:
    """An image whose answer changed from the full model's to the converted model's.

    Attributes:
        image: its index in the test split.
        label: the true class.
        reference_confidence: the probability that the full model gave to its own answer.
        candidate_confidence: likewise of the converted model.
        step: index of the step to blame: the first at which the answer was no longer the full
            model's.
        blame: what that step is called; of a step with several changes, the one that this image
            can be put down to if that is known.
    """

    image: int
    label: int
    reference: int
    candidate: int
    reference_confidence: float
    candidate_confidence: float
    step: int = 0
    blame: str = ""

    @property
    def effect(self) -> Effect:
        """Whether the flip lost a right answer, won one, or changed one wrong answer to another."""
        if self.reference == self.label:
            return "lost"
        return "won" if self.candidate == self.label else "neither right"

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**vars(self), "effect": self.effect}


def find_flips(path: Sequence[Predictions], steps: Sequence[tuple[int, Step]]) -> tuple[Flip, ...]:
    """Return the images that the last of a path answers unlike the first, the worst first.

    Worst are lost answers, and among them those where both models were surest. The predictions are
    of the same images in the same order; the steps lie between them, with their indexes.
    """
    first, last = path[0], path[-1]
    before, after = first.answers, last.answers
    blamed = first_changes([predictions.answers for predictions in path])
    flips = []
    for image in np.flatnonzero(before != after):
        position = int(blamed[image])
        index, step = steps[position]
        flips.append(
            Flip(
                image=int(image),
                label=int(first.labels[image]),
                reference=int(before[image]),
                candidate=int(after[image]),
                reference_confidence=float(first.probabilities[image, before[image]]),
                candidate_confidence=float(last.probabilities[image, after[image]]),
                step=index,
                blame=_blame(step, path[position], path[position + 1], int(image)),
            )
        )
    return tuple(sorted(flips, key=_harm))


def _harm(flip: Flip) -> tuple[int, float]:
    sureness = flip.reference_confidence * flip.candidate_confidence
    return _WORST_FIRST.index(flip.effect), -sureness


def first_changes(answers: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return for each image the first step at which its answer is not the first model's, (N,).

    Step 0 leads from the first model's (N,) answers to the second's; -1 where none differs.
    """
    differs = np.stack([row != answers[0] for row in answers[1:]])
    return np.where(differs.any(axis=0), np.argmax(differs, axis=0), -1)


def _blame(step: Step, before: Predictions, after: Predictions, image: int) -> str:
    """Return the step's name; where some images got other pixels, what holds for this one.

    As long as the pixels differ nothing can be said against the runtime or the model.
    """
    if "preprocessing" not in step.kinds or len(step.kinds) == 1:
        return step.name
    differing = before.input_sha256 != after.input_sha256
    if differing[image] or not differing.any():
        return STEP_NAMES["preprocessing"]
    return joined_names([kind for kind in step.kinds if kind != "preprocessing"])
