"""How well a model answers, and when a correction counts (docs/explanation/doctor.md says why).

With a full model: the distance of two answers is the total variation of their probabilities, half
the sum of the differences: 0 where they are equal, 1 where they have nothing in common. A file
answers as the full model does if the mean distance is at most `ALIKE_STEPS` steps of the coarsest
numbers that it computes with. A correction explains a difference if it brings the distance down to
that on the first half of the images and on the second, and if most of the second are closer with
it than luck explains.

With labels alone (`restores`): the answers that a correction mends outnumber those that it spoils
by more than luck explains; it mends `LEAST_ERROR_CUT` of the wrong answers, or `SLIGHT_ERROR_CUT`
if it is a slight change of brightness, from which half-trained models gain; and it does not make
the model sure of what it still gets wrong. Scaling the pixels of a network with few biases leaves
its answers alone and ruins its confidences: such a correction counts if it holds the accuracy,
halves the log loss and makes the confidences honest (`calms`).

Luck is an exact McNemar test, its p-value multiplied by the number of corrections that were tried.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.quantization import softmax
from edge_runtime.inference.recalibration import Floats
from edge_runtime.models.quantized.layers import FLOAT_STEP
from edge_runtime.proof.statistics import mcnemar_p_value

Distances = NDArray[np.float64]

# One false name in a thousand examinations of models that are as they should be, at most.
SIGNIFICANCE = 1e-3
ALIKE_STEPS = 16
_STEPS = {"float32": FLOAT_STEP, "keras": FLOAT_STEP, "float16": 2.0**-11}
_INT8_STEP = 2.0**-8
LEAST_ERROR_CUT = 0.3
SLIGHT_ERROR_CUT = 0.62
# Accuracy that is no more than this much of the way from guessing to 100 % is called guessing.
_NEAR_CHANCE = 0.08
# A model is absurdly sure if it gives full confidence to this share of its wrong answers; an int8
# output says no more than 255/256.
_ABSURD, _DROWNED = 0.6, 0.5
_SURE = 0.99
_FEWEST_WRONG = 8
# Mean confidence and accuracy of an honest model differ by no more, on images that it learnt from.
_HONEST = 0.08
# Corrections whose accuracies differ by less than this p-value allows count as equally good.
_WORSE = 0.1
# Log losses, in nats, that differ by less are alike; a network that learnt its images by heart has
# next to none with any scale.
_ALIKE, _ALIKE_SHARE = 0.012, 0.12
_TINY = 1e-7


def alike_limit(*schemes: str) -> float:
    """Return the mean distance that rounding explains between files of these schemes."""
    return ALIKE_STEPS * max(_STEPS.get(scheme, _INT8_STEP) for scheme in schemes)


def distances(probabilities: Floats, full: Floats) -> Distances:
    """Return (N,) total variations of two (N, K); 1 where an answer is no number."""
    apart = np.abs(probabilities.astype(np.float64) - full).sum(axis=1) / 2
    return np.where(np.isfinite(apart), np.minimum(apart, 1), 1)


def explanations(
    before: Distances,
    tried: Sequence[Callable[[slice], Distances]],
    *,
    limit: float,
    earlier: int = 0,
) -> list[int]:
    """Return which corrections explain a difference equally well, the best one first.

    Args:
        before: (N,) without a correction.
        tried: from a part of the images to their distances with each correction.
        limit: what rounding explains.
        earlier: how many corrections were tried before these.
    """
    half = len(before) // 2
    chosen = []
    for index, with_it in enumerate(tried):
        some = with_it(slice(0, half // 4))
        # Given up where the mean is three standard errors above the limit.
        if some.mean() - 3 * some.std() / np.sqrt(max(len(some), 1)) <= limit:
            found = with_it(slice(0, half))
            if found.mean() <= limit:
                chosen.append((float(found.mean()), index))
    second = slice(half, len(before))
    confirmed = [(index, tried[index](second)) for _, index in sorted(chosen)]
    confirmed = [
        (index, after)
        for index, after in confirmed
        if after.mean() <= limit and _is_closer(after, before[second], tries=earlier + len(tried))
    ]
    return [
        index
        for index, after in confirmed
        if not _is_closer(confirmed[0][1], after, tries=len(confirmed))
    ]


def _is_closer(one: Distances, other: Distances, *, tries: int) -> bool:
    won, lost = int((one < other).sum()), int((one > other).sum())
    return won > lost and mcnemar_p_value(lost, won) * tries < SIGNIFICANCE


@dataclass(frozen=True, eq=False)
class Score:
    """What a model says about labelled images.

    Attributes:
        outputs: (N, K) float32, as the model gives them, dequantized.
        right: (N,) bool; an answer that is not a number is wrong.
        sure: (N,) the confidence of each answer.
        loss: (N,) the log loss of each answer, in nats.
    """

    outputs: Floats
    right: NDArray[np.bool_]
    sure: NDArray[np.float64]
    loss: NDArray[np.float64]

    def part(self, part: slice) -> "Score":
        """Return the score of some of the images."""
        return Score(self.outputs[part], self.right[part], self.sure[part], self.loss[part])

    @property
    def count(self) -> int:
        """How many answers are right."""
        return int(self.right.sum())

    @property
    def accuracy(self) -> float:
        """The share of right answers, 0 to 1."""
        return float(self.right.mean())

    @property
    def absurdly_sure(self) -> float:
        """The share of wrong answers that are given with full confidence; 0 for a handful."""
        wrong: NDArray[np.bool_] = np.logical_not(self.right)
        return float((self.sure[wrong] >= _SURE).mean()) if wrong.sum() >= _FEWEST_WRONG else 0.0


def score(outputs: Floats, labels: NDArray[np.int64]) -> Score:
    """Return the score of (N, K) outputs; of equal ones the first counts, as in `classify`."""
    finite: NDArray[np.bool_] = np.asarray(np.isfinite(outputs).all(axis=1))
    filled = np.where(finite[:, np.newaxis], outputs, 0).astype(np.float32)
    looks_like_probabilities = filled.min() >= -0.01 and filled.max() <= 1.01
    probabilities = filled if looks_like_probabilities else softmax(filled)
    return Score(
        outputs,
        np.logical_and(finite, filled.argmax(axis=1) == labels),
        probabilities.max(axis=1).astype(np.float64),
        log_loss(probabilities, labels),
    )


def restores(
    before: Score, after: Score, *, tries: int, chance: float, error_cut: float = LEAST_ERROR_CUT
) -> bool:
    """Return whether a correction is proved; the rule stands at the top of this module.

    A model that does worse than guessing is held to guessing.
    """
    won = int((after.right & ~before.right).sum())
    lost = int((before.right & ~after.right).sum())
    start = max(before.accuracy, chance)
    return bool(
        after.accuracy - start >= error_cut * (1 - start)
        and mcnemar_p_value(lost, won) * tries < SIGNIFICANCE
    )


def calms(before: Score, after: Score, *, chance: float) -> bool:
    """Return whether a correction that keeps the accuracy makes absurd confidences honest."""
    if before.absurdly_sure < _ABSURD or is_guessing(after.accuracy, chance):
        return False
    wrong: NDArray[np.bool_] = np.logical_not(before.right)
    better, worse = after.loss[wrong] < before.loss[wrong], after.loss[wrong] > before.loss[wrong]
    return bool(
        not is_worse(after, before)
        and after.loss.mean() <= before.loss.mean() / 2
        and abs(after.sure.mean() - after.accuracy) <= _HONEST
        and mcnemar_p_value(int(worse.sum()), int(better.sum())) < SIGNIFICANCE
    )


def is_drowned(before: Score, after: Score) -> bool:
    """Return whether a correction makes a model sure of half of what it gets wrong, or more.

    A contrast that is far too large drowns biases and unsettled batch norms, which may help, and
    mends nothing.
    """
    return after.absurdly_sure >= _DROWNED and before.absurdly_sure < _ABSURD


def can_be_restored(before: Score) -> bool:
    """Return whether any correction could be proved, so that costly ones are worth their time."""
    fewest = 1 + np.log2(100 / SIGNIFICANCE)  # all mended and none spoiled, at 100 tries
    return bool((~before.right).sum() >= fewest or before.absurdly_sure >= _ABSURD)


def is_worse(one: Score, best: Score) -> bool:
    """Return whether one correction is clearly less accurate than the best."""
    won = int((best.right & ~one.right).sum())
    lost = int((one.right & ~best.right).sum())
    return won > lost and mcnemar_p_value(lost, won) < _WORSE


def loses_more(one: Score, best: Score) -> bool:
    """Return whether one correction's log loss is clearly larger than the best's.

    A network has learnt how large its inputs are: on the images that it learnt from, its log loss
    is smallest with the right scale, even where the answers are the same with another.
    """
    excess = float(one.loss.mean() - best.loss.mean())
    return excess > max(_ALIKE, _ALIKE_SHARE * float(best.loss.mean()))


def is_guessing(accuracy: float, chance: float) -> bool:
    """Return whether an accuracy is hardly better than guessing, or worse."""
    return accuracy < chance + _NEAR_CHANCE * (1 - chance)


def log_loss(probabilities: Floats, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (N,) negative log-likelihoods in nats; a probability of 0 counts as 1e-7."""
    own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return -np.log(np.clip(own, _TINY, 1))
