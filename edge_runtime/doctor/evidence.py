"""How well a model answers, and when a correction counts as proved.

A correction is named only if all of this holds (`restores`), on the same images before and after:

- the answers that it mends outnumber those that it spoils by more than luck explains: exact
  McNemar test, its p-value multiplied by the number of corrections that were tried;
- it mends at least `LEAST_GAIN` of all images and `LEAST_ERROR_CUT` of the wrong answers;
  `SLIGHT_ERROR_CUT` if it is a slight change of brightness, from which half-trained models gain,
  and `SHIFT_ERROR_CUT` if that is a shift by 128;
- it does not make the model sure of what it still gets wrong (`is_drowned`): a contrast that is far
  too large drowns biases and unsettled batch norms, which may help, and mends nothing;
- the accuracy afterwards lies well above guessing: `LEAST_ABOVE_CHANCE` of the way to 100 %.

Scaling the pixels of a network with few biases leaves its answers alone and ruins its confidences:
it is sure even of what it gets wrong. Such a correction is named if it holds the accuracy, halves
the log loss and makes the confidences honest (`calms`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.doctor.subject import Floats
from edge_runtime.inference.quantization import softmax
from edge_runtime.proof.statistics import mcnemar_p_value

# One false name in a thousand examinations of models that are as they should be, at most.
SIGNIFICANCE = 1e-3
# A weak model may gain a little from a change of contrast; a mistake costs more than that.
LEAST_GAIN = 0.04
LEAST_ERROR_CUT = 0.3
SLIGHT_ERROR_CUT = 0.75
# Mixed up bytes are common, and luck with a shift by 128 seldom mends more than half.
SHIFT_ERROR_CUT = 0.62
# Two corrections of which neither is right may differ by much, and both be near guessing.
LEAST_ABOVE_CHANCE = 0.25
# Accuracy that is no more than this much of the way from guessing to 100 % is called guessing.
NEAR_CHANCE = 0.08
# A model is absurdly sure if this share of its wrong answers has a confidence of 99 % or
# more.
ABSURDLY_SURE = 0.6
_DROWNED = 0.5
_SURE = 0.99  # an int8 output says no more than 255/256
_FEWEST_WRONG = 8
# Mean confidence and accuracy of an honest model differ by no more, on images that it learnt from.
_HONEST = 0.08
# Corrections whose accuracies differ by less than this p-value allows count as equally good.
_WORSE = 0.1
# Log losses, in nats, that differ by less are alike; a network that learnt its images by heart has
# next to none with any scale.
_ALIKE = 0.012
_ALIKE_SHARE = 0.12

_TINY = 1e-7


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

    @property
    def count(self) -> int:
        """How many answers are right."""
        return int(self.right.sum())

    @property
    def total(self) -> int:
        """How many images there are."""
        return len(self.right)

    @property
    def accuracy(self) -> float:
        """The share of right answers, 0 to 1."""
        return float(self.right.mean())


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
    before: Score,
    after: Score,
    *,
    tries: int,
    chance: float,
    error_cut: float = LEAST_ERROR_CUT,
) -> bool:
    """Return whether a correction is proved; the rule stands at the top of this module."""
    won = int((after.right & ~before.right).sum())
    lost = int((before.right & ~after.right).sum())
    gain = (won - lost) / before.total
    wrong = 1 - before.accuracy
    return bool(
        gain >= LEAST_GAIN
        and gain >= error_cut * wrong
        and after.accuracy >= chance + LEAST_ABOVE_CHANCE * (1 - chance)
        and mcnemar_p_value(lost, won) * tries < SIGNIFICANCE
    )


def calms(before: Score, after: Score, *, chance: float) -> bool:
    """Return whether a correction that keeps the accuracy makes absurd confidences honest."""
    if not is_absurdly_sure(before):
        return False
    wrong: NDArray[np.bool_] = np.logical_not(before.right)
    better, worse = after.loss[wrong] < before.loss[wrong], after.loss[wrong] > before.loss[wrong]
    return bool(
        not is_worse(after, before)
        and after.accuracy >= chance + LEAST_ABOVE_CHANCE * (1 - chance)
        and after.loss.mean() <= before.loss.mean() / 2
        and abs(after.sure.mean() - after.accuracy) <= _HONEST
        and mcnemar_p_value(int(worse.sum()), int(better.sum())) < SIGNIFICANCE
    )


def is_absurdly_sure(before: Score, share: float = ABSURDLY_SURE) -> bool:
    """Return whether a model gives full confidence to most of its wrong answers."""
    wrong: NDArray[np.bool_] = np.logical_not(before.right)
    if wrong.sum() < _FEWEST_WRONG:
        return False
    return bool((before.sure[wrong] >= _SURE).mean() >= share)


def is_drowned(before: Score, after: Score) -> bool:
    """Return whether a correction makes a model sure of half of what it gets wrong, or more."""
    return is_absurdly_sure(after, _DROWNED) and not is_absurdly_sure(before)


def can_be_restored(before: Score) -> bool:
    """Return whether any correction could be proved, so that costly ones are worth their time."""
    return before.accuracy <= 1 - LEAST_GAIN or is_absurdly_sure(before)


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
    return accuracy < chance + NEAR_CHANCE * (1 - chance)


def log_loss(probabilities: Floats, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (N,) negative log-likelihoods in nats; a probability of 0 counts as 1e-7."""
    own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return -np.log(np.clip(own, _TINY, 1))


def as_probabilities(outputs: Floats, kind: str) -> Floats:
    """Return outputs as `Classifier` would: logits get a softmax."""
    return outputs if kind == "probabilities" else softmax(outputs)
