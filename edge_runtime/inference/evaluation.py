"""Run a model over the images of a dataset, and say what ran it: how predictions are made."""

import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.datasets import Dataset, GivenDataset, given_dataset
from edge_runtime.data.predictions import Predictions
from edge_runtime.errors import DatasetError, ModelError, extra_missing
from edge_runtime.inference.careful import careful_classifier
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.details import (
    SplitName,
    chosen_split,
    kernels_in_words,
    latency_of,
    make_predictions,
    prediction_details,
)
from edge_runtime.inference.given import checked_model
from edge_runtime.inference.memory import model_memory
from edge_runtime.models.full_model import is_keras_model, is_saved_model, saved_keras_model
from edge_runtime.models.model_file import model_stem
from edge_runtime.runtimes.backends import Backend, Kernels, choose_backend
from edge_runtime.runtimes.native import native_messages_silenced

Progress = Callable[[int], None]

# So many images go into the process of a confined model at once, and progress is told in between.
_PART = 100

# Other kinds of models are entry points of this group: a suffix without its dot, and a function
# (path, dataset, *, split, name, progress) to Predictions.
_ENTRY_POINTS = "fmnist_edge.predictors"


def predict(
    model: Any,
    dataset: GivenDataset,
    *,
    split: SplitName = "test",
    backend: Backend | str | None = None,
    threads: int = 1,
    kernels: Kernels = "auto",
    name: str | None = None,
    progress: Progress = lambda done: None,
) -> Predictions:
    """Return what a model predicts for the images of a dataset.

    A .tflite without a manifest runs in a forked process under limits, unless this program has
    several threads, or is not on Linux.

    Args:
        model: the path of a .tflite file, of a bundle (.edge.zip), or of what needs TensorFlow: a
            .keras file or a SavedModel's folder; or the bytes of a .tflite, what
            `converter.convert` returned, or a `keras.Model`.
        dataset: the images, their labels and the class names, or their source, as in "sample".
        split: "test" or "train".
        backend: what runs .tflite files, or its name; by default LiteRT, else tflite-runtime. A
            full model always runs in TensorFlow, which chooses its own threads and kernels.
        threads: threads of the interpreter.
        kernels: which of the runtime's kernels, as in `Backend.load`.
        name: what to call the model in reports; by default the file's name without its suffix.
        progress: called with the number of images done since the last call.

    Raises:
        ModelError: the file is missing, damaged, or is no image classifier; or the runtime fails on
            an image, or exceeds its limits.
        DatasetError: there is no such dataset, or it does not fit the model.
        MissingDependencyError: what runs such a model is not installed.

    Examples:
        >>> predictions = predict("int8.tflite", "sample")
        >>> predictions.probabilities.shape, predictions.probabilities.dtype
        ((1000, 10), dtype('float32'))
        >>> predictions.class_names[predictions.answers[0]]
        'Bag'
    """
    images = given_dataset(dataset, needs=(split,))
    if is_keras_model(model):
        with saved_keras_model(model) as path:
            return predict(path, images, split=split, name=name, progress=progress)
    if isinstance(model, str | Path):
        path = Path(model)
        predictor, name = _predictor(path), name or model_stem(path)
        if predictor is not None:
            return predictor(path, images, split=split, name=name, progress=progress)
    chosen = choose_backend(backend)
    file = checked_model(model, backend=chosen, kernels=kernels)
    with careful_classifier(file, backend=chosen, threads=threads, kernels=kernels) as classifier:
        predictions = evaluate(
            classifier, images, model=name or file.name, progress=progress, split=split
        )
    memory = model_memory(file.data, backend=chosen.name, threads=threads, kernels=kernels)
    source = file.manifest.source_sha256 if file.manifest else None
    return predictions.with_details(memory_bytes=memory, source_sha256=source)


predict_file = predict  # its name before 0.6


def evaluate(
    classifier: Classifier,
    dataset: Dataset,
    *,
    model: str,
    progress: Progress = lambda done: None,
    split: SplitName = "test",
) -> Predictions:
    """Return what a classifier says about the images of a dataset.

    The images go through one after the other, as they would on a device, so that the latency of
    each can be measured: from (H, W, C) uint8 pixels to probabilities. ``model`` is what to call
    it in reports; the other arguments are those of `predict`.

    Raises:
        DatasetError: the images have another size, or the classes are others.
    """
    refuse_misfit(classifier.name, classifier.preprocessing.shape, classifier.class_names, dataset)
    images = chosen_split(dataset, split).images
    probabilities = np.empty((len(images), dataset.class_count), np.float32)
    seconds = np.empty(len(images))
    for start in range(0, len(images), _PART):
        part = slice(start, min(start + _PART, len(images)))
        probabilities[part], seconds[part] = _predict_part(classifier, images, part)
        progress(part.stop - part.start)
    summary = classifier.summary
    details = prediction_details(
        dataset,
        split,
        model=model,
        model_sha256=summary.sha256,
        size_bytes=summary.size_bytes,
        scheme=summary.scheme,
        backend=classifier.backend.package,
        backend_version=classifier.backend.version,
        kernels=kernels_in_words(classifier),
        threads=classifier.threads,
        preprocessing=classifier.preprocessing,
        latency_us=latency_of(seconds * 1e6),
    )
    return make_predictions(probabilities, dataset, split, details)


def _predict_part(
    classifier: Classifier, images: NDArray[np.uint8], part: slice
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Predict some of the images; where that fails, find out on which of them."""
    try:
        return classifier.predict_each(images[part])
    except ModelError:
        for index in range(part.start, part.stop):
            try:
                classifier.predict_each(images[index : index + 1])
            except ModelError as error:
                raise ModelError(
                    f"{str(error).removesuffix('.')}. It is image {index + 1:,} of "
                    f"{len(images):,}; predictions need all of them, so none were made."
                ) from error
        raise


def _predictor(path: Path) -> Callable[..., Predictions] | None:
    """Return what predicts with files of another kind, by their suffix; None for .tflite."""
    kind = "keras" if is_saved_model(path) else path.suffix.removeprefix(".").lower()
    for point in importlib.metadata.entry_points(group=_ENTRY_POINTS, name=kind):
        if not path.exists():
            # Said here, since the import takes seconds.
            raise ModelError(f"{path}: there is no such model file; expected a .{kind} file.")
        try:
            with native_messages_silenced():
                predictor: Callable[..., Predictions] = point.load()
        except ImportError as error:
            raise extra_missing(f"{path}: a .{kind} model", error) from error
        return predictor
    return None


def refuse_misfit(
    name: str, shape: tuple[int, int, int], class_names: tuple[str, ...], dataset: Dataset
) -> None:
    """Raise DatasetError unless a model takes a dataset's images and knows its classes.

    Args:
        name: of the model.
        shape: (H, W, C) of its input.
        class_names: what it knows; "0", "1" and so on where no names are recorded.
        dataset: the images and the class names.
    """
    numbered = tuple(str(index) for index in range(dataset.class_count))
    if dataset.image_shape != shape:
        wants, has = f"takes images of {shape}", f"{dataset.image_shape}"
    elif len(class_names) != dataset.class_count:
        wants, has = f"knows {len(class_names)} classes", f"{dataset.class_count}"
    elif class_names not in (dataset.class_names, numbered):
        wants = f"knows the classes {', '.join(class_names[:5])}…"
        has = f"{', '.join(dataset.class_names[:5])}…, in this order"
    else:
        return
    raise DatasetError(
        f"{name} {wants}, the dataset '{dataset.name}' has {has}; use the dataset that it was made "
        "for."
    )
