"""An epoch, and a measurement, as one compiled call each, with layers that are fast on a CPU."""

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edge_runtime.data.datasets import Split
from trainer.recipe import Precision, TrainingConfig

# The activations of so many images stay in a processor's cache.
_MEASURING_BATCH = 128

Epoch = Callable[[NDArray[np.uint8], NDArray[np.int64], NDArray[np.float32]], tuple[float, float]]


def compile_epoch(
    model: Any, optimizer: Any, config: TrainingConfig, train: Split, *, from_logits: bool
) -> Epoch:
    """Return a function that trains for one epoch and returns (mean loss, accuracy).

    It takes the images, (N, H, W, C) uint8, the order in which they are shown, (N,), and the
    learning rate of each step. The loss that it returns is without label smoothing.
    """
    labels = tf.constant(train.labels, tf.int32)
    smoothed = _loss_function(model, from_logits, config.label_smoothing)
    plain = _loss_function(model, from_logits)
    variables, size = model.trainable_variables, config.batch_size

    def run_epoch(images: Any, order: Any, rates: Any) -> Any:
        loss_sum = tf.zeros(())
        right = tf.zeros((), tf.int32)
        for step in tf.range(tf.size(rates)):
            batch = order[step * size : (step + 1) * size]
            truth = tf.gather(labels, batch)
            pixels = as_input(model, tf.gather(images, batch))
            with tf.GradientTape() as tape:
                answers = model(pixels, training=True)
                losses = smoothed(truth, answers)
                total = tf.reduce_mean(losses) + (tf.add_n(model.losses) if model.losses else 0.0)
            optimizer.learning_rate.assign(rates[step])
            optimizer.apply_gradients(zip(tape.gradient(total, variables), variables, strict=True))
            loss_sum += tf.reduce_sum(plain(truth, answers) if config.label_smoothing else losses)
            right += _count_right(truth, answers)
        return loss_sum / len(train), right / len(train)

    given = (
        tf.TensorSpec(train.images.shape, tf.uint8),
        tf.TensorSpec([len(train)], tf.int32),
        tf.TensorSpec([None], tf.float32),
    )
    return _traced(model, run_epoch, given, precision=config.precision)


def compile_measure(
    model: Any, split: Split, *, from_logits: bool
) -> Callable[[], tuple[float, float]]:
    """Return a function to (mean loss, accuracy) of the model on a split."""
    images, labels = tf.constant(split.images), tf.constant(split.labels, tf.int32)
    loss_function = _loss_function(model, from_logits)

    def measure() -> Any:
        loss_sum = tf.zeros(())
        right = tf.zeros((), tf.int32)
        for start in tf.range(0, len(split), _MEASURING_BATCH):
            truth = labels[start : start + _MEASURING_BATCH]
            pixels = as_input(model, images[start : start + _MEASURING_BATCH])
            answers = model(pixels, training=False)
            loss_sum += tf.reduce_sum(loss_function(truth, answers))
            right += _count_right(truth, answers)
        return loss_sum / len(split), right / len(split)

    return _traced(model, measure, (), precision="float32")


def as_input(model: Any, images: Any) -> Any:
    """Return (B, H, W, C) images as the model takes them: float32, without C if it has none."""
    pixels = tf.cast(images, tf.float32)
    return tf.squeeze(pixels, -1) if len(model.input_shape) == 3 else pixels


def _traced(
    model: Any, function: Callable[..., Any], given: tuple[Any, ...], *, precision: Precision
) -> Callable[..., tuple[float, float]]:
    with fast_layers(model):
        traced = tf.function(function, input_signature=given).get_concrete_function()

    def call(*arrays: Any) -> tuple[float, float]:
        tensors = [tf.constant(a, spec.dtype) for a, spec in zip(arrays, given, strict=True)]
        with _convolutions_in(precision):
            loss, accuracy = traced(*tensors)
        return float(loss), float(accuracy)

    return call


@contextlib.contextmanager
def _convolutions_in(precision: Precision) -> Iterator[None]:
    # TensorFlow leaves the graph alone on a processor without instructions for bfloat16. Gradients
    # of kernels stay in float32, in which oneDNN computes them as fast or faster.
    option = "auto_mixed_precision_onednn_bfloat16"
    os.environ["TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_ALLOWLIST_REMOVE"] = "Conv2DBackpropFilter"
    tf.config.optimizer.set_experimental_options({option: precision == "bfloat16"})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({option: False})


def _loss_function(model: Any, from_logits: bool, label_smoothing: float = 0.0) -> Any:
    """Categorical cross-entropy over one-hot labels, for each image; (B,), (B, K) to (B,)."""
    class_count = model.output_shape[-1]

    def loss(truth: Any, answers: Any) -> Any:
        return keras.losses.categorical_crossentropy(
            tf.one_hot(truth, class_count),
            answers,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
        )

    return loss


def _count_right(truth: Any, answers: Any) -> Any:
    return tf.reduce_sum(tf.cast(tf.argmax(answers, -1, tf.int32) == truth, tf.int32))


def normalize_batch(layer: Any, inputs: Any) -> Any:
    """Normalize a batch as a Keras `BatchNormalization` does in training, moving averages too.

    Keras takes a dozen passes over the activations, TensorFlow's fused operation two or three.

    Args:
        layer: with scale and centre or without, over the last axis.
        inputs: (B, H, W, C) float32.
    """
    ones, zeros = tf.ones_like(layer.moving_variance), tf.zeros_like(layer.moving_mean)
    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs,
        scale=layer.gamma if layer.scale else ones,
        offset=layer.beta if layer.center else zeros,
        mean=tf.zeros(0),
        variance=tf.zeros(0),
        epsilon=layer.epsilon,
        is_training=True,
    )
    # The operation estimates the variance that the batch was drawn with; Keras keeps the batch's.
    count = tf.cast(tf.size(inputs) // inputs.shape[-1], tf.float32)
    variance *= (count - 1) / count
    for average, value in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        average.assign(average * layer.momentum + value * (1 - layer.momentum))
    return outputs


@contextlib.contextmanager
def fast_layers(model: Any) -> Iterator[None]:
    """Let a Keras model's batch normalizations be fast while a function of it is traced."""
    layers = [layer for layer in _all_layers(model) if _is_over_channels(layer)]
    for layer in layers:
        layer.call = functools.partial(_normalize, layer)
    try:
        yield
    finally:
        for layer in layers:
            del layer.call


def _all_layers(model: Any) -> Iterator[Any]:
    for layer in getattr(model, "layers", ()):
        yield layer
        yield from _all_layers(layer)


def _is_over_channels(layer: Any) -> bool:
    return type(layer) is keras.layers.BatchNormalization and layer.axis in (-1, 3)


def _normalize(layer: Any, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
    fast = training and layer.trainable and len(inputs.shape) == 4 and mask is None
    if not fast or inputs.dtype != tf.float32:
        return type(layer).call(layer, inputs, training=training, mask=mask)
    return normalize_batch(layer, inputs)
