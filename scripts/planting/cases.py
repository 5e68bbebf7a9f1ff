"""Planted files in a folder, so that they can be examined again without training anything."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.data.datasets import Dataset, Split
from edge_runtime.data.predictions import Predictions
from edge_runtime.files.reading import sha256
from edge_runtime.models.manifest import Manifest
from edge_runtime.models.model_file import manifest_path

INDEX = "planted.jsonl"
FULL_MODEL = "float32.tflite"


@dataclass(frozen=True)
class Planted:
    """A file in a folder, and what was planted in it.

    Attributes:
        kind: of the fault, as in `Cause.kind`.
        variant: how it was planted.
        network: what the network is called.
        recipe: how it was converted.
        model: the file, with a manifest beside it.
        full: the folder of its full model: `FULL_MODEL` and what Keras says.
        images: the file of the dataset.
    """

    kind: str
    variant: str
    network: str
    recipe: str
    model: Path
    full: Path
    images: Path

    def __str__(self) -> str:
        return f"{self.kind} ({self.variant}) {self.network} {self.recipe}"

    def reference(self, way: str) -> Path | Predictions | None:
        """Return what `--reference none`, `model` or `predictions` compares with."""
        if way == "predictions":
            return Predictions.load(self.full / "full.predictions.npz")
        return self.full / FULL_MODEL if way == "model" else None

    def dataset(self) -> Dataset:
        """Return the dataset that the network was trained on, without its test images."""
        with np.load(self.images) as stored:
            images, labels, names = stored["images"], stored["labels"], stored["class_names"]
            train, test = Split(images, labels), Split(images[:0], labels[:0])
            return Dataset(str(stored["name"]), tuple(map(str, names)), train, test)


def kept_cases(folder: Path) -> Iterator[Planted]:
    """Yield the cases that a folder holds, in the order of their planting."""
    for line in (folder / INDEX).read_text("utf-8").splitlines():
        fields = json.loads(line)
        paths = {name: folder / fields.pop(name) for name in ("model", "full", "images")}
        yield Planted(**fields, **paths)


def write_model(path: Path, data: bytes, dataset: Dataset, change: Any = None) -> None:
    """Write a .tflite with its manifest, which ``change`` may edit."""
    path.write_bytes(data)
    manifest = Manifest(sha256(data), dataset.class_names, dataset.preprocessing, "probabilities")
    document = manifest.to_dict()
    if change:
        change(document)
    manifest_path(path).write_text(json.dumps(document), "utf-8")


def write_dataset(path: Path, dataset: Dataset) -> None:
    """Write the training images of a dataset."""
    np.savez_compressed(
        path,
        images=dataset.train.images,
        labels=dataset.train.labels,
        class_names=np.array(dataset.class_names),
        name=np.array(dataset.name),
    )
