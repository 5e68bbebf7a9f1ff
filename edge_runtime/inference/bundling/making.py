"""From a model and its dataset to the bytes of a bundle."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.datasets import Dataset, GivenDataset, given_dataset
from edge_runtime.data.predictions import Predictions, aligned
from edge_runtime.errors import BundleError, ModelError
from edge_runtime.files.reading import sha256
from edge_runtime.inference.bundling.card import model_card
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.evaluation import evaluate, refuse_misfit
from edge_runtime.inference.given import GivenModel, checked_model
from edge_runtime.inference.loading.probe import probe
from edge_runtime.inference.loading.scores import ending_at_scores
from edge_runtime.inference.loading.selftest import run_selftest
from edge_runtime.models.bundle.archive import pack
from edge_runtime.models.bundle.contents import (
    Bundle,
    describe_members,
    manifest_bytes,
    read_bundle,
)
from edge_runtime.models.bundle.document import LARGEST_VERSION, SCHEMA_VERSION
from edge_runtime.models.bundle.golden import MOST, MOST_IMAGE_BYTES, Golden, choose_golden_rows
from edge_runtime.models.bundle.members import CARD, GOLDEN, MANIFEST, MODEL
from edge_runtime.models.bundle.tolerance import measured_tolerances
from edge_runtime.models.inspection import ModelSummary, runtime_support
from edge_runtime.models.manifest import Manifest
from edge_runtime.models.model_file import ModelFile
from edge_runtime.proof.health import measure_health
from edge_runtime.proof.metrics import Rate
from edge_runtime.proof.report.rendering import refuse_missing_jinja
from edge_runtime.runtimes.backends import Backend, Kernels, choose_backend
from edge_runtime.runtimes.machine import machine_details

# Golden images are chosen among so many training images at most, spread evenly over all.
_MOST_CANDIDATES = 2000
# Of each runtime the oldest release that the limits in edge_runtime.models.inspection were measured
# for, or that has the same operators.
_OLDEST = {"ai-edge-litert": "2.0", "tflite-runtime 2.14.0": "2.14.0"}


def bundle(
    model: GivenModel,
    dataset: GivenDataset,
    *,
    version: int = 1,
    backend: Backend | str | None = None,
    full: Predictions | None = None,
    training: Mapping[str, Any] | None = None,
) -> Bundle:
    """Return a bundle; the same arguments on the same machine give the same bytes.

    Args:
        model: the path or the bytes of a .tflite; without a manifest the class names and the
            preprocessing are the dataset's.
        dataset: the golden images are training images of it, and the accuracy is measured on its
            test images.
        version: of the bundle, from 1 on.
        backend: what runs the model here, or its name.
        full: what the full model says about the same test images, to state the agreement.
        training: how the full model was trained, for the model card.

    Raises:
        ModelError: the model is damaged, is no image classifier, or cannot be run.
        DatasetError: there is no such dataset, or it does not fit the model.
        BundleError: the version is none, or the model does not reproduce its own golden vectors.
        MissingDependencyError: the backend or Jinja2 is not installed.

    Examples:
        >>> made = bundle("int8.tflite", "sample", version=3)
        >>> made.version, len(made.golden)
        (3, 32)
        >>> made.save("shoes.edge.zip")
    """
    if not 1 <= version <= LARGEST_VERSION:
        raise BundleError(
            f"Expected the version to be a whole number from 1 on, got {version}; "
            f"{LARGEST_VERSION:,} is the largest."
        )
    refuse_missing_jinja()
    chosen, images = choose_backend(backend), given_dataset(dataset)
    file = checked_model(model, backend=chosen)
    manifest = file.manifest or _manifest_of(file, images, chosen)
    named = replace(file, manifest=manifest, bundle=None)
    with Classifier(named, backend=chosen) as classifier:
        predictions = evaluate(classifier, images, model="model")
        golden_images = _choose_images(classifier, images)
    golden, golden_document = _golden_vectors(named, *golden_images, chosen)
    document = {
        **manifest.to_dict(),
        "minimum_runtime": minimum_runtimes(classifier.summary),
        "dataset": {"name": images.name, "fingerprint": images.fingerprint},
        "metrics": _metrics(predictions, full),
        "golden": golden_document,
    }
    card = model_card(document, classifier.summary, version=version, training=training or {})
    members = {MODEL: file.data, GOLDEN: golden.to_npz(), CARD: card.encode()}
    bundled = {"version": version, "members": describe_members(members)}
    document["bundle"] = {"schema_version": SCHEMA_VERSION, **bundled}
    # What a device would refuse is not made.
    return read_bundle(pack({MANIFEST: manifest_bytes(document), **members}))


def _manifest_of(model: ModelFile, dataset: Dataset, backend: Backend) -> Manifest:
    with Classifier(model, backend=backend) as classifier:
        shape, names = classifier.preprocessing.shape, classifier.class_names
        output = classifier.output
    refuse_misfit(model.name, shape, names, dataset)
    return Manifest(sha256(model.data), dataset.class_names, dataset.preprocessing, output)


def _choose_images(
    classifier: Classifier, dataset: Dataset
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    count = len(dataset.train)
    rows = np.unique(np.linspace(0, count - 1, min(count, _MOST_CANDIDATES)).astype(np.intp))
    candidates = dataset.train.take(rows)
    most = max(1, min(MOST, MOST_IMAGE_BYTES // candidates.images[0].size))
    probabilities = classifier.predict(candidates.images)
    chosen = choose_golden_rows(probabilities, candidates.labels, most=most)
    return candidates.images[chosen], candidates.labels[chosen]


def _golden_vectors(
    model: ModelFile, images: NDArray[np.uint8], labels: NDArray[np.int64], backend: Backend
) -> tuple[Golden, dict[str, Any]]:
    """Return vectors that the model reproduces here, and what the manifest says of them."""
    kernels, ending = golden_kernels(model, backend), ending_at_scores(model)

    def numbers(of: ModelFile, by: Kernels) -> NDArray[Any]:
        with Classifier(of, backend=backend, kernels=by) as classifier:
            return classifier.raw_outputs(images)

    golden = Golden(images, labels, numbers(ending, kernels), numbers(model, kernels))
    allowed = measured_tolerances(
        golden.scores,
        built_in=numbers(ending, "built-in"),
        auto=numbers(ending, "auto"),
        kernels=kernels,
    )
    tested = run_selftest(model, golden, allowed, backend=backend)
    if not tested.ok:
        raise BundleError(f"{model.name}: {tested.in_words}; this model is not computed reliably.")
    machine = machine_details()
    return golden, {
        "count": len(golden),
        "images_from": "training images",
        "chosen": "each class, then the smallest margins between the two best classes",
        "made_with": {
            "runtime": f"{backend.package} {backend.version}",
            **{key: machine[key] for key in ("machine", "python", "numpy")},
            "kernels": kernels,
        },
        "tolerances": [tolerance.to_dict() for tolerance in allowed],
    }


def golden_kernels(model: ModelFile, backend: Backend) -> Kernels:
    """Return the kernels to make golden numbers with: the reference kernels where they can run it.

    A runtime's reference kernels lack versions and types that its other kernels have: LiteRT's
    know no ELU. Then the built-in ones are taken. Each is tried in a process of its own.

    Raises:
        ModelError: neither can run the model.
    """
    try:
        probe(model, backend=backend.name, kernels="reference", finite=False)
    except ModelError:
        probe(model, backend=backend.name, kernels="built-in", finite=False)
        return "built-in"
    return "reference"


def minimum_runtimes(summary: ModelSummary) -> dict[str, str]:
    """Return the oldest release of each runtime that can run a model, by its operators."""
    return {
        support.runtime.split()[0]: _OLDEST[support.runtime]
        for support in runtime_support(summary)
        if support.supported
    }


def _metrics(predictions: Predictions, full: Predictions | None) -> dict[str, Any]:
    right = predictions.answers == predictions.labels
    metrics: dict[str, Any] = {
        "images": "test images",
        "accuracy": Rate(int(right.sum()), len(right)).to_dict(),
        "recall": {
            name: Rate(int(right[of_class].sum()), int(of_class.sum())).to_dict()
            for index, name in enumerate(predictions.class_names)
            if (of_class := predictions.labels == index).any()
        },
    }
    full_answers = None if full is None else aligned(predictions, full).answers
    if full_answers is not None:
        same = full_answers == predictions.answers
        metrics["agreement_with_full_model"] = Rate(int(same.sum()), len(same)).to_dict()
    health = measure_health(
        predictions.answers, predictions.labels, full_answers, images="test images"
    )
    if health.warning is not None:
        metrics["warning"] = health.warning
    return metrics
