"""Small networks that faults are planted in, each trained in seconds on the CPU."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from edge_runtime.data.datasets import Dataset

layers = keras.layers


@dataclass(frozen=True, eq=False)
class Network:
    """A trained network with what it was trained on: pixels · gain + offset."""

    name: str
    core: Any
    dataset: Dataset
    gain: Any
    offset: Any

    def full_model(self) -> Any:
        """Return the full model: from pixels to probabilities."""
        pixels = keras.Input(batch_shape=(1, *self.dataset.image_shape), dtype="float32")
        return keras.Model(pixels, self.core(self.right_input(pixels)))

    def answers(self) -> Any:
        """Return (N, K) what the full model says about the training images."""
        images = self.dataset.train.images.astype(np.float32)
        return self.core.predict(images * self.gain + self.offset, 100, verbose=0)

    def right_input(self, pixels: Any) -> Any:
        """Scale pixels as the network wants them."""
        if np.all(self.gain == 1) and np.all(self.offset == 0):
            return pixels
        return layers.Rescaling(self.gain, self.offset)(pixels)


def article(shape: Sequence[int], classes: int) -> Any:
    """A smaller sister of the article's network."""
    return [
        layers.Conv2D(16, 5, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(32, 4, padding="same", activation="relu"),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(classes, activation="softmax"),
    ]


def separable(shape: Sequence[int], classes: int) -> Any:
    """Batch norm, ReLU6, a depthwise convolution."""
    return [
        layers.Conv2D(12, 3, strides=2, padding="same", use_bias=False),
        layers.BatchNormalization(momentum=0.8),
        layers.ReLU(6.0),
        layers.DepthwiseConv2D(3, padding="same", use_bias=False),
        layers.BatchNormalization(momentum=0.8),
        layers.ReLU(),
        layers.Conv2D(32, 1, activation="relu"),
        layers.AveragePooling2D(2),
        layers.Flatten(),
        layers.Dense(classes, activation="softmax"),
    ]


def normed(shape: Sequence[int], classes: int) -> Any:
    """Batch norm with Keras' own momentum, which needs hundreds of steps to settle."""
    return [
        layers.Conv2D(12, 3, strides=2, use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.Conv2D(24, 3, strides=2, activation="relu"),
        layers.BatchNormalization(),
        layers.Flatten(),
        layers.Dense(classes, activation="softmax"),
    ]


def dense(shape: Sequence[int], classes: int) -> Any:
    """No convolution at all."""
    return [
        layers.Flatten(),
        layers.Dense(48, activation="relu"),
        layers.Dense(classes, activation="softmax"),
    ]


DOMAINS: dict[str, Callable[[Any], tuple[Any, Any]]] = {
    "raw": lambda images: (1.0, 0.0),
    "unit": lambda images: (1 / 255, 0.0),
    "signed": lambda images: (1 / 127.5, -1.0),
    "standard": lambda images: (1 / images.std(), -images.mean() / images.std()),
}


MAKERS: dict[str, Callable[..., Any]] = {
    "article": article,
    "separable": separable,
    "normed": normed,
    "dense": dense,
}


def train(
    name: str, domain: str, dataset: Dataset, *, epochs: Sequence[int], seed: int = 0
) -> list[Network]:
    """Train a network on pixels scaled for a domain; return it as it is after some epochs."""
    keras.utils.set_random_seed(seed)
    images = dataset.train.images.astype(np.float32)
    gain, offset = DOMAINS[domain](images)
    core = keras.Sequential([keras.Input(dataset.image_shape)])
    for layer in MAKERS[name](dataset.image_shape, dataset.class_count):
        core.add(layer)
    first = next(layer for layer in core.layers if layer.weights)
    if domain == "raw" and name == "article":  # Glorot's weights are for inputs of about unit size
        first.set_weights([first.get_weights()[0] / 128, *first.get_weights()[1:]])
    elif domain == "raw":
        gain = 1 / 255
    core.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy")
    found, done = [], 0
    for last in epochs:
        core.fit(images * gain + offset, dataset.train.labels, 32, last - done, verbose=0)
        done, copy = last, cloned(core)
        if domain == "raw" and name != "article":  # the division goes into the weights
            kernel, *others = copy.layers[0 if name != "dense" else 1].get_weights()
            copy.layers[0 if name != "dense" else 1].set_weights([kernel / 255, *others])
        right = 1.0 if domain == "raw" else gain
        found.append(Network(f"{name}/{domain}/{last}", copy, dataset, right, offset))
    return found


def cloned(core: Any) -> Any:
    """Return a copy that shares nothing."""
    copy = keras.models.clone_model(core)
    copy.set_weights(core.get_weights())
    return copy
