"""Models in each form that a caller may have them in."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from edge_runtime.errors import InputError
from edge_runtime.inference.loading.opening import examine, open_model
from edge_runtime.models.model_file import ModelFile, bundled_model, read_model
from edge_runtime.runtimes.backends import Backend, Kernels, choose_backend

if TYPE_CHECKING:
    from edge_runtime.data.datasets import Dataset
    from edge_runtime.data.predictions import Predictions

_ZIP = b"PK"  # what a bundle starts with


class HasFile(Protocol):
    """What holds a model that was checked before, as what `converter.convert` returns does."""

    @property
    def file(self) -> ModelFile:
        """The model."""


class HasData(Protocol):
    """What holds the bytes of a bundle, as what `bundle` returns does."""

    @property
    def data(self) -> bytes:
        """The whole file."""


GivenModel: TypeAlias = str | Path | bytes | ModelFile | HasFile | HasData


@dataclass(frozen=True, eq=False)
class GivenRun:
    """What a training made, in memory or in its folder.

    Attributes:
        model: the full model, a `keras.Model` or the path of its file.
        predictions: what it says about the test images, or the path of their file.
        dataset: returns what it was trained and tested on.
    """

    model: Any
    predictions: "Predictions | Path"
    dataset: "Callable[[], Dataset]"


def given_run(given: Any) -> GivenRun | None:
    """Return a run as `trainer.train` returns it, or the one in a folder; None if it is neither.

    Raises:
        RunError: the run in the folder is not finished, or cannot be read.
    """
    # Here, since classifying should not wait for them.
    from edge_runtime.data.predictions import Predictions
    from edge_runtime.models.runs import run_at

    if isinstance(given, str | os.PathLike):
        run = run_at(Path(given))
        if run is None:
            return None
        return GivenRun(run.model_path, run.predictions_path, run.load_dataset)
    if isinstance(getattr(given, "predictions", None), Predictions):
        return GivenRun(given.model, given.predictions, lambda: given.dataset)
    return None


def given_model(model: GivenModel) -> Path | bytes | ModelFile:
    """Return a model as a path, as the bytes of a .tflite or a bundle, or as it was checked before.

    Raises:
        InputError: it is none of these.
    """
    if isinstance(model, str | os.PathLike):
        return Path(model)
    held = getattr(model, "file", model)
    data = getattr(model, "data", model)
    if isinstance(held, ModelFile):
        return held
    if isinstance(data, bytes):
        return data
    raise InputError(
        "Expected a model as the path or the bytes of a .tflite or a bundle, got "
        f"{type(model).__name__}; convert a Keras model first, with converter.convert."
    )


def unchecked_model(model: GivenModel, *, name: str = "the model") -> ModelFile:
    """Return a model that was read, with its manifest, and not run.

    Raises:
        InputError: it is in no form that a model may have.
        ModelError: the file is missing, or the bundle is damaged.
    """
    given = given_model(model)
    if isinstance(given, Path):
        return read_model(given)
    if isinstance(given, bytes):
        is_zip = given.startswith(_ZIP)
        return bundled_model(given, name=name) if is_zip else ModelFile(name, given)
    return given


def checked_model(
    model: GivenModel,
    *,
    backend: Backend | str | None = None,
    kernels: Kernels = "auto",
    name: str = "the model",
) -> ModelFile:
    """Return a model that has passed every check, as `open_model` makes them.

    Args:
        model: the path or the bytes of a .tflite or a bundle, what `convert` or `bundle` returned,
            or what was checked before.
        backend: what will run it, or its name.
        kernels: which kernels will run it.
        name: what to call it if it comes as bytes.

    Raises:
        InputError: it is none of these.
        ModelError: it is missing, damaged, or cannot be run.
        MissingDependencyError: the backend is not installed.
    """
    given = given_model(model)
    if isinstance(given, ModelFile):
        return given
    if isinstance(given, Path):
        return open_model(given, backend=backend, kernels=kernels)
    file = unchecked_model(given, name=name)
    examine(file, backend=choose_backend(backend), kernels=kernels)
    return file
