"""From a model to the bytes of a .tflite file."""

import contextlib
import io
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from converter.schemes import Recipe
from converter.source import SourceModel, whole_batches
from edge_runtime.errors import ConversionError, one_line
from edge_runtime.runtimes.native import native_messages_silenced


def convert_source(
    source: SourceModel,
    recipe: Recipe,
    *,
    io_type: str,
    image_shape: tuple[int, int, int] | None = None,
    calibration: NDArray[np.uint8] | None = None,
    batch: int = 1,
) -> bytes:
    """Return the bytes of a .tflite file with a static batch.

    Args:
        source: the model.
        recipe: how to quantize.
        io_type: dtype of input and output: int8, uint8, int16 or float32.
        image_shape: (H, W, C) of the images, for a model that leaves its input open.
        calibration: (N, H, W, C) uint8 images for the recipes that need them.
        batch: how many images one run takes.

    Raises:
        ConversionError: the images do not fit, or TensorFlow cannot convert it.
    """
    shape = source.static_shape(image_shape, batch=batch)
    try:
        with _converter_messages_silenced():
            converter = source.make_converter(shape)
            _configure(converter, recipe, io_type)
            if recipe.calibrated and calibration is not None:
                batches = whole_batches(calibration, batch)
                converter.representative_dataset = lambda: (
                    [pixels.reshape(shape).astype(np.float32)] for pixels in batches
                )
            data: bytes = converter.convert()
    except Exception as error:
        # The converter raises several private classes, and plain Exception.
        raise ConversionError(
            f"{source.name}: TensorFlow cannot convert this model to {recipe.name}: "
            f"{one_line(error)}"
        ) from error
    return data


def _configure(converter: Any, recipe: Recipe, io_type: str) -> None:
    if recipe.name == "float32":
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    operators = tf.lite.OpsSet
    if recipe.name == "float16":
        converter.target_spec.supported_types = [tf.float16]
    elif recipe.name == "dynamic":
        # Per-channel dense layers need FULLY_CONNECTED version 12, which tflite-runtime lacks.
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    elif recipe.name == "int8":
        converter.target_spec.supported_ops = [operators.TFLITE_BUILTINS_INT8]
    elif recipe.name == "int16x8":
        converter.target_spec.supported_ops = [
            operators.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        ]
    if io_type != "float32":
        converter.inference_input_type = tf.as_dtype(io_type)
        converter.inference_output_type = tf.as_dtype(io_type)


@contextlib.contextmanager
def _converter_messages_silenced() -> Iterator[None]:
    logger = tf.get_logger()  # a notebook shows what it logs, whatever standard error is
    level = logger.level
    logger.setLevel("ERROR")
    try:
        with (
            native_messages_silenced(),
            contextlib.redirect_stdout(io.StringIO()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
