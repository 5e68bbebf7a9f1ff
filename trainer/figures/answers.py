"""What a model answered, image by image and class by class."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from sklearn.metrics import confusion_matrix

from edge_runtime.errors import PredictionsError

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Rates = npt.NDArray[np.float64]

ROUNDING = 1e-3  # a softmax of low precision may pass 1 by this much


@dataclass(frozen=True)
class Answers:
    """True labels (N,) and the probabilities (N, K) a model gave for the same images."""

    labels: Integers
    probabilities: Floats

    def __post_init__(self) -> None:
        shape = self.probabilities.shape
        if len(shape) != 2 or not len(self.labels) or len(self.labels) != shape[0]:
            raise PredictionsError(
                f"expected probabilities (N, K) for N ≥ 1 labels, got {shape} for "
                f"{len(self.labels)} labels: pass the probabilities of exactly these images."
            )
        lowest, highest = self.probabilities.min(), self.probabilities.max()
        if not (lowest >= -ROUNDING and highest <= 1 + ROUNDING):  # also when one is NaN
            raise PredictionsError(
                f"expected probabilities from 0 to 1, got {lowest:.4g} to {highest:.4g}: apply "
                "softmax to logits; NaN means that training has diverged."
            )
        if self.labels.min() < 0 or self.labels.max() >= shape[1]:
            raise PredictionsError(
                f"expected labels from 0 to {shape[1] - 1}, got {self.labels.min()} to "
                f"{self.labels.max()}: the model has {shape[1]} classes."
            )

    @cached_property
    def predicted(self) -> Integers:
        """The most probable class of each image, (N,)."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    @cached_property
    def confidence(self) -> Rates:
        """The probability of the predicted class, (N,), from 0 to 1."""
        return np.asarray(np.clip(self.probabilities.max(axis=1), 0, 1), dtype=np.float64)

    @cached_property
    def right(self) -> npt.NDArray[np.bool_]:
        """Whether the predicted class is the true one, (N,)."""
        return np.asarray(self.predicted == self.labels)

    @property
    def accuracy(self) -> float:
        """The share of right answers."""
        return float(self.right.mean())

    @cached_property
    def counts(self) -> Integers:
        """How many images of each true class (row) were taken for each class (column), (K, K)."""
        classes = np.arange(self.probabilities.shape[1])
        counts = confusion_matrix(self.labels, self.predicted, labels=classes)
        return np.asarray(counts, dtype=np.int64)

    @cached_property
    def shares(self) -> Rates:
        """``counts`` with rows that add up to 1, or to 0 without images of that class, (K, K)."""
        return np.asarray(self.counts / np.maximum(self.counts.sum(axis=1, keepdims=True), 1))

    @property
    def recall(self) -> Rates:
        """The share found of each class, (K,); NaN where no image is of that class."""
        return _ratio(np.diagonal(self.counts), self.counts.sum(axis=1))

    @property
    def precision(self) -> Rates:
        """The share right of the answers for each class, (K,); NaN where it was never answered."""
        return _ratio(np.diagonal(self.counts), self.counts.sum(axis=0))


def named_answers(labels: Integers, probabilities: Floats, class_names: Sequence[str]) -> Answers:
    """Return the answers of a model that has one class for each name.

    Raises:
        PredictionsError: the arrays or names do not belong together.
    """
    answers = Answers(labels, probabilities)
    if len(class_names) != probabilities.shape[1]:
        raise PredictionsError(
            f"expected {probabilities.shape[1]} class names, one a column of the probabilities, "
            f"got {len(class_names)}."
        )
    return answers


def _ratio(part: Integers, whole: Integers) -> Rates:
    """Divide, with NaN where there is nothing to divide by."""
    nothing = np.full(len(whole), np.nan)
    return np.asarray(np.divide(part, whole, out=nothing, where=whole > 0))
