"""One conversion from the model to the verified file with its manifest."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from converter.calibration import RepresentativeDataset
from converter.conversion import SourceModel, convert_source
from converter.marking import marked
from converter.schemes import Recipe
from converter.speedup import Speedup, speed_up
from converter.target import Target, made_for, prove
from converter.verification import Verified, graph_facts, verify
from edge_runtime.data.images import Preprocessing
from edge_runtime.errors import ConversionError
from edge_runtime.files.reading import sha256
from edge_runtime.files.writing import to_json, write_together
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.loading.probe import ProbeResult
from edge_runtime.models.full_model import hash_full_model
from edge_runtime.models.manifest import Manifest, Output
from edge_runtime.models.model_file import ModelFile, manifest_path
from edge_runtime.proof.health import Health, measure_health


@dataclass(frozen=True)
class Labels:
    """What a model's numbers mean, recorded with each file.

    Attributes:
        class_names: in the order of the outputs.
        preprocessing: from picture to input.
        output: "probabilities" or "logits"; None asks the graph.
        dataset: name and fingerprint of what it was trained on, if known.
    """

    class_names: tuple[str, ...]
    preprocessing: Preprocessing
    output: Output | None = None
    dataset: dict[str, str] | None = None


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Training images that a converted file is tried on.

    Attributes:
        images: (N, H, W, C) uint8.
        labels: (N,) int64.
        full_answers: (N,) the classes that the full model gives.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    full_answers: NDArray[np.int64]


@dataclass(frozen=True)
class Converted:
    """A file that is ready to be put in place.

    Attributes:
        path: where the .tflite goes.
        data: its bytes.
        manifest: what is written beside it.
        recipe: how it was made.
        verified: what it was found to be.
        probed: what the runtime made of it.
        made_for: the runtime that it was made for, and how it was proved.
        speedup: what packing pixels does to it; None if it was not tried.
        health: how often it is right on training images; None without labelled images.
    """

    path: Path
    data: bytes
    manifest: Manifest
    recipe: Recipe
    verified: Verified
    probed: ProbeResult
    made_for: dict[str, str]
    speedup: Speedup | None = None
    health: Health | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "path": str(self.path),
            "recipe": self.recipe.name,
            **graph_facts(self.verified),
            "probe": self.probed.to_dict(),
            "made_for": self.made_for,
            "packing": self.speedup.to_dict() if self.speedup else None,
            "health": self.health.to_dict() if self.health else None,
        }


def convert_and_prove(
    source: SourceModel,
    recipe: Recipe,
    target: Path,
    *,
    io_type: str,
    labels: Labels,
    representative: RepresentativeDataset | None,
    runtime: Target | None = None,
    pack: bool = True,
    batch: int = 1,
    labelled: LabelledImages | None = None,
) -> Converted:
    """Convert, verify and prove; `put_in_place` writes what comes out.

    Args:
        source: the model.
        recipe: how to quantize.
        target: the .tflite that is to be written.
        io_type: dtype of input and output: int8, uint8, int16 or float32.
        labels: what the numbers mean.
        representative: images for the recipes that need them.
        runtime: the runtime that the file is made for; None is the one that is here.
        pack: pack the pixels of an int8 model where that is faster.
        batch: how many images one run of the model takes.
        labelled: training images to try the result on; None tries nothing.

    Raises:
        ConversionError: TensorFlow cannot convert the model, or the result is not as promised.
        UnsupportedError: the runtime that it is made for cannot run the result.
        ModelError: the runtime that is here cannot run the result.
    """
    calibration = representative.images if representative and recipe.calibrated else None
    data = marked(
        convert_source(
            source,
            recipe,
            io_type=io_type,
            image_shape=labels.preprocessing.shape,
            calibration=calibration,
            batch=batch,
        )
    )
    verified = verify(data, recipe, io_type=io_type)
    _refuse_other_classes(verified, labels, source)
    speedup = None
    if pack and recipe.name == "int8" and calibration is not None:
        data, speedup = speed_up(data, calibration, target=runtime)
        verified = verify(data, recipe, io_type=io_type)
    probed = prove(ModelFile(target.name, data), verified, runtime)
    health = _health(ModelFile(target.name, data), labelled) if labelled else None
    made_for_it = made_for(runtime, probed)
    details = {
        "recipe": recipe.name,
        "graph": graph_facts(verified),
        "packing": speedup.facts() if speedup and speedup.kept else None,
        "probe": probed.to_dict(),
        "made_for": made_for_it,
        "versions": _versions(),
        "representative_dataset": (
            representative.to_dict() if representative and recipe.calibrated else None
        ),
        "dataset": labels.dataset,
        "source": {"file": source.path.name, "sha256": hash_full_model(source.path)},
    }
    output = labels.output or _kind_of_output(data, verified, labels)
    manifest = Manifest(sha256(data), labels.class_names, labels.preprocessing, output, details)
    return Converted(target, data, manifest, recipe, verified, probed, made_for_it, speedup, health)


def put_in_place(converted: Sequence[Converted]) -> None:
    """Write several .tflite files and their manifests, and none before all are on the disk.

    Each manifest comes before its model, which without one would be refused.

    Raises:
        OSError: they cannot be written.
    """
    contents: dict[Path, bytes | str] = {}
    for item in converted:
        contents[manifest_path(item.path)] = to_json(item.manifest.to_dict()) + "\n"
        contents[item.path] = item.data
    write_together(contents)


def _health(file: ModelFile, labelled: LabelledImages) -> Health:
    """Return how often a file that was probed is right on training images."""
    with Classifier(file) as classifier:
        answers = classifier.raw_outputs(labelled.images).argmax(axis=1)
    return measure_health(answers, labelled.labels, labelled.full_answers, images="training images")


def _refuse_other_classes(verified: Verified, labels: Labels, source: SourceModel) -> None:
    class_count = verified.summary.outputs[0].shape[1]
    if class_count != len(labels.class_names):
        raise ConversionError(
            f"{source.path}: the model has {class_count} classes, but {len(labels.class_names)} "
            "class names are known; choose a --dataset that fits."
        )


def _versions() -> dict[str, str]:
    return {"tensorflow": tf.__version__, "keras": keras.__version__, "numpy": np.__version__}


def _kind_of_output(data: bytes, verified: Verified, labels: Labels) -> Output:
    """Return what the model's numbers are: by its last operator, or else by what it answers."""
    if verified.summary.ends_in_softmax:
        return "probabilities"
    as_they_are = Manifest(sha256(data), labels.class_names, labels.preprocessing, "probabilities")
    noise = np.random.default_rng(0).integers(0, 256, (16, *labels.preprocessing.shape), np.uint8)
    with Classifier(ModelFile("converted", data, as_they_are)) as classifier:
        answers = classifier.predict(noise)
    # An integer model answers in steps, so that a row may miss 1 by half a step for each class.
    slack = 1e-3 + answers.shape[1] / 512
    sums_to_one = np.abs(answers.sum(axis=1) - 1).max() <= slack
    return "probabilities" if (answers >= 0).all() and sums_to_one else "logits"
