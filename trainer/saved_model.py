"""A SavedModel, called as a Keras model is."""

from pathlib import Path
from typing import Any

import tensorflow as tf

from edge_runtime.errors import ModelError

_SIGNATURE = "serving_default"


class SavedModel:
    """An image classifier in a SavedModel, by its signature `serving_default`.

    Attributes:
        input_shape: (batch, height, width, channels), or without channels; None where it is open.
        output_shape: (batch, classes).
        inputs: the only input.
        outputs: the only output.
    """

    def __init__(self, path: Path) -> None:
        """Load it.

        Raises:
            ModelError: it cannot be loaded, or has no such signature with one input and one output.
        """
        try:
            self._loaded = tf.saved_model.load(str(path))
            signature = self._loaded.signatures[_SIGNATURE]
        except Exception as error:
            # TensorFlow raises whatever the folder's content led to; there is no common class.
            reason = " ".join(str(error).split())[:300]
            raise ModelError(f"{path}: TensorFlow cannot load this model: {reason}") from error
        self._signature = signature
        self.inputs = list(signature.structured_input_signature[1].items())
        self.outputs = list(signature.structured_outputs.items())
        self.input_shape = _shape(self.inputs[0][1]) if self.inputs else ()
        self.output_shape = _shape(self.outputs[0][1]) if self.outputs else ()

    def __call__(self, images: Any, *, training: bool = False) -> Any:
        """Return (B, K) numbers for (B, ...) images; a graph of a fixed batch takes them in turns.

        Args:
            images: float32, as `input_shape` says but for the batch.
            training: as Keras models take it; a SavedModel only answers.
        """
        (name, spec), (output, _) = self.inputs[0], self.outputs[0]
        pixels = tf.cast(images, spec.dtype)
        fixed = self.input_shape[0]
        if fixed is None:
            return self._signature(**{name: pixels})[output]
        count = len(pixels)
        missing = -count % fixed
        filled = tf.concat([pixels, tf.zeros((missing, *pixels.shape[1:]), spec.dtype)], axis=0)
        parts = [
            self._signature(**{name: filled[start : start + fixed]})[output]
            for start in range(0, count + missing, fixed)
        ]
        return tf.concat(parts, axis=0)[:count]


def _shape(spec: Any) -> tuple[int | None, ...]:
    return tuple(spec.shape.as_list()) if spec.shape.rank is not None else ()
