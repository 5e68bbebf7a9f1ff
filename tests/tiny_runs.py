"""Runs for tests, made in milliseconds: tiny converted models of full models that are but names."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from bundles import CLASSES

from edge_runtime.data.datasets import Dataset, DatasetSpec, load_dataset
from edge_runtime.data.images import Preprocessing
from edge_runtime.data.predictions import Predictions
from edge_runtime.files.reading import sha256
from edge_runtime.files.writing import write_json_atomically
from edge_runtime.inference.details import make_predictions, prediction_details
from edge_runtime.models.manifest import Manifest
from edge_runtime.models.model_file import manifest_path

PREPROCESSING = Preprocessing(8, 8, 1)


def full_model(name: str) -> bytes:
    """What stands for the `.keras` file of a run; nothing here loads it."""
    return f"the full model of {name}".encode()


def full_hash(name: str) -> str:
    """The hash that manifests name the full model of a run by."""
    return sha256(full_model(name))


def said(
    dataset: Dataset, *, model: str, scheme: str, sha256: str, source: str | None = None
) -> Predictions:
    """Seeded predictions of the test images."""
    rng = np.random.default_rng(len(model))
    shares = rng.dirichlet(np.ones(len(CLASSES)), len(dataset.test)).astype(np.float32)
    details = prediction_details(
        dataset,
        "test",
        model=model,
        model_sha256=sha256,
        size_bytes=100,
        scheme=scheme,
        backend="ai-edge-litert",
        backend_version="2.3.0",
        kernels="built-in",
        threads=1,
        preprocessing=PREPROCESSING,
        source_sha256=source,
    )
    return make_predictions(shares, dataset, "test", details)


def put_model(
    path: Path, data: bytes, *, source: str | None, fingerprint: str, file: str = "model.keras"
) -> Path:
    """Write a .tflite with a manifest as `convert` does; ``source`` is a full model's hash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    details = {"dataset": {"name": "pictures", "fingerprint": fingerprint}}
    if source is not None:
        details["source"] = {"file": file, "sha256": source}
    manifest = Manifest(sha256(data), CLASSES, PREPROCESSING, "probabilities", details)
    write_json_atomically(manifest_path(path), manifest.to_dict())
    return path


def make_run(
    folder: Path,
    pictures: Path,
    changed: Callable[[str, Callable[[object], None]], bytes],
    *,
    of: str | None = None,
) -> Path:
    """Make a finished run with float32.tflite and int8.tflite, whose bytes no other run has.

    Args:
        folder: `runs/NAME`.
        pictures: a folder of pictures, its dataset.
        changed: the fixture `changed_model`.
        of: the name of the full model, by default the run's.
    """
    name = of or folder.name
    spec = DatasetSpec(f"folder:{pictures}", image_size=(8, 8))
    dataset = load_dataset(spec)
    folder.mkdir(parents=True)
    config = {
        "dataset": spec.to_dict(),
        "dataset_fingerprint": dataset.fingerprint,
        "class_names": list(CLASSES),
        "training": {"model": name},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.keras").write_bytes(full_model(name))
    digest = full_hash(name)
    full = said(dataset, model="full (Keras)", scheme="keras", sha256=digest)
    full.save(folder / "full.predictions.npz")
    for scheme in ("float32", "int8"):
        data = changed(scheme, lambda model: setattr(model, "description", name))
        path = folder / f"{scheme}.tflite"
        put_model(path, data, source=digest, fingerprint=dataset.fingerprint)
    return folder
