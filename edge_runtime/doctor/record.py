"""The model with what is recorded beside it, and whether the images fit it."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_runtime.data.datasets import Dataset
from edge_runtime.data.images import Preprocessing
from edge_runtime.doctor.findings import Cause
from edge_runtime.errors import DatasetError, ModelError
from edge_runtime.files.reading import read_capped
from edge_runtime.inference.tensors import classifier_tensors
from edge_runtime.models.bundle.members import MANIFEST, MEMBER_LIMITS
from edge_runtime.models.full_model import is_full_model
from edge_runtime.models.inspection import ModelSummary, inspect_model
from edge_runtime.models.manifest import Manifest, Output
from edge_runtime.models.model_file import (
    ModelFile,
    found_manifest_path,
    is_bundle,
    read_model,
    read_model_bytes,
)

_RECONVERT = "Convert the model again, so that a fitting manifest is written: fmnist-edge convert"


@dataclass(frozen=True)
class Record:
    """A model and its manifest, which may be missing, stale or wrong.

    Attributes:
        data: the .tflite bytes.
        summary: what they are.
        class_names: as recorded, or None.
        preprocessing: as recorded, or None.
        output: what the outputs are said to be.
        faults: what is wrong with the manifest itself.
        notes: what a reader should know.
    """

    data: bytes
    summary: ModelSummary
    class_names: tuple[str, ...] | None
    preprocessing: Preprocessing | None
    output: Output
    faults: tuple[Cause, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of one image."""
        height, width, channels = (*self.summary.inputs[0].shape, 1)[1:4]
        return height, width, channels

    @property
    def class_count(self) -> int:
        """How many classes the model has."""
        return self.summary.outputs[0].shape[1]

    def labels_of(
        self, labels: NDArray[np.int64], dataset: Dataset
    ) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """Return the labels as numbers of the recorded class names, and notes about the names.

        Names that the dataset has, in another order, are followed: the model may have been trained
        with that order. Other names are taken for other words for the same classes.
        """
        names, known = self.class_names, dataset.class_names
        if names is None or names == known or len(names) != len(known):
            return labels, ()
        if sorted(names) == sorted(known) and len(set(names)) == len(names):
            return np.array([names.index(name) for name in known])[labels], ()
        if names == tuple(str(index) for index in range(len(names))):
            return labels, ()
        note = (
            f"The recorded class names ({', '.join(names[:3])}…) are not the dataset's "
            f"({', '.join(known[:3])}…); they are compared by their order."
        )
        return labels, (note,)

    def causes(self, dataset: Dataset) -> list[Cause]:
        """Return what the manifest gets wrong, held against model and dataset."""
        found = list(self.faults)
        recorded = self.preprocessing
        if recorded is not None and recorded.shape != self.input_shape:
            cause = (
                f"The manifest is for images of {recorded.shape}, the model's input is "
                f"{self.input_shape}"
            )
            found.append(Cause("manifest-preprocessing", cause, _RECONVERT))
        actual = dataset.preprocessing.background
        if recorded and {recorded.background, actual} == {"dark", "light"}:
            cause = (
                f"The manifest says that training images have a {recorded.background} background, "
                f"and theirs is {actual}: pictures are inverted"
            )
            mend = f'Set "background": "{actual}" in the manifest. {_RECONVERT}'
            found.append(Cause("inverted", cause, mend))
        if self.class_names is not None and len(self.class_names) != self.class_count:
            cause = (
                f"The manifest names {len(self.class_names)} classes, the model has "
                f"{self.class_count}"
            )
            found.append(Cause("class-count", cause, _RECONVERT))
        return found


def open_record(given: Path | ModelFile) -> Record:
    """Read a bundle, or a .tflite file and what lies beside it, even if that belongs to another.

    Raises:
        ModelError: the file is missing, damaged, no .tflite file, or no image classifier.
    """
    file = given if isinstance(given, ModelFile) else _read(given)
    try:
        summary = inspect_model(file.data)
    except ModelError as error:
        raise ModelError(f"{file.name}: {error}") from error
    classifier_tensors(summary, file.name)  # raises unless it is an image classifier
    bare = Record(
        file.data, summary, None, None, "probabilities" if summary.ends_in_softmax else "logits"
    )
    if file.manifest:
        return _as_recorded(bare, file.manifest)
    beside = found_manifest_path(given) if isinstance(given, Path) else None
    if beside is None or not beside.exists():
        note = "There is no manifest beside the model; outputs are compared by their number."
        return replace(bare, notes=(note,))
    try:
        manifest = Manifest.from_json(read_capped(beside, limit_bytes=MEMBER_LIMITS[MANIFEST]))
    except (OSError, ValueError) as error:
        fault = Cause("manifest", f"{beside} cannot be read ({error})", _RECONVERT)
        return replace(bare, faults=(fault,))
    note = (
        f"{beside.name} describes another file (its SHA-256 differs): one of both was changed or "
        "copied alone. `classify` and `parity` refuse this pair."
    )
    stale = manifest.model_sha256 != summary.sha256
    return replace(_as_recorded(bare, manifest), notes=(note,) if stale else ())


def _as_recorded(bare: Record, manifest: Manifest) -> Record:
    return replace(
        bare,
        class_names=manifest.class_names,
        preprocessing=manifest.preprocessing,
        output=manifest.output,
    )


def _read(path: Path) -> ModelFile:
    """Read a bundle with its manifest, or a .tflite without one."""
    if path.exists() and is_full_model(path):
        raise ModelError(
            f"{path}: expected a .tflite file, got a Keras model; make one with: fmnist-edge "
            f"convert {path}"
        )
    return read_model(path) if is_bundle(path) else ModelFile(str(path), read_model_bytes(path))


def fit_images(
    record: Record, images: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], tuple[Cause, ...]]:
    """Return the images in the model's shape, and what had to be done to them.

    Grey and RGB are turned into each other, and height and width exchanged, as a finding; images of
    another size are refused with a `DatasetError`.
    """
    wanted, given = record.input_shape, tuple(images.shape[1:])
    causes: list[Cause] = []
    if wanted[:2] != given[:2] and wanted[:2] == given[1::-1]:
        images = images.swapaxes(1, 2)
        cause = (
            f"The model's input is transposed: it takes {wanted[0]} × {wanted[1]} pixels, the "
            f"images have {given[0]} × {given[1]}"
        )
        mend = "Exchange height and width where the model is built, and train it again."
        causes.append(Cause("transposed", cause, mend))
    if wanted[:2] != images.shape[1:3]:
        raise DatasetError(
            f"The model takes images of {wanted}, the dataset has {given}; use the dataset that it "
            f"was made for, or --image-size {wanted[0]}x{wanted[1]} for folder: and tfds:."
        )
    if wanted[2] != given[2]:
        kinds = {1: "grey", 3: "RGB"}
        cause = (
            f"The model takes {kinds[wanted[2]]} images ({wanted[2]} channel(s)), the dataset's "
            f"are {kinds.get(given[2], given[2])}"
        )
        mend = f"Give --channels {wanted[2]} with the dataset, or train on these images."
        causes.append(Cause("channels", cause, mend))
        if wanted[2] == 3:
            images = np.repeat(images, 3, axis=3)
        else:
            grey = [np.asarray(Image.fromarray(image).convert("L")) for image in images]
            images = np.stack(grey)[..., np.newaxis]
    return images, tuple(causes)
