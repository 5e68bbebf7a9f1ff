"""What a model's numbers mean: from the run that made it, from a dataset, or as it is said."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from converter.source import SourceModel
from edge_runtime.data.datasets import Dataset
from edge_runtime.data.images import Preprocessing, common_background
from edge_runtime.errors import ConversionError
from edge_runtime.models.manifest import Output
from edge_runtime.models.runs import Run


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


def labels_of(
    source: SourceModel,
    run: Run | None,
    dataset: Dataset | None,
    images: NDArray[np.uint8] | None,
    *,
    class_names: Sequence[str] | None,
    preprocessing: Preprocessing | None,
    logits: bool,
) -> Labels:
    """Return what is known of a model's numbers; what is said goes before what is found.

    Args:
        source: the model.
        run: that trained it, if known.
        dataset: that it is calibrated on, if there is one.
        images: (N, H, W, C) that it is calibrated on, if only these are known.
        class_names: as they were said, or None.
        preprocessing: as it was said, or None.
        logits: whether its softmax was left out.

    Raises:
        ConversionError: there are as many names as the model has no classes, or the dataset has
            other classes than the run.
    """
    known = _known(source, run, dataset, images)
    names = known.class_names if class_names is None else tuple(class_names)
    if not all(isinstance(name, str) and name for name in names):
        raise ConversionError(f"Expected class names that are texts, got {names!r:.80}.")
    if len(names) != source.class_count:
        raise ConversionError(
            f"{source.name}: the model has {source.class_count} classes, but {len(names)} class "
            "names are known; choose a dataset that fits, or other class names."
        )
    return Labels(
        names,
        preprocessing or known.preprocessing,
        "logits" if logits else known.output,
        known.dataset,
    )


def _known(
    source: SourceModel,
    run: Run | None,
    dataset: Dataset | None,
    images: NDArray[np.uint8] | None,
) -> Labels:
    if run is not None:
        names = tuple(str(name) for name in run.config["class_names"])
        if dataset is not None and dataset.class_names != names:
            raise ConversionError(
                f"The classes of '{dataset.name}' are not those of {run.name}; calibrate on images "
                "of the same classes."
            )
        origin = {
            "name": run.dataset_spec.source,
            "fingerprint": run.config["dataset_fingerprint"],
        }
        prepared = Preprocessing.from_dict(run.config["preprocessing"])
        return Labels(names, prepared, run.config["output"], origin)
    if dataset is not None:
        origin = {"name": dataset.name, "fingerprint": dataset.fingerprint}
        return Labels(dataset.class_names, dataset.preprocessing, dataset=origin)
    numbered = tuple(str(index) for index in range(source.class_count))
    shape = source.static_shape(None if images is None else images.shape[1:])[1:]
    background = None if images is None else common_background(images)
    channels = shape[2] if len(shape) == 3 else 1
    return Labels(numbered, Preprocessing(shape[0], shape[1], channels, background))
