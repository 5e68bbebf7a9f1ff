"""Fit a Keras classifier on whole arrays, one compiled call for each epoch."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edge_runtime.datasets import Dataset, Split
from edge_runtime.errors import TrainingError
from edge_runtime.quantization import softmax
from trainer.checkpoint import Checkpoint
from trainer.config import TrainingConfig
from trainer.models import gives_probabilities

_EVALUATION_BATCH = 256

Epoch = dict[str, float]


def fit(
    model: Any,
    dataset: Dataset,
    config: TrainingConfig,
    *,
    checkpoint_path: Path | None = None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> list[Epoch]:
    """Train a model in place and return its history, one entry for each epoch.

    With a checkpoint at ``checkpoint_path`` training goes on from there, and ends with the same
    weights, bit for bit, as a training that was never interrupted (on the same machine with the
    same versions).

    Args:
        model: a Keras classifier over raw pixels.
        dataset: fitted on its training split; the test split is only measured, after each epoch.
        config: how.
        checkpoint_path: where to keep the state after each epoch.
        on_epoch: called after each epoch with epoch, loss, accuracy, test_loss, test_accuracy.

    Raises:
        TrainingError: the loss or a weight became NaN; the last good checkpoint stays.
    """
    tf.config.experimental.enable_op_determinism()
    optimizer = keras.optimizers.Adam(config.learning_rate)
    optimizer.build(model.trainable_variables)
    history: list[Epoch] = []
    if checkpoint_path is not None and checkpoint_path.exists():
        checkpoint = Checkpoint.load(checkpoint_path)
        checkpoint.restore(model, optimizer)
        history = list(checkpoint.history)
    run_epoch = _compile_epoch(model, optimizer, dataset.train, config.batch_size)
    measure = _compile_measure(model, dataset.test)
    for epoch in range(len(history) + 1, config.epochs + 1):
        optimizer.learning_rate = config.learning_rate_in(epoch)
        order = np.random.default_rng([config.seed, epoch]).permutation(len(dataset.train))
        loss, accuracy = (float(value) for value in run_epoch(tf.constant(order, tf.int32)))
        if not math.isfinite(loss):
            raise TrainingError(_diverged(f"the loss became {loss}", epoch))
        test_loss, test_accuracy = (float(value) for value in measure())
        history.append(
            {
                "epoch": epoch,
                "loss": loss,
                "accuracy": accuracy,
                "test_loss": test_loss,
                "test_accuracy": test_accuracy,
            }
        )
        _keep(model, optimizer, history, checkpoint_path)
        on_epoch(history[-1])
    return history


def _keep(model: Any, optimizer: Any, history: Sequence[Epoch], path: Path | None) -> None:
    try:
        state = Checkpoint.of(model, optimizer, list(history))
    except TrainingError as error:
        raise TrainingError(_diverged(str(error), len(history))) from error
    if path is not None:
        state.save(path)


def _diverged(what: str, epoch: int) -> str:
    return (
        f"Training stopped in epoch {epoch}: {what}; the state after epoch {epoch - 1} is kept. "
        "Go on from it with a smaller step: fmnist-edge train --resume --learning-rate 0.0001"
    )


def _compile_epoch(model: Any, optimizer: Any, train: Split, batch_size: int) -> Any:
    """Return a function from an order of the images to (mean loss, accuracy) of one epoch."""
    images, labels = _constants(train)
    loss_function = _loss_function(model, train)
    variables = model.trainable_variables

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32)])  # type: ignore[untyped-decorator]
    def run_epoch(order: Any) -> Any:
        loss_sum = tf.zeros(())
        right = tf.zeros((), tf.int32)
        for start in tf.range(0, len(train), batch_size):
            batch = order[start : start + batch_size]
            truth = tf.gather(labels, batch)
            pixels = _as_input(model, tf.gather(images, batch))
            with tf.GradientTape() as tape:
                answers = model(pixels, training=True)
                losses = loss_function(truth, answers)
                total = tf.reduce_mean(losses) + (tf.add_n(model.losses) if model.losses else 0.0)
            optimizer.apply_gradients(zip(tape.gradient(total, variables), variables, strict=True))
            loss_sum += tf.reduce_sum(losses)
            right += _count_right(truth, answers)
        return loss_sum / len(train), right / len(train)

    return run_epoch


def _compile_measure(model: Any, split: Split) -> Any:
    """Return a function to (mean loss, accuracy) of the model on a split."""
    images, labels = _constants(split)
    loss_function = _loss_function(model, split)

    @tf.function  # type: ignore[untyped-decorator]
    def measure() -> Any:
        loss_sum = tf.zeros(())
        right = tf.zeros((), tf.int32)
        for start in tf.range(0, len(split), _EVALUATION_BATCH):
            truth = labels[start : start + _EVALUATION_BATCH]
            pixels = _as_input(model, images[start : start + _EVALUATION_BATCH])
            answers = model(pixels, training=False)
            loss_sum += tf.reduce_sum(loss_function(truth, answers))
            right += _count_right(truth, answers)
        return loss_sum / len(split), right / len(split)

    return measure


def _constants(split: Split) -> tuple[Any, Any]:
    # Kept as bytes: 60,000 images are 47 MB so, and 188 MB as floats.
    return tf.constant(split.images), tf.constant(split.labels, tf.int32)


def _as_input(model: Any, images: Any) -> Any:
    pixels = tf.cast(images, tf.float32)
    return tf.squeeze(pixels, -1) if len(model.input_shape) == 3 else pixels


def _loss_function(model: Any, split: Split) -> Any:
    """Categorical cross-entropy over one-hot labels, for each image; (B,), (B, K) to (B,)."""
    from_logits = not gives_probabilities(raw_outputs(model, split.images[:_EVALUATION_BATCH]))
    class_count = model.output_shape[-1]

    def loss(truth: Any, answers: Any) -> Any:
        return keras.losses.categorical_crossentropy(
            tf.one_hot(truth, class_count), answers, from_logits=from_logits
        )

    return loss


def _count_right(truth: Any, answers: Any) -> Any:
    return tf.reduce_sum(tf.cast(tf.argmax(answers, -1, tf.int32) == truth, tf.int32))


def raw_outputs(model: Any, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return what the model answers to (N, H, W, C) uint8 images, (N, K) float32."""
    parts = [
        np.asarray(
            model(_as_input(model, images[start : start + _EVALUATION_BATCH]), training=False)
        )
        for start in range(0, len(images), _EVALUATION_BATCH)
    ]
    return np.concatenate(parts).astype(np.float32)


def probabilities(model: Any, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the (N, K) float32 probabilities of (N, H, W, C) uint8 images."""
    outputs = raw_outputs(model, images)
    return outputs if gives_probabilities(outputs) else softmax(outputs)
