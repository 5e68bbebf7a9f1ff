"""Batch normalization as it is computed in training: what Keras computes, faster on a CPU."""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf


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
