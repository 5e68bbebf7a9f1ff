"""What is trained, on what, and how."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Literal, TypedDict, get_args

import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.datasets import DatasetSpec
from edge_runtime.errors import RecipeError

POST_CNN = "post-cnn"
FAST_CNN = "fast-cnn"
NETWORKS = (POST_CNN, FAST_CNN)

# Chosen by five-fold cross-validation on the training images; see docs/explanation/choices.md.
DEFAULT_DROPOUT = 0.3

# What is measured after an epoch: epoch, loss (nats), accuracy, and test_loss and test_accuracy.
Epoch = dict[str, float]

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


class Settings(TypedDict, total=False):
    """What may be given of a `TrainingConfig`; None is what the network itself recommends."""

    epochs: int | None
    batch_size: int | None
    learning_rate: float | None
    schedule: Schedule | None
    dropout: float | None
    rescale: float | None
    weight_decay: float | None
    label_smoothing: float | None
    flip: bool | None
    shift: int | None
    precision: Precision | None
    measure: Measure | None


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

    Raises:
        RecipeError: a setting has a value that it cannot have.
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

    def __post_init__(self) -> None:
        for name, (expected, fits) in _EXPECTED.items():
            value = getattr(self, name)
            if not fits(value):
                raise RecipeError(f"Expected {name} to be {expected}, got {value!r:.80}.")

    @classmethod
    def recommended(cls, dataset: DatasetSpec, model: str, **given: Any) -> "TrainingConfig":
        """Return the network's own recipe, with what is given, and not None, in its place.

        Raises:
            RecipeError: a setting has an impossible value, or is none of this network's.
        """
        given = {key: value for key, value in given.items() if value is not None}
        if model in NETWORKS and "rescale" in given:
            raise RecipeError(f"rescale is for FILE.keras; {model} takes raw pixels.")
        if model != POST_CNN and "dropout" in given:
            own = "fast-cnn has none" if model == FAST_CNN else "FILE.keras has its own"
            raise RecipeError(f"dropout is for post-cnn; {own}.")
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
        else:  # Smith 2018
            after = done + np.arange(steps) / (steps * self.epochs)
            rising = _FIRST + (1 - _FIRST) * after / _RISING
            share = np.minimum(rising, (1 - after) / (1 - _RISING))
        return (self.learning_rate * share).astype(np.float32)


_Expected = tuple[str, Callable[[Any], bool]]


def _whole(least: int) -> _Expected:
    # The libraries below count with a C int.
    fits = range(least, 2**31)
    return f"a whole number of {least} or more", lambda value: type(value) is int and value in fits


def _number(words: str, fits: Callable[[float], bool]) -> _Expected:
    def is_one(value: Any) -> bool:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and math.isfinite(value) and fits(value)

    return words, is_one


def _one_of(choices: Any) -> _Expected:
    names = [repr(name) for name in get_args(choices)]
    return f"{', '.join(names[:-1])} or {names[-1]}", lambda value: value in get_args(choices)


_FINITE = _number("a finite number", lambda value: True)
_SHARE = _number("a share from 0 to below 1", lambda value: 0 <= value < 1)
_EXPECTED: dict[str, _Expected] = {
    "epochs": _whole(0),
    "batch_size": _whole(1),
    "learning_rate": _number("a number above 0", lambda value: value > 0),
    "schedule": _one_of(Schedule),
    "dropout": _SHARE,
    "seed": _whole(0),
    "rescale": ("a finite number or None", lambda value: value is None or _FINITE[1](value)),
    "weight_decay": _number("a number of 0 or more", lambda value: value >= 0),
    "label_smoothing": _SHARE,
    "flip": ("True or False", lambda value: isinstance(value, bool)),
    "shift": _whole(0),
    "precision": _one_of(Precision),
    "measure": _one_of(Measure),
}
