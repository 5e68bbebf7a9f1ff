"""What a model answered, counted; all figures and tables start from this."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edge_runtime.data.predictions import Predictions
from edge_runtime.proof.metrics.rates import count_confusion

Integers = npt.NDArray[np.int64]
Rates = npt.NDArray[np.float64]


class Answers:
    """The answers that a model gave to N images of K classes.

    Attributes:
        labels: (N,) int64, the true classes.
        predicted: (N,) int64, the most probable class of each image.
        probabilities: (N, K) float32.
        class_names: K names.
        right: (N,) bool, whether the predicted class is the true one.
        accuracy: the share of right answers.
        confidence: (N,) float64, the probability of the predicted class, from 0 to 1.
        counts: (K, K) int64, images of each true class (row) that were taken for each (column).
        shares: ``counts`` with rows that add up to 1, or to 0 without images of that class.
        recall: (K,), the share found of each class; NaN where no image is of that class.
        precision: (K,), the share right of the answers for it; NaN where it was never answered.
    """

    def __init__(self, predictions: Predictions) -> None:
        self.labels: Integers = predictions.labels
        self.predicted: Integers = predictions.answers
        self.probabilities = predictions.probabilities
        self.class_names: Sequence[str] = predictions.class_names
        self.right = self.predicted == self.labels
        self.accuracy = float(self.right.mean())
        self.confidence: Rates = np.clip(self.probabilities.max(axis=1), 0, 1).astype(np.float64)
        self.counts = count_confusion(self.labels, self.predicted, len(self.class_names))
        of_class = self.counts.sum(axis=1)
        self.shares: Rates = self.counts / np.maximum(of_class, 1)[:, np.newaxis]
        with np.errstate(invalid="ignore"):  # 0 / 0 is NaN
            self.recall: Rates = np.diagonal(self.counts) / of_class
            self.precision: Rates = np.diagonal(self.counts) / self.counts.sum(axis=0)
