"""A model to convert, whatever it came as: a Keras model, a `.keras` file or a SavedModel."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edge_runtime.errors import ConversionError, ModelError, one_line
from edge_runtime.files.reading import sha256
from edge_runtime.models.full_model import hash_full_model, keras_bytes
from edge_runtime.models.model_file import is_bundle
from edge_runtime.runtimes.native import native_messages_silenced

_Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class SourceModel:
    """A model to convert.

    Attributes:
        name: what to call it in messages: its path, or the name that Keras knows it by.
        file: what its file is called, or would be.
        sha256: hash of that file, or of a SavedModel's folder.
        input_shape: of one image, as the model has it: (H, W, C) or (H, W); None where it is open.
        class_count: the size of its output.
        make_converter: from (B, H, W[, C]) to a converter with that static batch.
        outputs: from (N, H, W[, C]) float32 pixels to the (N, K) numbers that it answers.
    """

    name: str
    file: str
    sha256: str
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
                    f"{self.name}: the model's input is {wanted}, the images of the dataset are "
                    f"{image_shape}; choose images that fit."
                )
            return (batch, *given)
        if None in wanted:
            raise ConversionError(
                f"{self.name}: the model's input {wanted} is open; give a dataset with images of "
                "the size that it shall have."
            )
        return (batch, *(side for side in wanted if side is not None))


def open_source(model: Any, *, logits: bool = False) -> SourceModel:
    """Open a model that classifies images.

    Args:
        model: a `keras.Model`, or the path of a `.keras` file or of a SavedModel's folder.
        logits: leave the softmax out that the model ends in.

    Raises:
        ModelError: it cannot be loaded, is no image classifier, or has no softmax to leave out.
    """
    path = Path(model) if isinstance(model, str | Path) else None
    name = str(path) if path else f"the model '{getattr(model, 'name', type(model).__name__)}'"
    if path:
        _refuse_other_files(path, logits)
    elif not isinstance(model, keras.Model):
        raise ModelError(
            "Expected a keras.Model, a .keras file or a SavedModel's folder, got "
            f"{type(model).__name__}."
        )
    try:
        with native_messages_silenced():
            if path and path.is_dir():
                source = _open_saved_model(path)
            else:
                source = _open_keras(model, path, name, logits)
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from error
    except Exception as error:
        # Keras and TensorFlow raise whatever the file's content led to.
        raise ModelError(f"{name}: the model cannot be loaded: {one_line(error)}") from error
    _refuse_other_tasks(source)
    return source


def _refuse_other_files(path: Path, logits: bool) -> None:
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
    if path.is_file() and not (path.suffix == ".keras" and zipfile.is_zipfile(path)):
        raise ModelError(f"{path}: this is no .keras file; save the model in Keras' own format.")


def _open_keras(given: Any, path: Path | None, name: str, logits: bool) -> SourceModel:
    if path:
        given = keras.saving.load_model(path, compile=False, safe_mode=True)
    model = without_softmax(given) if logits else given
    _refuse_several(len(model.inputs), len(model.outputs))

    def make_converter(shape: tuple[int, ...]) -> Any:
        # A batch left open would keep SHAPE, STRIDED_SLICE and PACK in the graph. Names that count
        # up from model to model would end up in the file, and make two conversions differ.
        image = keras.Input(batch_shape=shape, dtype="float32", name="image")
        if model.inputs[0].dtype == "float32":
            static = keras.Model(image, model(image), name="classifier")
        else:  # the same layers on floats, since a cast in front has no integer form
            static = keras.models.clone_model(model, input_tensors=image)
            static.set_weights(model.get_weights())
        return tf.lite.TFLiteConverter.from_keras_model(static)

    def outputs(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(model(pixels.astype(model.inputs[0].dtype), training=False))

    return SourceModel(
        name,
        path.name if path else f"{given.name}.keras",
        hash_full_model(path) if path else sha256(keras_bytes(given)),
        tuple(model.input_shape[1:]),
        _class_count(model.output_shape),
        make_converter,
        outputs,
    )


def _open_saved_model(path: Path) -> SourceModel:
    loaded = tf.saved_model.load(str(path))
    if "serving_default" not in loaded.signatures:
        raise ModelError(
            "the SavedModel has no signature 'serving_default'; it has "
            f"{', '.join(loaded.signatures) or 'none'}."
        )
    signature = loaded.signatures["serving_default"]
    inputs = signature.structured_input_signature[1]
    _refuse_several(len(inputs), len(signature.structured_outputs))
    ((name, spec),) = inputs.items()
    if spec.dtype != tf.float32:
        raise ModelError(
            f"the SavedModel takes {spec.dtype.name}; export it with a float32 input, or convert "
            "the .keras file."
        )
    ((output_name, output),) = signature.structured_outputs.items()
    shape, output_shape = (
        tuple(item.shape.as_list()) if item.shape.rank is not None else ()
        for item in (spec, output)
    )

    def make_converter(static_shape: tuple[int, ...]) -> Any:
        static = tf.function(lambda image: signature(**{name: image})[output_name])
        concrete = static.get_concrete_function(tf.TensorSpec(static_shape, spec.dtype))
        return tf.lite.TFLiteConverter.from_concrete_functions([concrete], loaded)

    def outputs(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        parts = [
            np.asarray(signature(**{name: tf.constant(part)})[output_name])
            for part in whole_batches(pixels, shape[0] or len(pixels))
        ]
        return np.concatenate(parts)[: len(pixels)]

    return SourceModel(
        str(path),
        path.name,
        hash_full_model(path),
        shape[1:],
        _class_count(output_shape),
        make_converter,
        outputs,
    )


def whole_batches(images: NDArray[Any], size: int) -> NDArray[Any]:
    """Return (N, ...) images as (B, size, ...), the last batch filled up from the front."""
    wanted = -(-len(images) // size) * size
    return np.resize(images, (wanted, *images.shape[1:])).reshape(-1, size, *images.shape[1:])


def _class_count(output_shape: _Shape) -> int:
    return (output_shape[1] or 0) if len(output_shape) == 2 else 0


def _refuse_several(inputs: int, outputs: int) -> None:
    if inputs != 1 or outputs != 1:
        raise ModelError(f"expected one input and one output, got {inputs} and {outputs}.")


def _refuse_other_tasks(source: SourceModel) -> None:
    shape = source.input_shape
    if len(shape) != 2 and not (len(shape) == 3 and shape[2] in (1, 3)):
        raise ModelError(
            f"{source.name}: the model's input is not an image: expected (height, width, 1 or 3), "
            f"got {shape}."
        )
    if source.class_count < 2:
        raise ModelError(
            f"{source.name}: expected an output of two classes or more, one number for each; got "
            f"{source.class_count or 'another shape'}."
        )


def without_softmax(model: Any) -> Any:
    """Return a model with the same weights that answers with what went into its last softmax.

    Raises:
        ModelError: its last layer is no softmax, and has none for its activation.
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
