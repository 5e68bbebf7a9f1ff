"""Leave out the softmax that a Keras model ends in."""

from typing import Any

import keras

from edge_runtime.errors import ModelError


def without_softmax(model: Any) -> Any:
    """Return a model with the same weights that answers with what went into its last softmax.

    Args:
        model: a Keras model whose last layer is a softmax, or has one for its activation.

    Raises:
        ModelError: it does not end so.
    """
    last = model.layers[-1] if isinstance(model, keras.Sequential | keras.Model) else None
    changed = None if last is None else _linear(last)
    if changed is None:
        raise ModelError("the model does not end in a softmax that could be left out.")

    def clone(layer: Any) -> Any:
        return changed if layer is last else layer.__class__.from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=clone)
    copy.set_weights(model.get_weights())
    return copy


def _linear(layer: Any) -> Any | None:
    """Return the layer without its softmax, not built yet; None if it has none."""
    if isinstance(layer, keras.layers.Softmax):
        return keras.layers.Activation("linear", name=layer.name)
    config = layer.get_config()
    if config.get("activation") != "softmax":
        return None
    return layer.__class__.from_config({**config, "activation": "linear"})
