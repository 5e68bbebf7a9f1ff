"""Fit a Keras classifier on whole arrays, one compiled call for each epoch."""

import itertools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edge_runtime.data.datasets import Dataset, Split
from edge_runtime.errors import TrainingError
from edge_runtime.inference.quantization import softmax
from trainer.architectures import gives_probabilities
from trainer.checkpoint import Checkpoint
from trainer.compiled import as_input, compile_epoch, compile_measure
from trainer.recipe import Epoch, TrainingConfig

_EVALUATION_BATCH = 256


def fit(
    model: Any,
    dataset: Dataset,
    config: TrainingConfig,
    *,
    checkpoint_path: Path | None = None,
    on_epoch: Callable[[Epoch], object] = lambda epoch: None,
) -> list[Epoch]:
    """Train a model in place and return its history, one entry for each epoch.

    Args:
        model: a Keras classifier over raw pixels.
        dataset: fitted on its training split; the test split is only measured.
        config: how.
        checkpoint_path: where to keep the state after each epoch. From what is there training goes
            on, and ends with the same weights, bit for bit, as one that was never interrupted (on
            the same machine with the same versions).
        on_epoch: called after each epoch with epoch, loss, accuracy, and where the test images
            were measured test_loss and test_accuracy.

    Raises:
        TrainingError: the loss or a weight became NaN; the last good checkpoint stays.
    """
    tf.config.experimental.enable_op_determinism()
    optimizer = _optimizer(model, config)
    history: list[Epoch] = []
    if checkpoint_path is not None and checkpoint_path.exists():
        checkpoint = Checkpoint.load(checkpoint_path)
        checkpoint.restore(model, optimizer)
        history = list(checkpoint.history)
    outputs = raw_outputs(model, dataset.train.images[:_EVALUATION_BATCH])
    from_logits = not gives_probabilities(outputs)
    run_epoch = compile_epoch(model, optimizer, config, dataset.train, from_logits=from_logits)
    measure = compile_measure(model, dataset.test, from_logits=from_logits)
    for epoch in range(len(history) + 1, config.epochs + 1):
        loss, accuracy = run_epoch(*_shown_in(epoch, dataset.train, config))
        if not math.isfinite(loss):
            raise TrainingError(_diverged(f"the loss became {loss}", epoch, checkpoint_path))
        history.append({"epoch": epoch, "loss": loss, "accuracy": accuracy})
        if config.measure == "epoch" or epoch == config.epochs:
            test_loss, test_accuracy = measure()
            history[-1] |= {"test_loss": test_loss, "test_accuracy": test_accuracy}
        _keep(model, optimizer, history, checkpoint_path)
        on_epoch(history[-1])
    return history


def _optimizer(model: Any, config: TrainingConfig) -> Any:
    """Return Adam, with decoupled weight decay (Loshchilov and Hutter 2019) if there is any."""
    optimizer = keras.optimizers.Adam(
        config.learning_rate, weight_decay=config.weight_decay or None
    )
    optimizer.exclude_from_weight_decay(
        var_list=[variable for variable in model.trainable_variables if len(variable.shape) < 2]
    )
    optimizer.build(model.trainable_variables)
    return optimizer


def _keep(model: Any, optimizer: Any, history: Sequence[Epoch], path: Path | None) -> None:
    try:
        state = Checkpoint.of(model, optimizer, list(history))
    except TrainingError as error:
        raise TrainingError(_diverged(str(error), len(history), path)) from error
    if path is not None:
        state.save(path)


def _diverged(what: str, epoch: int, checkpoint: Path | None) -> str:
    if checkpoint is None:
        return f"Training stopped in epoch {epoch}: {what}; choose a smaller learning rate."
    return (
        f"Training stopped in epoch {epoch}: {what}; the state after epoch {epoch - 1} is kept. "
        "Go on from it with a smaller step: fmnist-edge train --resume --learning-rate 0.0001"
    )


def _shown_in(
    epoch: int, train: Split, config: TrainingConfig
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.float32]]:
    """Return the images of an epoch, their order, and the learning rate of each step."""
    images = augmented(
        train.images, seed=config.seed, epoch=epoch, flip=config.flip, shift=config.shift
    )
    order = np.random.default_rng([config.seed, epoch]).permutation(len(train))
    steps = math.ceil(len(train) / config.batch_size)
    return images, order, config.learning_rates_in(epoch, steps)


def augmented(
    images: NDArray[np.uint8], *, seed: int, epoch: int, flip: bool, shift: int
) -> NDArray[np.uint8]:
    """Return the images as an epoch is to see them; the same seed and epoch, the same images.

    Args:
        images: (N, H, W, C) uint8; what is returned is a copy if anything was changed.
        seed: of the training.
        epoch: counted from 1.
        flip: mirror one half of the images in one epoch and the other half in the next, so that
            two epochs show each image both ways (Jordan, "94 % on CIFAR-10 in 3.29 seconds", 2024).
        shift: move each image by up to so many pixels along each side; the edge is repeated.
    """
    if flip:
        first = np.random.default_rng([seed, 0]).integers(0, 2, len(images))
        mirrored = (first + epoch) % 2 == 1
        images = images.copy()
        images[mirrored] = images[mirrored][:, :, ::-1]
    return _shifted(images, shift, np.random.default_rng([seed, epoch, 1])) if shift else images


def _shifted(images: NDArray[np.uint8], most: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    height, width = images.shape[1:3]
    padded = np.pad(images, ((0, 0), (most, most), (most, most), (0, 0)), mode="edge")
    down, right = rng.integers(0, 2 * most + 1, (2, len(images)))
    moved = np.empty_like(images)
    for top, left in itertools.product(range(2 * most + 1), repeat=2):
        chosen = (down == top) & (right == left)
        moved[chosen] = padded[chosen, top : top + height, left : left + width]
    return moved


def raw_outputs(model: Any, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return what the model answers to (N, H, W, C) uint8 images, (N, K) float32."""
    parts = [
        np.asarray(
            model(as_input(model, images[start : start + _EVALUATION_BATCH]), training=False)
        )
        for start in range(0, len(images), _EVALUATION_BATCH)
    ]
    return np.concatenate(parts).astype(np.float32)


def probabilities(model: Any, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the (N, K) float32 probabilities of (N, H, W, C) uint8 images."""
    outputs = raw_outputs(model, images)
    return outputs if gives_probabilities(outputs) else softmax(outputs)
