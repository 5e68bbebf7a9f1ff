"""What a full Keras model says about a dataset, to compare converted models with."""

from pathlib import Path
from typing import Any

import tensorflow as tf

from edge_runtime.data.datasets import Dataset
from edge_runtime.data.predictions import Predictions
from edge_runtime.errors import ModelError, one_line
from edge_runtime.inference.details import (
    SplitName,
    chosen_split,
    make_predictions,
    prediction_details,
)
from edge_runtime.inference.evaluation import Progress
from edge_runtime.inference.memory import memory_growth
from edge_runtime.models.full_model import full_model_size, hash_full_model, is_saved_model
from trainer.architectures import load_keras, refuse_misfit
from trainer.training import probabilities


def predict_keras(
    path: Path,
    dataset: Dataset,
    *,
    split: SplitName,
    name: str,
    progress: Progress,
) -> Predictions:
    """Return what a `.keras` file or a SavedModel says; `predict_file` finds this by its kind.

    Raises:
        ModelError: the file cannot be loaded, or does not fit the dataset.
    """
    with memory_growth() as growth:
        model = SavedModel(path) if is_saved_model(path) else load_keras(path)
        refuse_misfit(model, dataset, path)
        predictions = predict(
            model,
            dataset,
            split=split,
            name=name,
            model_sha256=hash_full_model(path),
            size_bytes=full_model_size(path),
        )
    progress(len(predictions))
    return predictions.with_details(memory_bytes=growth.peak_bytes)


def predict(
    model: Any,
    dataset: Dataset,
    *,
    split: SplitName,
    name: str,
    model_sha256: str,
    size_bytes: int,
) -> Predictions:
    """Return what a loaded Keras model says about the images of a dataset.

    Images go through in batches, so there is no latency of one image. Logits get a softmax.

    Args:
        model: takes the dataset's images.
        dataset: the images, their labels and the class names.
        split: "test" or "train".
        name: what to call the model in reports.
        model_sha256: hash of its `.keras` file, or of its SavedModel.
        size_bytes: of that.
    """
    details = prediction_details(
        dataset,
        split,
        model=name,
        model_sha256=model_sha256,
        size_bytes=size_bytes,
        scheme="keras",
        backend="tensorflow",
        backend_version=tf.__version__,
        kernels="TensorFlow",
        threads=tf.config.threading.get_intra_op_parallelism_threads() or None,
        preprocessing=dataset.preprocessing,
    )
    answers = probabilities(model, chosen_split(dataset, split).images)
    return make_predictions(answers, dataset, split, details)


class SavedModel:
    """An image classifier in a SavedModel, by its signature `serving_default`.

    Attributes:
        input_shape: (batch, height, width, channels), or without channels; None where it is open.
        output_shape: (batch, classes).
        inputs: the only input.
        outputs: the only output.
    """

    def __init__(self, path: Path) -> None:
        """Load it, or raise ModelError: it cannot be loaded, or lacks that signature."""
        try:
            self._loaded = tf.saved_model.load(str(path))
            signature = self._loaded.signatures["serving_default"]
        except Exception as error:
            # TensorFlow raises whatever the folder's content led to; there is no common class.
            raise ModelError(
                f"{path}: TensorFlow cannot load this model: {one_line(error)}"
            ) from error
        self._signature = signature
        self.inputs = list(signature.structured_input_signature[1].items())
        self.outputs = list(signature.structured_outputs.items())
        self.input_shape = _shape(self.inputs[0][1]) if self.inputs else ()
        self.output_shape = _shape(self.outputs[0][1]) if self.outputs else ()

    def __call__(self, images: Any, *, training: bool = False) -> Any:
        """Return (B, K) numbers for (B, ...) images; a graph of a fixed batch takes them in turns.

        ``training`` is there as Keras models have it; a SavedModel only answers.
        """
        (name, spec), (output, _) = self.inputs[0], self.outputs[0]
        pixels = tf.cast(images, spec.dtype)
        count = len(pixels)
        fixed = self.input_shape[0] or count
        missing = -count % fixed
        filled = tf.concat([pixels, tf.zeros((missing, *pixels.shape[1:]), spec.dtype)], axis=0)
        parts = [
            self._signature(**{name: filled[start : start + fixed]})[output]
            for start in range(0, count + missing, fixed)
        ]
        return tf.concat(parts, axis=0)[:count]


def _shape(spec: Any) -> tuple[int | None, ...]:
    return tuple(spec.shape.as_list()) if spec.shape.rank is not None else ()
