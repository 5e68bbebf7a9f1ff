"""Copies of a trained network with other weights."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from planting.networks import Network, cloned


def changed_last(core: Any, change: Callable[[Any, Any], tuple[Any, Any]]) -> Any:
    """Return a copy with another kernel and bias in the last layer."""
    copy = cloned(core)
    copy.layers[-1].set_weights(change(*copy.layers[-1].get_weights()))
    return copy


def permuted(core: Any, order: Any) -> Any:
    """Return a copy whose outputs stand in another order."""
    return changed_last(core, lambda kernel, bias: (kernel[:, order], bias[order]))


def without_softmax(core: Any) -> Any:
    """Return a copy that answers with logits."""
    copy = cloned(core)
    copy.layers[-1].activation = keras.activations.linear
    return copy


def shuffled(core: Any, seed: int) -> Any:
    """Return a copy whose weights are shuffled."""
    rng = np.random.default_rng(seed)
    copy = cloned(core)
    copy.set_weights([rng.permutation(w.ravel()).reshape(w.shape) for w in core.get_weights()])
    return copy


def without_biases(core: Any) -> Any:
    """Return a copy whose biases are zero; those of batch norms are left."""
    copy = cloned(core)
    for layer in copy.layers:
        if getattr(layer, "use_bias", False):
            *others, bias = layer.get_weights()
            layer.set_weights([*others, 0 * bias])
    return copy


def lagging(core: Any, share: float) -> Any:
    """Return a copy whose batch norms have come only a share of the way from 0 and 1."""
    copy = cloned(core)
    for layer in copy.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            *others, mean, variance = layer.get_weights()
            layer.set_weights([*others, share * mean, share * variance + (1 - share)])
    return copy


def trained_further(network: Network) -> Any:
    """Return a copy after one more epoch."""
    copy = cloned(network.core)
    copy.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy")
    images = network.dataset.train.images.astype(np.float32) * network.gain + network.offset
    copy.fit(images, network.dataset.train.labels, 32, 1, verbose=0)
    return copy
