"""How well a model answers, and when a correction counts (docs/explanation/doctor.md says why).

With a full model: a file answers as that does if the mean total variation of their probabilities is
at most `ALIKE_STEPS` steps of the coarsest numbers that it computes with. A correction explains a
difference if it brings that about on the first half of the images and on the second, and if more of
the second are closer with it than luck explains: an exact sign test.

With labels alone: the log loss of training images is what training made small. A correction counts
if it takes off `LEAST_CUT` of the mean, a repair of ranges `LEAST_REPAIR_CUT`, and more than luck
explains: a paired test of the mean difference. What is no repair must do better than the answers
sharpened, for healthy networks hesitate, too: after few epochs, or trained on smoothed labels.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from edge_runtime.doctor.findings import Figures
from edge_runtime.inference.quantization import softmax
from edge_runtime.inference.recalibration import Floats
from edge_runtime.models.quantized.layers import FLOAT_STEP
from edge_runtime.proof.statistics.paired import mcnemar_p_value

Distances = NDArray[np.float64]

# Of a hundred corrections, more than are ever tried of a file, at most one in a thousand files that
# are as they should be is then given a name by luck.
LEVEL = 1e-3 / 100
ALIKE_STEPS = 16
_STEPS = {"float32": FLOAT_STEP, "keras": FLOAT_STEP, "float16": 2.0**-11}
_INT8_STEP = 2.0**-8
# The share of the mean log loss that a correction must take off, at least. A network whose batch
# norms have not settled gains from a higher contrast; no right file gains from other ranges.
LEAST_CUT, LEAST_REPAIR_CUT = 0.35, 0.1
_POWERS = (1.5, 2, 3, 5, 10, 30)
# Accuracy that is no more than this much of the way from guessing to 100 % is called guessing.
_NEAR_CHANCE = 0.08
# Corrections whose mean log losses differ by no larger share explain equally well.
_ALIKE_SHARE = 0.12


def alike_limit(*schemes: str) -> float:
    """Return the mean distance that rounding explains between files of these schemes."""
    return ALIKE_STEPS * max(_STEPS.get(scheme, _INT8_STEP) for scheme in schemes)


def distances(probabilities: Floats, full: Floats) -> Distances:
    """Return (N,) total variations of two (N, K); 1 where an answer is no number."""
    apart = np.abs(probabilities.astype(np.float64) - full).sum(axis=1) / 2
    return np.where(np.isfinite(apart), np.minimum(apart, 1), 1)


def explanations(
    before: Distances, tried: Sequence[Callable[[slice], Distances]], *, limit: float
) -> list[int]:
    """Return which corrections explain a difference equally well, the best one first.

    Args:
        before: (N,) without a correction.
        tried: from a part of the images to their distances with each correction.
        limit: what rounding explains.
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
    confirmed = [
        (index, after)
        for _, index in sorted(chosen)
        if (after := tried[index](second)).mean() <= limit and _is_closer(after, before[second])
    ]
    return [index for index, after in confirmed if not _is_closer(confirmed[0][1], after)]


def _is_closer(one: Distances, other: Distances) -> bool:
    won, lost = int((one < other).sum()), int((one > other).sum())
    return won > lost and mcnemar_p_value(lost, won) < LEVEL


@dataclass(frozen=True, eq=False)
class Score:
    """What a model says about labelled images.

    Attributes:
        outputs: (N, K) float32, as the model gives them, dequantized.
        right: (N,) bool; an answer that is not a number is wrong.
        loss: (N,) the log loss of each answer, in nats.
        sharpened: (N,) the same of the power of the probabilities that has the least mean.
    """

    outputs: Floats
    right: NDArray[np.bool_]
    loss: NDArray[np.float64]
    sharpened: NDArray[np.float64]

    def part(self, part: slice) -> "Score":
        """Return the score of some of the images."""
        right, loss, sharpened = self.right[part], self.loss[part], self.sharpened[part]
        return Score(self.outputs[part], right, loss, sharpened)

    @property
    def accuracy(self) -> float:
        """The share of right answers, 0 to 1."""
        return float(self.right.mean())

    @property
    def figures(self) -> Figures:
        """The right answers, for people."""
        return Figures(int(self.right.sum()), len(self.right))

    @property
    def mean_loss(self) -> float:
        """The mean log loss, in nats."""
        return float(self.loss.mean())


def score(outputs: Floats, labels: NDArray[np.int64]) -> Score:
    """Return the score of (N, K) outputs; of equal ones the first counts, as in `classify`."""
    finite: NDArray[np.bool_] = np.asarray(np.isfinite(outputs).all(axis=1))
    filled = np.where(finite[:, np.newaxis], outputs, 0).astype(np.float32)
    looks_like_probabilities = filled.min() >= -0.01 and filled.max() <= 1.01
    probabilities = filled if looks_like_probabilities else softmax(filled)
    right = np.logical_and(finite, filled.argmax(axis=1) == labels)
    # Half a step of an int8 output, or of guessing: what a smaller probability says is rounding.
    least = min(_INT8_STEP, 1 / outputs.shape[1]) / 2
    logs = np.log(np.maximum(probabilities, least).astype(np.float64))
    apart = logs - logs[np.arange(len(labels)), labels][:, np.newaxis]
    powers = (np.log(np.exp(power * apart).sum(axis=1)) for power in _POWERS)
    losses = np.array([log_loss(probabilities, labels), *powers]).clip(0, -math.log(least))
    return Score(outputs, right, losses[0], losses[int(losses.mean(axis=1).argmin())])


def restores(before: Score, after: Score, *, is_repair: bool = False) -> bool:
    """Return whether a correction is proved; the rule stands at the top of this module."""
    least, losses = (LEAST_REPAIR_CUT, before.loss) if is_repair else (LEAST_CUT, before.sharpened)
    guess = np.full_like(losses, math.log(before.outputs.shape[1]))  # all classes alike
    losses = min(losses, guess, key=np.mean)
    gains = losses - after.loss
    error = max(float(gains.std(ddof=1)) / math.sqrt(len(gains)), 1e-12)
    is_no_luck = NormalDist().cdf(-float(gains.mean()) / error) < LEVEL
    return is_no_luck and bool(gains.mean() >= max(_INT8_STEP, least * losses.mean()))


def is_worse(one: Score, best: Score) -> bool:
    """Return whether the mean log loss of one is larger than another's by more than rounding.

    A network has learnt how large its inputs are: on the images that it learnt from, its log loss
    is smallest with the right scale, even where the answers are the same with another.
    """
    return one.mean_loss - best.mean_loss > max(_INT8_STEP, _ALIKE_SHARE * best.mean_loss)


def is_guessing(accuracy: float, chance: float) -> bool:
    """Return whether an accuracy is hardly better than guessing, or worse."""
    return accuracy < chance + _NEAR_CHANCE * (1 - chance)


def log_loss(probabilities: Floats, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (N,) negative log-likelihoods in nats; a probability of 0 counts as 1e-7."""
    own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return -np.log(np.clip(own, 1e-7, 1))
