"""The model with what is recorded beside it, and whether the images fit it."""

from dataclasses import dataclass
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
from edge_runtime.models.inspection import ModelSummary, inspect_model
from edge_runtime.models.manifest import Manifest, Output
from edge_runtime.models.model_file import (
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

    def labels_of(
        self, labels: NDArray[np.int64], dataset: Dataset
    ) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """Return the labels as numbers of the recorded class names, and notes about the names.

        Names that the dataset has, in another order, are followed: the model may have been trained
        with that order. Other names are taken for other words for the same classes.
        """
        names = self.class_names
        if names is None or names == dataset.class_names or len(names) != dataset.class_count:
            return labels, ()
        if sorted(names) == sorted(dataset.class_names) and len(set(names)) == len(names):
            place = np.array([names.index(name) for name in dataset.class_names])
            return place[labels], ()
        if names == tuple(str(index) for index in range(len(names))):
            return labels, ()
        note = (
            f"The recorded class names ({', '.join(names[:3])}…) are not the dataset's "
            f"({', '.join(dataset.class_names[:3])}…); they are compared by their order."
        )
        return labels, (note,)

    def causes(self, dataset: Dataset) -> list[Cause]:
        """Return what the manifest gets wrong, held against model and dataset."""
        found = list(self.faults)
        recorded = self.preprocessing
        if recorded is not None and recorded.shape != self.input_shape:
            found.append(
                Cause(
                    "manifest-preprocessing",
                    f"The manifest is for images of {recorded.shape}, the model's input is "
                    f"{self.input_shape}",
                    _RECONVERT,
                )
            )
        opposite = {"dark": "light", "light": "dark"}
        if recorded and recorded.background:
            actual = dataset.preprocessing.background
            if actual == opposite[recorded.background]:
                found.append(
                    Cause(
                        "inverted",
                        f"The manifest says that training images have a {recorded.background} "
                        f"background, and theirs is {actual}: pictures are inverted",
                        f'Set "background": "{actual}" in the manifest. {_RECONVERT}',
                    )
                )
        count = self.summary.outputs[0].shape[1]
        if self.class_names is not None and len(self.class_names) != count:
            found.append(
                Cause(
                    "class-count",
                    f"The manifest names {len(self.class_names)} classes, the model has {count}",
                    _RECONVERT,
                )
            )
        return found


def open_record(path: Path) -> Record:
    """Read a bundle, or a .tflite file and what lies beside it, even if that belongs to another.

    Raises:
        ModelError: the file is missing, damaged, no .tflite file, or no image classifier.
    """
    _refuse_what_is_no_file(path)
    bundled = read_model(path) if is_bundle(path) else None
    data = bundled.data if bundled else read_model_bytes(path)
    try:
        summary = inspect_model(data)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    classifier_tensors(summary, str(path))  # raises unless it is an image classifier
    if bundled and bundled.manifest:
        return _as_recorded(data, summary, bundled.manifest)
    beside = found_manifest_path(path)
    stated: Output = "probabilities" if summary.ends_in_softmax else "logits"
    if not beside.exists():
        note = "There is no manifest beside the model; outputs are compared by their number."
        return Record(data, summary, None, None, stated, notes=(note,))
    return _with_manifest(data, summary, beside, stated)


def _refuse_what_is_no_file(path: Path) -> None:
    if not path.exists():
        return  # said where the bytes are read
    if path.suffix == ".keras" or (path / "saved_model.pb").exists():
        raise ModelError(
            f"{path}: expected a .tflite file, got a Keras model; make one with: fmnist-edge "
            f"convert {path}"
        )
    if path.is_dir():
        files = sorted(path.glob("*.tflite"))
        advice = f"; name one of its files, such as {files[0]}" if files else ""
        raise ModelError(f"{path}: expected a .tflite file, got a folder{advice}.")


def _with_manifest(data: bytes, summary: ModelSummary, beside: Path, stated: Output) -> Record:
    try:
        manifest = Manifest.from_json(read_capped(beside, limit_bytes=MEMBER_LIMITS[MANIFEST]))
    except (OSError, ValueError) as error:
        fault = Cause("manifest", f"{beside} cannot be read ({error})", _RECONVERT)
        return Record(data, summary, None, None, stated, faults=(fault,))
    notes: tuple[str, ...] = ()
    if manifest.model_sha256 != summary.sha256:
        notes = (
            f"{beside.name} describes another file (its SHA-256 differs): one of both was changed "
            "or copied alone. `classify` and `parity` refuse this pair.",
        )
    return _as_recorded(data, summary, manifest, notes)


def _as_recorded(
    data: bytes, summary: ModelSummary, manifest: Manifest, notes: tuple[str, ...] = ()
) -> Record:
    return Record(
        data, summary, manifest.class_names, manifest.preprocessing, manifest.output, notes=notes
    )


@dataclass(frozen=True, eq=False)
class FittedImages:
    """Images in the model's shape.

    Attributes:
        images: (N, H, W, C) uint8.
        causes: what had to be done to them.
    """

    images: NDArray[np.uint8]
    causes: tuple[Cause, ...] = ()


def fit_images(record: Record, images: NDArray[np.uint8]) -> FittedImages:
    """Return the images in the model's shape.

    Grey and RGB are turned into each other, and height and width exchanged, as a finding; images of
    another size are refused.

    Raises:
        DatasetError: they do not fit.
    """
    wanted, given = record.input_shape, tuple(images.shape[1:])
    causes: list[Cause] = []
    if wanted[:2] != given[:2] and wanted[:2] == given[1::-1]:
        images = images.swapaxes(1, 2)
        causes.append(
            Cause(
                "transposed",
                f"The model's input is transposed: it takes {wanted[0]} × {wanted[1]} pixels, the "
                f"images have {given[0]} × {given[1]}",
                "Exchange height and width where the model is built, and train it again.",
            )
        )
    if wanted[:2] != images.shape[1:3]:
        raise DatasetError(
            f"The model takes images of {wanted}, the dataset has {given}; use the dataset that it "
            f"was made for, or --image-size {wanted[0]}x{wanted[1]} for folder: and tfds:."
        )
    if wanted[2] != images.shape[3]:
        images = _in_channels(images, wanted[2])
        causes.append(_channels_cause(wanted[2], given[2]))
    return FittedImages(images, tuple(causes))


def _in_channels(images: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    if channels == 3:
        return np.repeat(images, 3, axis=3)
    grey = [np.asarray(Image.fromarray(image).convert("L")) for image in images]
    return np.stack(grey)[..., np.newaxis]


def _channels_cause(wanted: int, given: int) -> Cause:
    kinds = {1: "grey", 3: "RGB"}
    return Cause(
        "channels",
        f"The model takes {kinds[wanted]} images ({wanted} channel(s)), the dataset's are "
        f"{kinds.get(given, given)}",
        f"Give --channels {wanted} with the dataset, or train on these images.",
    )
