"""Run a classifier over the test images of a dataset, and time it on the way."""

import time
from collections.abc import Callable

import numpy as np

from edge_runtime.classifier import Classifier
from edge_runtime.datasets import Dataset, image_hashes
from edge_runtime.errors import DatasetError
from edge_runtime.predictions import Predictions, machine_details


def evaluate(
    classifier: Classifier,
    dataset: Dataset,
    *,
    model: str,
    progress: Callable[[int], None] = lambda done: None,
) -> Predictions:
    """Return what a classifier says about the test images.

    The images go through one after the other, as they would on a device, so that the latency of
    each can be measured: from (H, W, C) uint8 pixels to probabilities.

    Args:
        classifier: the model.
        dataset: its test split is used.
        model: what to call the model in reports.
        progress: called with the number of images done since the last call.

    Raises:
        DatasetError: the images have another size, or the classes are others.
    """
    images = dataset.test.images
    _refuse_misfit(classifier, dataset)
    probabilities = np.empty((len(images), dataset.class_count), np.float32)
    seconds = np.empty(len(images))
    for index in range(len(images)):
        start = time.perf_counter()
        probabilities[index] = classifier.predict(images[index : index + 1])[0]
        seconds[index] = time.perf_counter() - start
        progress(1)
    low, median, high = np.percentile(seconds * 1e6, [10, 50, 90])
    summary = classifier.summary
    return Predictions(
        probabilities,
        dataset.test.labels,
        image_hashes(images),
        dataset.class_names,
        {
            "model": model,
            "model_sha256": summary.sha256,
            "size_bytes": summary.size_bytes,
            "scheme": summary.scheme,
            "dataset": dataset.name,
            "dataset_fingerprint": dataset.fingerprint,
            "backend": classifier.backend.package,
            "backend_version": classifier.backend.version,
            "threads": classifier.threads,
            "latency_us": {"median": median, "p10": low, "p90": high, "n": len(images)},
            **machine_details(),
        },
    )


def _refuse_misfit(classifier: Classifier, dataset: Dataset) -> None:
    if dataset.image_shape != classifier.preprocessing.shape:
        raise DatasetError(
            f"{classifier.name} takes images of {classifier.preprocessing.shape}, the dataset "
            f"'{dataset.name}' has {dataset.image_shape}; use the dataset that it was made for."
        )
    if len(classifier.class_names) != dataset.class_count:
        raise DatasetError(
            f"{classifier.name} knows {len(classifier.class_names)} classes, the dataset "
            f"'{dataset.name}' has {dataset.class_count}; use the dataset that it was made for."
        )
    numbered = tuple(str(index) for index in range(dataset.class_count))
    if classifier.class_names not in (dataset.class_names, numbered):
        raise DatasetError(
            f"{classifier.name} knows the classes {', '.join(classifier.class_names[:5])}…, the "
            f"dataset '{dataset.name}' has {', '.join(dataset.class_names[:5])}…, in this order; "
            "use the dataset that it was made for."
        )
