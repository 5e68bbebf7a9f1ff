"""Layers of Keras as they are computed in training: the same results, faster on a CPU."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf


@tf.custom_gradient  # type: ignore[untyped-decorator]
def max_pool_2x2(inputs: Any) -> Any:
    """Return the largest of each 2 × 2 pixels; (B, H, W, C) to (B, H/2, W/2, C), both sides even.

    Values and gradients are those of `tf.nn.max_pool2d`, bit for bit: of equal pixels the first in
    reading order gets the gradient. TensorFlow looks for the largest pixel again, one by one, which
    took a third of a training step of the article's network; here whole rows are compared.
    """
    shape = tf.shape(inputs)
    height, width, channels = inputs.shape[1:]
    pairs = tf.reshape(inputs, (shape[0], height, width // 2, 2 * channels))
    left, right = pairs[..., :channels], pairs[..., channels:]
    rows = tf.reshape(tf.maximum(left, right), (shape[0], height // 2, 2, width // 2 * channels))
    upper, lower = rows[:, :, 0], rows[:, :, 1]
    largest = tf.maximum(upper, lower)

    def gradient(given: Any) -> Any:
        given = tf.reshape(given, tf.shape(largest))
        to_rows = tf.stack(_shared(given, upper >= lower), axis=2)
        to_pairs = tf.concat(_shared(tf.reshape(to_rows, tf.shape(left)), left >= right), axis=-1)
        return tf.reshape(to_pairs, shape)

    return tf.reshape(largest, (shape[0], height // 2, width // 2, channels)), gradient


def _shared(given: Any, to_first: Any) -> list[Any]:
    nothing = tf.zeros_like(given)
    return [tf.where(to_first, given, nothing), tf.where(to_first, nothing, given)]


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
    """Let a Keras model's 2 × 2 poolings and batch normalizations be fast while it is traced."""
    layers = [(layer, call) for layer in _all_layers(model) if (call := _fast_call(layer))]
    for layer, call in layers:
        layer.call = functools.partial(call, layer)
    try:
        yield
    finally:
        for layer, _ in layers:
            del layer.call


def _all_layers(model: Any) -> Iterator[Any]:
    for layer in getattr(model, "layers", ()):
        yield layer
        yield from _all_layers(layer)


def _fast_call(layer: Any) -> Callable[..., Any] | None:
    if type(layer) is keras.layers.MaxPooling2D and (
        tuple(layer.pool_size),
        tuple(layer.strides),
        layer.padding,
        layer.data_format,
    ) == ((2, 2), (2, 2), "valid", "channels_last"):
        return _pool
    if type(layer) is keras.layers.BatchNormalization and layer.axis in (-1, 3):
        return _normalize
    return None


def _pool(layer: Any, inputs: Any) -> Any:
    height, width = inputs.shape[1:3]
    if height is None or width is None:
        return type(layer).call(layer, inputs)
    return max_pool_2x2(inputs[:, : height // 2 * 2, : width // 2 * 2])


def _normalize(layer: Any, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
    fast = training and layer.trainable and len(inputs.shape) == 4 and mask is None
    if not fast or inputs.dtype != tf.float32:
        return type(layer).call(layer, inputs, training=training, mask=mask)
    return normalize_batch(layer, inputs)
