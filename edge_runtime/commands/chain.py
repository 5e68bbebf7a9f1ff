"""The models that commands are given: what they are called, what they say, and their images."""

import contextlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.commands.options import INSTALLED
from edge_runtime.data.datasets import Dataset, DatasetSpec, load_dataset
from edge_runtime.data.predictions import PREDICTIONS_SUFFIX, Predictions
from edge_runtime.devices.installed import FILE_NAME, Installed
from edge_runtime.errors import PredictionsError, ReleaseError, RunError
from edge_runtime.files.reading import resolved, sha256
from edge_runtime.models.full_model import hash_full_model, is_full_model
from edge_runtime.models.lineage import Lineage, recorded_text, run_for_images
from edge_runtime.models.model_file import model_stem, read_model
from edge_runtime.models.runs import Run, run_at


def model_name(path: Path) -> str:
    """Return what reports call a model: `installed` for the current release, else as its file."""
    with contextlib.suppress(OSError, ReleaseError):  # nothing is installed, or there is no home
        if path.samefile(Installed().link / FILE_NAME):
            return INSTALLED
    return model_stem(path)


@dataclass(frozen=True, eq=False)
class Link:
    """One place in the chain.

    Attributes:
        path: a model, or predictions.
        predictions: what it says; None until the model was run.
    """

    path: Path
    predictions: Predictions | None = None

    @property
    def stem(self) -> str:
        """The file's name without its ending; `installed` for what is installed on this device."""
        if self.path.name.endswith(PREDICTIONS_SUFFIX):
            return self.path.name.removesuffix(PREDICTIONS_SUFFIX)
        return model_name(self.path)

    @property
    def is_full(self) -> bool:
        """Whether it is a full model: Keras, a SavedModel, or what one of them said."""
        if self.predictions is None:
            return is_full_model(self.path)
        return self.predictions.details.get("scheme") == "keras"

    @property
    def sha256(self) -> str | None:
        """The model's hash; None for predictions that do not say it."""
        if self.predictions is not None:
            return recorded_text(self.predictions, "model_sha256")
        if is_full_model(self.path):
            return hash_full_model(self.path)
        return sha256(read_model(self.path).data)


def open_link(path: Path) -> Link:
    """Return the link of a file, its predictions loaded; PredictionsError if there is none.

    The folder of a run stands for its full model.
    """
    run = run_at(path)
    if run is not None:
        path = run.model_path
    if path.name.endswith(PREDICTIONS_SUFFIX):
        return Link(path, Predictions.load(path))
    if not path.exists():
        raise PredictionsError(f"{path}: there is no such model or predictions file.")
    return Link(path)


def open_links(paths: Sequence[Path]) -> list[Link]:
    """Return the links of several files, the full model first if it is among them.

    Raises:
        PredictionsError: a file is missing, cannot be read, or is named twice.
    """
    named = [resolved(path) for path in paths]
    for path, place in zip(paths, named, strict=True):
        if named.count(place) > 1:
            raise PredictionsError(
                f"{path} is named twice; a model compared with itself proves nothing, so name each "
                "once."
            )
    return sorted((open_link(path) for path in paths), key=lambda link: not link.is_full)


def complete(
    links: Sequence[Link], predict: Callable[[Path, str], Predictions]
) -> list[Predictions]:
    """Return what each link says; ``predict`` runs the model at a path under a name.

    A model is called by its file's stem, or by its path where stems clash; predictions keep the
    name that they were stored under, and get their file's where names clash.
    """
    stems = [link.stem for link in links]
    chain = []
    for link, stem in zip(links, stems, strict=True):
        name = stem if stems.count(stem) == 1 else str(link.path.with_name(stem))
        chain.append(link.predictions or predict(link.path, name))
    names = [each.model for each in chain]
    for place, (link, name) in enumerate(zip(links, names, strict=True)):
        if link.predictions and names.count(name) > 1 and name != link.stem:
            chain[place] = link.predictions.with_details(model=f"{name} ({link.stem})")
    return chain


def images_for(
    model: Path,
    named: DatasetSpec | None,
    lineage: Lineage,
    *,
    needs: Collection[str] = ("train", "test"),
) -> Dataset:
    """Return the dataset that was named, or else that of the run that a model is for.

    Raises:
        DatasetError: the images cannot be loaded.
        RunError: no run has them, or they have changed since.
    """
    if named is not None:
        return load_dataset(named, needs=needs)
    return run_for_images(model, lineage).load_dataset()


def converted_in(run: Run) -> list[Path]:
    """Return the models that were converted in a run, the largest first; RunError for none."""
    models = run.converted_models()
    if not models:
        raise RunError(
            f"{run.name} has no converted models yet; make one first with: fmnist-edge convert"
        )
    return models
