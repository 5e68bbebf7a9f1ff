"""What predictions say besides their probabilities: about which images, and what made them."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.datasets import Dataset, Split, image_hashes
from edge_runtime.data.images import Preprocessing
from edge_runtime.data.predictions import Predictions
from edge_runtime.inference.classifier import Classifier
from edge_runtime.runtimes.machine import machine_details

SplitName = Literal["test", "train"]


def chosen_split(dataset: Dataset, split: SplitName) -> Split:
    """Return the test or the training images."""
    return dataset.train if split == "train" else dataset.test


def make_predictions(
    probabilities: NDArray[np.float32],
    dataset: Dataset,
    split: SplitName,
    details: Mapping[str, Any],
) -> Predictions:
    """Return (N, K) probabilities with the labels and the hashes of the images they are about."""
    images = chosen_split(dataset, split)
    return Predictions(
        probabilities,
        images.labels,
        images.image_sha256(),
        dataset.class_names,
        details,
        image_hashes(images.images),
    )


def prediction_details(
    dataset: Dataset,
    split: SplitName,
    *,
    model: str,
    model_sha256: str,
    size_bytes: int,
    scheme: str,
    backend: str,
    backend_version: str,
    kernels: str,
    threads: int | None,
    preprocessing: Preprocessing,
    latency_us: Mapping[str, float] | None = None,
    memory_bytes: int | None = None,
    source_sha256: str | None = None,
) -> dict[str, Any]:
    """Return the `details` of predictions: the same keys whoever makes them, fit for JSON.

    Args:
        dataset: where the images are from; its name and fingerprint are taken.
        split: "test" or "train".
        model: what to call the model in reports.
        model_sha256: hash of its file.
        size_bytes: of its file.
        scheme: "float32", "int8" and so on, "keras" for a full model.
        backend: the package that ran it.
        backend_version: of that package.
        kernels: what ran the operators, in words: "XNNPACK, 7 of 8 operators", "built-in".
        threads: how many threads it was given; None when the backend chose for itself.
        preprocessing: how a picture becomes the model's input.
        latency_us: median, p10 and p90 of one image in microseconds, and n; None where images did
            not go one by one.
        memory_bytes: how much the process grew at most while the model was loaded and run; None
            where that was not measured.
        source_sha256: hash of the full model that it was converted from; None where that is not
            known, and for a full model.

    Returns:
        These, and what `machine_details` names.
    """
    return {
        "model": model,
        "model_sha256": model_sha256,
        "source_sha256": source_sha256,
        "size_bytes": size_bytes,
        "scheme": scheme,
        "dataset": dataset.name,
        "dataset_fingerprint": dataset.fingerprint,
        "split": split,
        "backend": backend,
        "backend_version": backend_version,
        "kernels": kernels,
        "threads": threads,
        "preprocessing": preprocessing.to_dict(),
        "latency_us": None if latency_us is None else dict(latency_us),
        "memory_bytes": memory_bytes,
        **machine_details(),
    }


def latency_of(latencies_us: NDArray[np.float64]) -> dict[str, float]:
    """Return the median, p10, p90 and n of the latencies of single images, in microseconds."""
    low, median, high = (float(value) for value in np.percentile(latencies_us, [10, 50, 90]))
    return {"median": median, "p10": low, "p90": high, "n": len(latencies_us)}


def kernels_in_words(classifier: Classifier) -> str:
    """Return what really ran: the runtime may have left XNNPACK out where it was allowed."""
    if classifier.kernels == "reference":
        return "reference"
    delegation = classifier.delegation()
    if delegation.inside_xnnpack == 0:
        return "built-in"
    return f"XNNPACK, {delegation.inside_xnnpack} of {delegation.operator_count} operators"
