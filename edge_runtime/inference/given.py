"""Models in each form that a caller may have them in."""

from pathlib import Path
from typing import Protocol, TypeAlias

from edge_runtime.errors import InputError
from edge_runtime.inference.loading.opening import examine, open_model
from edge_runtime.models.model_file import ModelFile
from edge_runtime.runtimes.backends import Backend, Kernels, choose_backend


class HasFile(Protocol):
    """What holds a model that was checked before, as what `converter.convert` returns does."""

    @property
    def file(self) -> ModelFile:
        """The model."""


GivenModel: TypeAlias = str | Path | bytes | ModelFile | HasFile


def checked_model(
    model: GivenModel, *, backend: Backend | str | None = None, kernels: Kernels = "auto"
) -> ModelFile:
    """Return a model that has passed every check, as `open_model` makes them.

    Raises:
        InputError: it is no `GivenModel`.
        ModelError: it is missing, damaged, or cannot be run.
        MissingDependencyError: the backend is not installed.
    """
    if isinstance(model, ModelFile):
        return model
    if isinstance(model, bytes):
        file = ModelFile("the model", model)
        examine(file, backend=choose_backend(backend), kernels=kernels)
        return file
    if isinstance(model, str | Path):
        return open_model(Path(model), backend=backend, kernels=kernels)
    held = getattr(model, "file", None)
    if isinstance(held, ModelFile):
        return held
    raise InputError(
        "Expected a model as the path of a .tflite or a bundle, or as the bytes of a .tflite, got "
        f"{type(model).__name__}; convert a Keras model first, with converter.convert."
    )
