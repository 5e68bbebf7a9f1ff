"""Max-pooling over 2 × 2 pixels with a gradient that is fast on a CPU."""

import contextlib
import functools
from collections.abc import Iterator
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


@contextlib.contextmanager
def fast_pooling(model: Any) -> Iterator[None]:
    """Let a Keras model's 2 × 2 poolings use `max_pool_2x2` while a function of it is traced."""
    layers = [layer for layer in _all_layers(model) if _is_pooling_2x2(layer)]
    for layer in layers:
        layer.call = functools.partial(_pool, layer)
    try:
        yield
    finally:
        for layer in layers:
            del layer.call


def _all_layers(model: Any) -> Iterator[Any]:
    for layer in getattr(model, "layers", ()):
        yield layer
        yield from _all_layers(layer)


def _is_pooling_2x2(layer: Any) -> bool:
    return type(layer) is keras.layers.MaxPooling2D and (
        tuple(layer.pool_size),
        tuple(layer.strides),
        layer.padding,
        layer.data_format,
    ) == ((2, 2), (2, 2), "valid", "channels_last")


def _pool(layer: Any, inputs: Any) -> Any:
    height, width = inputs.shape[1:3]
    if height is None or width is None:
        return type(layer).call(layer, inputs)
    return max_pool_2x2(inputs[:, : height // 2 * 2, : width // 2 * 2])
