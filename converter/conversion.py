"""From a Keras model or a SavedModel to the bytes of a .tflite file."""

import contextlib
import io
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from converter.logits import without_softmax
from converter.schemes import Recipe
from edge_runtime.errors import ConversionError, ModelError
from edge_runtime.models.model_file import is_bundle
from edge_runtime.runtimes.native import native_messages_silenced

_Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class SourceModel:
    """A model to convert, whatever format it came in.

    Attributes:
        path: where it came from.
        input_shape: of one image, as the model has it: (H, W, C) or (H, W); None where it is open.
        class_count: the size of its output.
        make_converter: from (B, H, W[, C]) to a converter with that static batch.
        outputs: from (N, H, W[, C]) float32 pixels to the (N, K) numbers that it answers.
    """

    path: Path
    input_shape: _Shape
    class_count: int
    make_converter: Callable[[tuple[int, ...]], Any]
    outputs: Callable[[NDArray[np.float32]], NDArray[np.float32]]

    def answers(self, images: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return the (N,) classes that it gives to (N, H, W, C) uint8 images."""
        pixels = images.astype(np.float32)
        if len(self.input_shape) == 2:
            pixels = pixels[..., 0]
        classes: NDArray[np.int64] = self.outputs(pixels).argmax(axis=1)
        return classes

    def static_shape(
        self, image_shape: tuple[int, int, int] | None, *, batch: int = 1
    ) -> tuple[int, ...]:
        """Return (batch, H, W[, C]) for images of that shape, or for the model's own.

        Raises:
            ConversionError: the images do not fit, or the model leaves its input open.
        """
        wanted: _Shape = self.input_shape
        if image_shape is not None:
            given = image_shape if len(wanted) == 3 else image_shape[:2]
            fits = len(wanted) == 3 or image_shape[2] == 1
            if not fits or any(w not in (None, g) for w, g in zip(wanted, given, strict=True)):
                raise ConversionError(
                    f"{self.path}: the model's input is {wanted}, the images of the dataset are "
                    f"{image_shape}; choose a --dataset that fits."
                )
            return (batch, *given)
        if None in wanted:
            raise ConversionError(
                f"{self.path}: the model's input {wanted} is open; give a --dataset with images of "
                "the size that it shall have."
            )
        return (batch, *(side for side in wanted if side is not None))


def open_source(path: Path, *, logits: bool = False) -> SourceModel:
    """Open a `.keras` file or a SavedModel folder that classifies images.

    Args:
        path: the model.
        logits: leave the softmax out that the model ends in.

    Raises:
        ModelError: it cannot be loaded, is no image classifier, or has no softmax to leave out.
    """
    if not path.exists():
        raise ModelError(f"{path}: there is no such model; expected a .keras file or a SavedModel.")
    if is_bundle(path):
        raise ModelError(
            f"{path}: this is a bundle of a converted model; give the .keras file or the "
            "SavedModel that it was converted from."
        )
    if path.is_dir() and not (path / "saved_model.pb").is_file():
        raise ModelError(f"{path}: this folder is no SavedModel; it has no saved_model.pb.")
    if path.is_dir() and logits:
        raise ModelError(
            f"{path}: a SavedModel's softmax cannot be left out; convert the .keras file for that."
        )
    is_keras = path.is_file() and path.suffix == ".keras" and zipfile.is_zipfile(path)
    if not path.is_dir() and not is_keras:
        raise ModelError(f"{path}: this is no .keras file; save the model in Keras' own format.")
    try:
        with native_messages_silenced():
            source = _open_saved_model(path) if path.is_dir() else _open_keras(path, logits)
    except ModelError as error:
        if str(path) in str(error):
            raise
        raise ModelError(f"{path}: {error}") from error
    except Exception as error:
        # Keras and TensorFlow raise whatever the file's content led to.
        raise ModelError(f"{path}: the model cannot be loaded: {_one_line(error)}") from error
    _refuse_other_tasks(source)
    return source


def _open_keras(path: Path, logits: bool) -> SourceModel:
    model = keras.saving.load_model(path, compile=False, safe_mode=True)
    if logits:
        model = without_softmax(model)
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ModelError(
            f"{path}: expected one input and one output, got {len(model.inputs)} and "
            f"{len(model.outputs)}."
        )
    output_shape = model.output_shape

    def make_converter(shape: tuple[int, ...]) -> Any:
        # A batch left open would keep SHAPE, STRIDED_SLICE and PACK in the graph. Names that count
        # up from model to model would end up in the file, and make two conversions differ.
        keras.utils.clear_session()
        image = keras.Input(batch_shape=shape, dtype="float32", name="image")
        if model.inputs[0].dtype == "float32":
            static = keras.Model(image, model(image), name="classifier")
        else:  # the same layers on floats, since a cast in front has no integer form
            static = keras.models.clone_model(model, input_tensors=image)
            static.set_weights(model.get_weights())
        return tf.lite.TFLiteConverter.from_keras_model(static)

    def outputs(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(model(pixels.astype(model.inputs[0].dtype), training=False))

    classes = output_shape[-1] if len(output_shape) == 2 else 0
    return SourceModel(path, tuple(model.input_shape[1:]), classes or 0, make_converter, outputs)


def _open_saved_model(path: Path) -> SourceModel:
    loaded = tf.saved_model.load(str(path))
    if "serving_default" not in loaded.signatures:
        raise ModelError(
            f"{path}: the SavedModel has no signature 'serving_default'; it has "
            f"{', '.join(loaded.signatures) or 'none'}."
        )
    signature = loaded.signatures["serving_default"]
    inputs = signature.structured_input_signature[1]
    if len(inputs) != 1 or len(signature.structured_outputs) != 1:
        raise ModelError(
            f"{path}: expected one input and one output, got {len(inputs)} and "
            f"{len(signature.structured_outputs)}."
        )
    ((name, spec),) = inputs.items()
    if spec.dtype != tf.float32:
        raise ModelError(
            f"{path}: the SavedModel takes {spec.dtype.name}; export it with a float32 input, or "
            "convert the .keras file."
        )
    ((output_name, output),) = signature.structured_outputs.items()

    def make_converter(shape: tuple[int, ...]) -> Any:
        static = tf.function(lambda image: signature(**{name: image})[output_name])
        concrete = static.get_concrete_function(tf.TensorSpec(shape, spec.dtype))
        return tf.lite.TFLiteConverter.from_concrete_functions([concrete], loaded)

    def outputs(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        batch = shape[0] or len(pixels)
        filled = np.resize(pixels, (-(-len(pixels) // batch) * batch, *pixels.shape[1:]))
        parts = [
            np.asarray(signature(**{name: tf.constant(part)})[output_name])
            for part in filled.reshape(-1, batch, *pixels.shape[1:])
        ]
        return np.concatenate(parts)[: len(pixels)]

    shape = tuple(spec.shape.as_list()) if spec.shape.rank is not None else ()
    classes = output.shape[-1] if output.shape.rank == 2 else 0
    return SourceModel(path, shape[1:], classes or 0, make_converter, outputs)


def _refuse_other_tasks(source: SourceModel) -> None:
    shape = source.input_shape
    if len(shape) != 2 and not (len(shape) == 3 and shape[2] in (1, 3)):
        raise ModelError(
            f"{source.path}: the model's input is not an image: expected (height, width, 1 or 3), "
            f"got {shape}."
        )
    if source.class_count < 2:
        raise ModelError(
            f"{source.path}: expected an output of two classes or more, one number for each; got "
            f"{source.class_count or 'another shape'}."
        )


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
        ConversionError: the images are missing or do not fit, or TensorFlow cannot convert it.
    """
    if recipe.calibrated and calibration is None:
        raise ConversionError(
            f"{recipe.name} needs images to calibrate on; give a --dataset to take them from."
        )
    shape = source.static_shape(image_shape, batch=batch)
    try:
        with _converter_messages_silenced():
            converter = source.make_converter(shape)
            _configure(converter, recipe, io_type)
            if recipe.calibrated and calibration is not None:
                converter.representative_dataset = lambda: _feed(calibration, shape)
            data: bytes = converter.convert()
    except Exception as error:
        # The converter raises several private classes, and plain Exception.
        raise ConversionError(
            f"{source.path}: TensorFlow cannot convert this model to {recipe.name}: "
            f"{_one_line(error)}"
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


def _feed(images: NDArray[np.uint8], shape: tuple[int, ...]) -> Iterator[list[NDArray[np.float32]]]:
    # Whole batches: the last one is filled up with images from the front.
    wanted = -(-len(images) // shape[0]) * shape[0]
    for batch in np.resize(images, (wanted, *images.shape[1:])).reshape(-1, *shape):
        yield [batch.astype(np.float32)]


@contextlib.contextmanager
def _converter_messages_silenced() -> Iterator[None]:
    with (
        native_messages_silenced(),
        contextlib.redirect_stdout(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
