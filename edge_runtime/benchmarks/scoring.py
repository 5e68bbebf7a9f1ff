"""How often each contestant is right on the test images: stored predictions, or new ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.benchmarks.contestant import Contestant
from edge_runtime.data.datasets import Dataset
from edge_runtime.data.predictions import PREDICTIONS_SUFFIX, Predictions
from edge_runtime.errors import PredictionsError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.details import kernels_in_words
from edge_runtime.proof.metrics import Rate
from edge_runtime.proof.statistics.paired import difference_interval
from edge_runtime.runtimes.machine import machine_details

_PART = 100


@dataclass(frozen=True, eq=False)
class Score:
    """Which test images a model answers correctly.

    Attributes:
        right: (N,) bool, in the order of the dataset.
        stored: the predictions that say so, or None where the images were classified now.
    """

    right: NDArray[np.bool_]
    stored: Path | None = None

    @property
    def accuracy(self) -> Rate:
        """The share of right answers."""
        return Rate(int(self.right.sum()), len(self.right))

    def change_from(self, other: "Score") -> tuple[float, tuple[float, float]]:
        """Return by how much it is more often right than another, and the 95 % interval of that."""
        lost = int((other.right & ~self.right).sum())
        won = int((self.right & ~other.right).sum())
        total = len(self.right)
        return (won - lost) / total, difference_interval(lost, won, total)

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        stored = str(self.stored) if self.stored else None
        return {**self.accuracy.to_dict(), "stored_predictions": stored}


def score(
    contestant: Contestant,
    classifier: Classifier,
    dataset: Dataset,
    folders: Sequence[Path],
    *,
    progress: Callable[[int], None] = lambda done: None,
) -> Score:
    """Return which test images a contestant, loaded as ``classifier``, answers correctly.

    Predictions in ``folders`` are used if they are of the same file, run by the same runtime,
    version and kernels, on such a processor, on the same images. ``progress`` is called with the
    number of images done since the last call.
    """
    found = _stored(contestant, kernels_in_words(classifier), dataset, folders)
    if found is not None:
        progress(len(dataset.test))
        return found
    images, answers = dataset.test.images, []
    for start in range(0, len(images), _PART):
        part = images[start : start + _PART]
        answers.append(np.argmax(classifier.predict(part), axis=1))
        progress(len(part))
    return Score(np.concatenate(answers) == dataset.test.labels)


def _stored(
    contestant: Contestant, kernels: str, dataset: Dataset, folders: Sequence[Path]
) -> Score | None:
    machine = machine_details()
    wanted = {
        "model_sha256": contestant.sha256,
        "backend": contestant.backend.package,
        "backend_version": contestant.backend.version,
        "kernels": kernels,
        "cpu": machine["cpu"],
        "machine": machine["machine"],
        "dataset_fingerprint": dataset.fingerprint,
        "split": "test",
    }
    for path in (path for folder in folders for path in folder.glob(f"*{PREDICTIONS_SUFFIX}")):
        try:
            predictions = Predictions.load(path)
        except PredictionsError:
            continue  # what is damaged there is parity's business
        same_images = np.array_equal(predictions.image_sha256, dataset.test.image_sha256())
        if same_images and all(predictions.details.get(key) == wanted[key] for key in wanted):
            return Score(predictions.answers == predictions.labels, path)
    return None
