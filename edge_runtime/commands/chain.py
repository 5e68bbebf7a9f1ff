"""Which models make the chain that `parity` judges, and what they say."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge_runtime.console import INSTALLED
from edge_runtime.errors import PredictionsError, ReleaseError, RunError
from edge_runtime.files import sha256
from edge_runtime.model_file import is_bundle, model_stem, read_model, read_model_bytes
from edge_runtime.predictions import PREDICTIONS_SUFFIX, Predictions
from edge_runtime.releases import FILE_NAME, Releases, device_home
from edge_runtime.runs import Run

_FLOAT_MODEL = "float32.tflite"


def model_name(path: Path) -> str:
    """Return what reports call a model: `installed` for the current release, else as its file."""
    with contextlib.suppress(OSError, ReleaseError):  # nothing is installed, or there is no home
        if path.samefile(Releases(device_home()).link / FILE_NAME):
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
    def is_keras(self) -> bool:
        """Whether it is a full model for certain."""
        if self.predictions is None:
            return self.path.suffix.lower() == ".keras"
        return self.predictions.details.get("scheme") == "keras"

    @property
    def may_be_full(self) -> bool:
        """Whether it can be the full model: Keras, or predictions that do not say otherwise."""
        unknown = self.predictions and self.predictions.details.get("scheme") is None
        return self.is_keras or bool(unknown)


def open_link(path: Path) -> Link:
    """Return the link of a file; predictions are loaded.

    Raises:
        PredictionsError: there is no such file, or the predictions cannot be read.
    """
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
    named = [path.resolve() for path in paths]
    for path, resolved in zip(paths, named, strict=True):
        if named.count(resolved) > 1:
            raise PredictionsError(
                f"{path} is named twice; a model compared with itself proves nothing, so name each "
                "once."
            )
    return sorted((open_link(path) for path in paths), key=lambda link: not link.is_keras)


def needs_run(given: Sequence[Link], reference: Link | None) -> bool:
    """Say whether the full model, or what was converted of it, must come from a run."""
    return not given or (reference is None and not (len(given) > 1 and given[0].may_be_full))


def build_chain(given: Sequence[Link], reference: Link | None, run: Run | None) -> list[Link]:
    """Return the full model and then the converted ones, each file once.

    Several links that begin with a full model are the chain. Otherwise the run's full model comes
    first, then, without any link, all that was converted of it; with links, what lies between the
    full model and them: the float32 model, and the file that a device says it has run.

    Raises:
        RunError: the run has no converted models.
    """
    first = [reference] if reference else []
    if run is None or not needs_run(given, reference):
        return _each_once([*first, *given])
    first = first or [open_link(run.predictions_path)]
    if not given:
        return _each_once([*first, *_converted(run)])
    return _each_once([*first, *_between(given, run), *given])


def _converted(run: Run) -> list[Link]:
    models = [Link(path) for path in run.converted_models()]
    if not models:
        raise RunError(
            f"{run.name} has no converted models yet; make one first with: fmnist-edge convert"
        )
    return models


def _between(given: Sequence[Link], run: Run) -> list[Link]:
    here = {_file_sha256(link.path) for link in given if link.predictions is None}
    # A list: in a file that somebody made by hand it may be anything.
    elsewhere = [link.predictions.details.get("model_sha256") for link in given if link.predictions]
    hashes = {path: _file_sha256(path) for path in run.converted_models()}
    return [
        Link(path)
        for path, found in hashes.items()
        if found in elsewhere or (path.name == _FLOAT_MODEL and found not in here)
    ]


def _file_sha256(path: Path) -> str:
    return sha256(read_model(path).data if is_bundle(path) else read_model_bytes(path))


def _each_once(links: Sequence[Link]) -> list[Link]:
    return list({link.path.resolve(): link for link in links}.values())


def complete(links: Sequence[Link], predict: Callable[[Path, str], Predictions]) -> list[Link]:
    """Return the links with predictions, each under a name of its own.

    A model is called by its file's stem, or by its path where stems clash; predictions keep the
    name that they were stored under, and get their file's where names clash.

    Args:
        links: the chain.
        predict: runs the model at a path under a name.
    """
    stems = [link.stem for link in links]
    done = []
    for link in links:
        name = link.stem if stems.count(link.stem) == 1 else str(link.path.with_name(link.stem))
        done.append(replace(link, predictions=link.predictions or predict(link.path, name)))
    names = [_name(link) for link in done]
    return [
        _renamed(link, f"{name} ({link.stem})") if names.count(name) > 1 and is_stored else link
        for link, name, is_stored in zip(
            done, names, [bool(link.predictions) for link in links], strict=True
        )
    ]


def _name(link: Link) -> str:
    return link.predictions.model if link.predictions else link.stem


def _renamed(link: Link, name: str) -> Link:
    if link.predictions is None or link.predictions.model == link.stem:
        return link
    details = {**link.predictions.details, "model": name}
    return replace(link, predictions=replace(link.predictions, details=details))
