"""What a file is held to: what its full model says about the same images."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.datasets import Dataset, Split
from edge_runtime.data.predictions import PREDICTIONS_SUFFIX, Predictions
from edge_runtime.doctor.judging import alike_limit, distances
from edge_runtime.doctor.record import Record
from edge_runtime.errors import EdgeError, ModelError, PredictionsError
from edge_runtime.inference.evaluation import predict
from edge_runtime.inference.given import unchecked_model
from edge_runtime.inference.loading.workbench import Workbench
from edge_runtime.inference.quantization import softmax
from edge_runtime.inference.recalibration import Floats
from edge_runtime.models.full_model import is_keras_model
from edge_runtime.models.inspection import inspect_model
from edge_runtime.models.model_file import ModelFile, read_model

# Images that tell whether a float .tflite may stand for the full model; fewer than are compared.
_STAND_IN_IMAGES = 100


@dataclass(frozen=True, eq=False)
class Reference:
    """What the full model says, or what is known to answer like it.

    Attributes:
        model: what it is called.
        split: whose images these are, "train" or "test".
        images: (M, H, W, C) uint8, as the dataset has them.
        probabilities: (M, K), the classes in the order of the examined model's class names.
        scheme: of what computed them.
        graph: the bytes of a .tflite with its weights, or None.
        notes: what a reader should know.
    """

    model: str
    split: str
    images: NDArray[np.uint8]
    probabilities: Floats
    scheme: str = "keras"
    graph: bytes | None = None
    notes: tuple[str, ...] = ()


def open_reference(
    given: Any,
    record: Record,
    dataset: Dataset,
    chosen: NDArray[np.int64],
    bench: Workbench,
    *,
    graph: Path | None = None,
) -> Reference:
    """Return what the full model says about images.

    Training images are taken wherever something can be run on them. Stored predictions of test
    images need none of their labels.

    Args:
        given: a .tflite, a full model, or predictions; a file of them, or in memory.
        record: the examined model.
        dataset: the images.
        chosen: which of its training images.
        bench: what runs a .tflite.
        graph: a float .tflite of the same full model, which stands for it if it answers like it.

    Raises:
        ModelError: it cannot be read, or the runtime refuses it.
        PredictionsError: they are of other images or other classes.
    """
    if isinstance(given, Path) and given.name.endswith(PREDICTIONS_SUFFIX):
        given = Predictions.load(given)
    train = dataset.train.images[chosen]
    if not isinstance(given, Predictions):
        is_tflite = not isinstance(given, Path) or given.suffix in (".tflite", ".zip")
        if is_tflite and not is_keras_model(given):
            return _run(unchecked_model(given), record, dataset, train, bench)
        part = Split(train, dataset.train.labels[chosen])
        given = predict(given, replace(dataset, train=part), split="train")
    stored = _stored(given, record, dataset, chosen)
    if graph is None:
        return stored
    few = stored.images[:_STAND_IN_IMAGES]
    try:
        stand_in = _run(read_model(graph), record, dataset, few, bench)
        full = stored.probabilities[:_STAND_IN_IMAGES]
        if distances(stand_in.probabilities, full).mean() <= alike_limit(stand_in.scheme):
            return _run(read_model(graph), record, dataset, train, bench)
        problem = f"{graph} does not answer as {stored.model} does"
    except EdgeError as error:
        problem = f"{graph} cannot stand for {stored.model}: {error}"
    return replace(stored, notes=(problem,))


def _run(
    file: ModelFile, record: Record, dataset: Dataset, images: NDArray[np.uint8], bench: Workbench
) -> Reference:
    """Run a .tflite on images."""
    try:
        summary = inspect_model(file.data)
        shape = (*summary.inputs[0].shape, 1)[1:4]
        if shape != images.shape[1:]:
            raise ModelError(f"it takes images of {shape}, the dataset has {images.shape[1:]}.")
        outputs = bench.answers(file.data, images.astype(np.float32))
    except ModelError as error:
        raise ModelError(f"{file.name}: {error}") from error
    stated = file.manifest.output if file.manifest else None
    is_probability = stated == "probabilities" if stated else summary.ends_in_softmax
    names = file.manifest.class_names if file.manifest else dataset.class_names
    probabilities = outputs if is_probability else softmax(outputs)
    ordered = _in_order(file.name, probabilities, names, record)
    return Reference(file.name, "train", images, ordered, summary.scheme, file.data)


def _stored(
    given: Predictions, record: Record, dataset: Dataset, chosen: NDArray[np.int64]
) -> Reference:
    """Find the images that predictions are about: the chosen training images, or test images."""
    rows = {digest: row for row, digest in enumerate(given.image_sha256.tolist())}
    tests = np.arange(len(dataset.test))
    for split, part, places in (("train", dataset.train, chosen), ("test", dataset.test, tests)):
        hashes = part.image_sha256().tolist()
        places = np.array([place for place in places if hashes[place] in rows], np.int64)
        if len(places) >= min(len(chosen), len(part)) > 0:
            places = places[: len(chosen)]
            numbers = given.probabilities[[rows[hashes[place]] for place in places]]
            ordered = _in_order(given.model, numbers, given.class_names, record)
            scheme = str(given.details.get("scheme", "keras"))
            return Reference(given.model, split, part.images[places], ordered, scheme)
    raise PredictionsError(
        f"The predictions of {given.model} are about other images than '{dataset.name}' has; make "
        "them again with: fmnist-edge predict MODEL --split train"
    )


def _in_order(name: str, numbers: Floats, names: tuple[str, ...], record: Record) -> Floats:
    """Return the columns in the order of the examined model's recorded class names."""
    count = record.class_count
    if numbers.shape[1] != count:
        raise PredictionsError(
            f"{name} knows {numbers.shape[1]} classes, the model that is examined {count}; give "
            "its own full model with --reference."
        )
    own = record.class_names
    if own is None or sorted(own) != sorted(names) or len(set(names)) < count:
        return numbers
    return numbers[:, [names.index(one) for one in own]]
