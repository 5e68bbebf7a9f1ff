"""What a model's numbers mean: from the run that made it, from a dataset, or as it is said."""

from collections.abc import Sequence
from dataclasses import dataclass

from converter.calibration import RepresentativeDataset
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
    given: Dataset | RepresentativeDataset | None,
    class_names: Sequence[str] | None,
    preprocessing: Preprocessing | None,
    *,
    logits: bool,
) -> Labels:
    """Return what is known of a model's numbers; what is said goes before what is found.

    Args:
        source: the model.
        run: that trained it, if known.
        given: what it is calibrated on.
        class_names: as they were said, or None.
        preprocessing: as it was said, or None.
        logits: whether its softmax was left out.

    Raises:
        ConversionError: the names or the dataset do not fit the model or its run.
    """
    if run is not None:
        known = _labels_of_run(run, given)
    elif isinstance(given, Dataset):
        origin = {"name": given.name, "fingerprint": given.fingerprint}
        known = Labels(given.class_names, given.preprocessing, dataset=origin)
    else:
        known = _numbered(source, given)
    names = known.class_names if class_names is None else tuple(class_names)
    if not all(isinstance(name, str) and name for name in names):
        raise ConversionError(f"Expected class names that are texts, got {names!r:.80}.")
    if len(names) != source.class_count:
        raise ConversionError(
            f"{source.name}: the model has {source.class_count} classes, but {len(names)} class "
            "names are known; choose a dataset that fits, or other class names."
        )
    output: Output | None = "logits" if logits else known.output
    return Labels(names, preprocessing or known.preprocessing, output, known.dataset)


def _labels_of_run(run: Run, given: Dataset | RepresentativeDataset | None) -> Labels:
    names = tuple(str(name) for name in run.config["class_names"])
    if isinstance(given, Dataset) and given.class_names != names:
        raise ConversionError(
            f"The classes of '{given.name}' are not those of {run.name}; calibrate on images of "
            "the same classes."
        )
    fingerprint = run.config["dataset_fingerprint"]
    origin = {"name": run.dataset_spec.source, "fingerprint": fingerprint}
    prepared = Preprocessing.from_dict(run.config["preprocessing"])
    return Labels(names, prepared, run.config["output"], origin)


def _numbered(source: SourceModel, given: RepresentativeDataset | None) -> Labels:
    names = tuple(str(index) for index in range(source.class_count))
    shape = source.static_shape(given.images.shape[1:] if given else None)[1:]
    background = common_background(given.images) if given else None
    channels = shape[2] if len(shape) == 3 else 1
    return Labels(names, Preprocessing(shape[0], shape[1], channels, background))
