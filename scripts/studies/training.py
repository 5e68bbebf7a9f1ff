"""One way to train and to convert a network for a study; only its functions import TensorFlow."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime import Classifier
from edge_runtime.data.datasets import Dataset, Split
from edge_runtime.errors import DatasetError
from edge_runtime.models.model_file import ModelFile
from edge_runtime.runtimes.native import native_messages_silenced
from trainer.recipe import TrainingConfig

if TYPE_CHECKING:
    from converter.source import SourceModel


def choosing(dataset: Dataset, train: Any, held_out: Any) -> Dataset:
    """Return the training images alone, some of them as the test split: nothing else may choose.

    Args:
        dataset: its test images are left out.
        train: index or slice of the images to train on.
        held_out: of those to measure on.
    """
    images, labels = dataset.train.images, dataset.train.labels
    return replace(
        dataset,
        train=Split(images[train], labels[train]),
        test=Split(images[held_out], labels[held_out]),
    )


def with_last_held_out(dataset: Dataset, count: int) -> Dataset:
    """Return the training images alone, the last ``count`` of them held out.

    Raises:
        DatasetError: nothing would be left to train on.
    """
    if count >= len(dataset.train):
        raise DatasetError(
            f"Expected fewer images to hold out than the {len(dataset.train)} training images, "
            f"got {count}."
        )
    return choosing(dataset, slice(None, -count), slice(-count, None))


@dataclass(frozen=True)
class Trained:
    """A trained network: its history, as `trainer.training.fit` has it, and what `fit` took."""

    model: Any
    history: list[dict[str, Any]]
    cpu_s: float

    @property
    def test_accuracy(self) -> float:
        """The accuracy on the test split after the last epoch."""
        return float(self.history[-1]["test_accuracy"])

    def answers(self, dataset: Dataset) -> NDArray[np.float32]:
        """Return the (N, K) probabilities of the test images."""
        from trainer.training import probabilities

        return probabilities(self.model, dataset.test.images)

    def source(self) -> "SourceModel":
        """Return what the converter reads."""
        from converter.source import open_source
        from trainer.architectures import save_keras

        with tempfile.TemporaryDirectory() as folder:
            save_keras(self.model, Path(folder) / "model.keras")
            return open_source(Path(folder) / "model.keras")


def train(
    dataset: Dataset,
    config: TrainingConfig,
    on_epoch: Callable[[dict[str, Any]], None] = lambda row: None,
) -> Trained:
    """Train the network that the configuration names."""
    with native_messages_silenced():
        from trainer.starting import initial_model
        from trainer.training import fit
    model, _ = initial_model(config.model, config, dataset)
    start = time.process_time()
    history = fit(model, dataset, config, on_epoch=on_epoch)
    return Trained(model, history, time.process_time() - start)


def to_int8(
    source: "SourceModel",
    dataset: Dataset,
    *,
    size: int | None = None,
    seed: int = 0,
    io: str = "int8",
) -> bytes:
    """Return the int8 .tflite, calibrated on ``size`` training images, by default the usual 100."""
    with native_messages_silenced():
        from converter.calibration import DEFAULT_SIZE, choose_representative
        from converter.conversion import convert_source
        from converter.schemes import RECIPES

    chosen = choose_representative(dataset, size=size or DEFAULT_SIZE, seed=seed)
    return convert_source(source, RECIPES["int8"], io_type=io, calibration=chosen.images)


def answers_of_file(data: bytes, dataset: Dataset) -> NDArray[np.float32]:
    """Return a .tflite's (N, K) probabilities of the test images."""
    with Classifier(ModelFile("int8", data)) as classifier:
        return classifier.predict(dataset.test.images)
