"""What a model answered, counted; all figures and tables start from this."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
from sklearn.metrics import confusion_matrix

from edge_runtime.data.predictions import Predictions

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Rates = npt.NDArray[np.float64]


class Answers:
    """The answers that a model gave to N images of K classes.

    Attributes:
        labels: (N,) int64, the true classes.
        probabilities: (N, K) float32.
        class_names: K names.
        predicted: (N,) int64, the most probable class of each image.
    """

    def __init__(self, predictions: Predictions) -> None:
        self.labels: Integers = predictions.labels
        self.probabilities: Floats = predictions.probabilities
        self.class_names: Sequence[str] = predictions.class_names
        self.predicted: Integers = predictions.answers

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
        classes = np.arange(len(self.class_names))
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


def _ratio(part: Integers, whole: Integers) -> Rates:
    """Divide, with NaN where there is nothing to divide by."""
    nothing = np.full(len(whole), np.nan)
    return np.asarray(np.divide(part, whole, out=nothing, where=whole > 0))
