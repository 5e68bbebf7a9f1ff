"""What a full Keras model says about a dataset, to compare converted models with."""

from pathlib import Path
from typing import Any

import tensorflow as tf

from edge_runtime.data.datasets import Dataset
from edge_runtime.data.predictions import Predictions
from edge_runtime.inference.details import (
    SplitName,
    chosen_split,
    make_predictions,
    prediction_details,
)
from edge_runtime.inference.evaluation import Progress
from edge_runtime.inference.memory import memory_growth
from edge_runtime.models.full_model import full_model_size, hash_full_model, is_saved_model
from trainer.architectures import load_classifier, refuse_misfit
from trainer.saved_model import SavedModel
from trainer.training import probabilities

_SCHEME = "keras"


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
        model = _load(path, dataset)
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


def _load(path: Path, dataset: Dataset) -> Any:
    if not is_saved_model(path):
        return load_classifier(path, dataset)
    model = SavedModel(path)
    refuse_misfit(model, dataset, path)
    return model


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

    Images go through in batches, so there is no latency of one image.

    Args:
        model: takes the dataset's images; logits get a softmax.
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
        scheme=_SCHEME,
        backend="tensorflow",
        backend_version=tf.__version__,
        kernels="TensorFlow",
        threads=tf.config.threading.get_intra_op_parallelism_threads() or None,
        preprocessing=dataset.preprocessing,
    )
    answers = probabilities(model, chosen_split(dataset, split).images)
    return make_predictions(answers, dataset, split, details)
