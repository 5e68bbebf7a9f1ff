"""The networks with a name, and the door through which any other Keras 3 classifier comes in."""

import tempfile
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.datasets import Dataset
from edge_runtime.errors import ModelError, nearest_name, one_line
from edge_runtime.files.writing import write_atomically
from edge_runtime.models.full_model import keras_bytes
from trainer.recipe import FAST_CNN, NETWORKS, POST_CNN


def build_post_cnn(
    image_shape: tuple[int, int, int], class_count: int, *, dropout: float, seed: int
) -> Any:
    """Build the article's network; 31,626 parameters for (28, 28, 1) and ten classes.

    It takes raw pixels 0..255 and returns probabilities. Weights are drawn with ``seed``.

    Args:
        image_shape: (H, W, C), both sides 16 or more.
        class_count: two or more.
        dropout: the share of the flattened features that is dropped in training, 0 to below 1.
        seed: of the initial weights and of the dropout.

    Raises:
        ModelError: the images are too small.
    """
    _refuse_small(image_shape, POST_CNN, 16)
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    # Glorot's uniform initializer (Glorot and Bengio 2010) is meant for inputs of about unit size;
    # pixels 0..255 would start the network with answers that are sure and wrong. So: divided by 16.
    small = keras.initializers.VarianceScaling(1 / 256, "fan_avg", "uniform", seed=seed)
    return keras.Sequential(
        [
            keras.Input(image_shape, name="pixels"),
            layers.Conv2D(32, 5, activation="relu", kernel_initializer=small, name="conv1"),
            layers.MaxPooling2D(2, name="pool1"),
            layers.Conv2D(32, 4, padding="same", activation="relu", name="conv2"),
            layers.MaxPooling2D(2, name="pool2"),
            layers.Conv2D(32, 3, activation="relu", name="conv3"),
            layers.Flatten(name="flatten"),
            layers.Dropout(dropout, seed=seed, name="dropout"),
            layers.Dense(class_count, activation="softmax", name="classes"),
        ],
        name="post_cnn",
    )


def build_fast_cnn(image_shape: tuple[int, int, int], class_count: int, *, seed: int) -> Any:
    """Build a network that a CPU trains fast; 82,090 parameters for (28, 28, 1) and ten classes.

    The first convolution takes every second pixel, so that little is computed with its few input
    channels; each is followed by batch normalization, which a converter folds into it and which
    takes away the scale of the pixels. Otherwise as `build_post_cnn`, for sides of 12 or more.
    """
    _refuse_small(image_shape, FAST_CNN, 12)
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(image_shape, name="pixels"),
            *_normalized_convolution(1, 32, 5, strides=2),
            *_normalized_convolution(2, 32, 3),
            layers.MaxPooling2D(2, name="pool"),
            *_normalized_convolution(3, 64, 3),
            *_normalized_convolution(4, 64, 3, padding="valid"),
            layers.Flatten(name="flatten"),
            layers.Dense(class_count, activation="softmax", name="classes"),
        ],
        name="fast_cnn",
    )


def _normalized_convolution(
    number: int, filters: int, kernel: int, *, strides: int = 1, padding: str = "same"
) -> list[Any]:
    layers = keras.layers
    place = {"strides": strides, "padding": padding}
    return [
        layers.Conv2D(filters, kernel, **place, use_bias=False, name=f"conv{number}"),
        # A short training leaves no time for Keras' momentum of 0.99.
        layers.BatchNormalization(momentum=0.9, name=f"norm{number}"),
        layers.ReLU(name=f"relu{number}"),
    ]


def _refuse_small(image_shape: tuple[int, int, int], network: str, smallest: int) -> None:
    # Two poolings halve what the first convolution leaves; a valid 3×3 convolution must still fit.
    if min(image_shape[:2]) < smallest:
        raise ModelError(
            f"{network} needs images of {smallest} × {smallest} pixels or more, got "
            f"{image_shape[0]} × {image_shape[1]}; enlarge them with --image-size, or bring a "
            "model of your own with --model."
        )


def rescaled(model: Any, factor: float | None) -> Any:
    """Return a model with a multiplication of the pixels in front: 1/255 for pixels 0..1."""
    if factor is None:
        return model
    pixels = keras.Input(model.input_shape[1:])
    return keras.Model(pixels, model(keras.layers.Rescaling(factor)(pixels)), name=model.name)


def load_keras(path: Path, *, seed: int | None = None) -> Any:
    """Load a `.keras` file without running any code that it may carry.

    Random layers without a seed of their own draw one when they are loaded, with ``seed``.

    Raises:
        ModelError: it is missing, damaged, or needs code that is not here.
    """
    if not path.is_file():
        hint = nearest_name(str(path), NETWORKS)
        raise ModelError(f"{path}: there is no such model file; expected a .keras file.{hint}")
    if path.suffix != ".keras" or not zipfile.is_zipfile(path):
        raise ModelError(f"{path}: this is no .keras file; save the model in Keras' own format.")
    if seed is not None:
        keras.utils.set_random_seed(seed)
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        # Keras raises whatever the file's content led to; there is no common class.
        raise ModelError(f"{path}: Keras cannot load this model: {one_line(error)}") from error


def reloaded(model: Any, *, seed: int) -> Any:
    """Return a copy of a model, as it comes out of a `.keras` file.

    Raises:
        ModelError: it needs code that such a file cannot hold.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{model.name}.keras"
        path.write_bytes(keras_bytes(model))
        return load_keras(path, seed=seed)


def save_keras(model: Any, path: Path) -> None:
    """Write a `.keras` file, whole or not at all; the same model, the same bytes."""
    write_atomically(path, keras_bytes(model))


def refuse_misfit(model: Any, dataset: Dataset, path: object) -> None:
    """Raise ModelError unless a loaded model takes a dataset's images and has its classes."""
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ModelError(
            f"{path}: expected an image classifier with one input and one output, got "
            f"{len(model.inputs)} and {len(model.outputs)}."
        )
    source, result = tuple(model.input_shape[1:]), tuple(model.output_shape[1:])
    shape = dataset.image_shape
    if not _fits(source, shape) and not (shape[2] == 1 and _fits(source, shape[:2])):
        raise ModelError(
            f"{path}: the model's input is {source}, the images of '{dataset.name}' are "
            f"{shape}; choose a dataset that fits."
        )
    if result != (dataset.class_count,):
        raise ModelError(
            f"{path}: the model's output is {result}, the dataset '{dataset.name}' has "
            f"{dataset.class_count} classes; choose a dataset that fits."
        )


def _fits(source: tuple[int | None, ...], shape: tuple[int, ...]) -> bool:
    return len(source) == len(shape) and all(
        wanted in (None, given) for wanted, given in zip(source, shape, strict=True)
    )


def gives_probabilities(outputs: NDArray[np.float32]) -> bool:
    """Return whether (N, K) outputs are probabilities: non-negative, each row summing to 1."""
    return bool((outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, atol=1e-3))
