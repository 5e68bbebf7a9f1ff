"""What is trained, on what, and how."""

from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.datasets import DatasetSpec

POST_CNN = "post-cnn"
FAST_CNN = "fast-cnn"
NETWORKS = (POST_CNN, FAST_CNN)

# Chosen by five-fold cross-validation on the training images; see docs/explanation/choices.md.
DEFAULT_DROPOUT = 0.3

Schedule = Literal["linear", "constant", "one-cycle"]
Precision = Literal["float32", "bfloat16"]
Measure = Literal["epoch", "end"]

# The share of the steps in which the learning rate of "one-cycle" rises, and where it starts.
_RISING, _FIRST = 0.25, 0.1

# What a network wants otherwise than the article's; chosen on held-out training images, see
# docs/explanation/training.md.
RECIPES = MappingProxyType(
    {
        FAST_CNN: {
            "epochs": 10,
            "batch_size": 256,
            "learning_rate": 0.014,
            "schedule": "one-cycle",
            "weight_decay": 0.02,
            "label_smoothing": 0.1,
            "flip": True,
            "precision": "bfloat16",
            "measure": "end",
        }
    }
)


@dataclass(frozen=True)
class TrainingConfig:
    """What is trained, on what, and how; the defaults are the article's.

    Attributes:
        dataset: what to learn from and to test on.
        model: POST_CNN, FAST_CNN or the path of a .keras file.
        epochs: passes over the training images; 0 takes the model as it is.
        batch_size: images for each step.
        learning_rate: of Adam, at its highest.
        schedule: "linear" lets the learning rate fall to zero, epoch by epoch, "constant" keeps it,
            "one-cycle" lets it rise for a quarter of the steps and then fall to zero.
        dropout: of post-cnn.
        seed: of weights, order of the images, dropout, mirrors and shifts.
        rescale: number that pixels are multiplied with in front of a model of one's own.
        weight_decay: times the learning rate, what a step takes off each kernel.
        label_smoothing: the share of the truth that is spread over all classes.
        flip: show each image mirrored in every second epoch.
        shift: by how many pixels at most an image is moved along each side.
        precision: "bfloat16" lets convolutions and products round their factors to bfloat16 in
            training where the processor has instructions for it; weights are float32 all the same.
        measure: measure the test images after each "epoch", or once at the "end".
    """

    dataset: DatasetSpec
    model: str
    epochs: int = 100
    batch_size: int = 64
    learning_rate: float = 0.001
    schedule: Schedule = "linear"
    dropout: float = DEFAULT_DROPOUT
    seed: int = 0
    rescale: float | None = None
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    flip: bool = False
    shift: int = 0
    precision: Precision = "float32"
    measure: Measure = "epoch"

    @classmethod
    def recommended(cls, dataset: DatasetSpec, model: str, **given: Any) -> "TrainingConfig":
        """Return the network's own recipe, with what is given in place of its values."""
        return cls(dataset, model, **{**RECIPES.get(model, {}), **given})

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` reads."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> "TrainingConfig":
        """Read what `to_dict` wrote."""
        return cls(**{**document, "dataset": DatasetSpec.from_dict(document["dataset"])})

    def learning_rates_in(self, epoch: int, steps: int) -> NDArray[np.float32]:
        """Return the learning rate of each step of an epoch, (steps,); epochs count from 1."""
        done = (epoch - 1) / self.epochs
        if self.schedule == "constant":
            share = np.ones(steps)
        elif self.schedule == "linear":
            share = np.full(steps, 1 - done)
        else:
            share = _one_cycle(done + np.arange(steps) / (steps * self.epochs))
        return (self.learning_rate * share).astype(np.float32)


def _one_cycle(done: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of the highest learning rate after some share of the steps (Smith 2018)."""
    rising = _FIRST + (1 - _FIRST) * done / _RISING
    return np.minimum(rising, (1 - done) / (1 - _RISING))
