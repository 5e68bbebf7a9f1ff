"""What is compared: each model with each backend and each set of kernels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_runtime.errors import InputError, ModelError
from edge_runtime.files.reading import resolved, sha256
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.given import GivenModel, checked_model, given_model
from edge_runtime.models.model_file import ModelFile, model_stem
from edge_runtime.runtimes.backends import Backend, Kernels


@dataclass(frozen=True, eq=False)
class Contestant:
    """A model with what runs it.

    Attributes:
        name: what tables call it; no other has the same.
        path: its file; None for a model that was given as bytes.
        file: what was read from it, and passed every check.
        backend: the runtime.
        kernels: which of its kernels.
        threads: of the interpreter.
    """

    name: str
    path: Path | None
    file: ModelFile = field(repr=False)
    backend: Backend
    kernels: Kernels
    threads: int = 1

    @property
    def sha256(self) -> str:
        """The hash of the .tflite bytes."""
        return sha256(self.file.data)

    def load(self) -> Classifier:
        """Return a classifier of its own."""
        return Classifier(
            self.file, backend=self.backend, kernels=self.kernels, threads=self.threads
        )


def named_models(
    models: GivenModel | Sequence[GivenModel] | Mapping[str, GivenModel],
    *,
    name_of: Callable[[Path], str] = model_stem,
) -> dict[str, Path | bytes | ModelFile]:
    """Return models by name: a mapping's keys, or else what ``name_of`` says of their paths.

    The path without its suffix is the name where names clash; bytes are "model 1" and so on.

    Raises:
        InputError: these are no models, or none at all.
        ModelError: one is named twice.
    """
    names: list[str] = []
    given: list[Any] = [models]
    if isinstance(models, Mapping):
        names, given = list(models), list(models.values())
        if not all(isinstance(name, str) and name for name in names):
            raise InputError(f"Expected names of models to be text, got {names!r}.")
    elif isinstance(models, list | tuple):
        given = list(models)
    sources = [given_model(each) for each in given]
    if not sources:
        raise InputError("Expected at least one model, got none; give a .tflite file or a bundle.")
    paths = [resolved(each) for each in sources if isinstance(each, Path)]
    for source in sources:
        if isinstance(source, Path) and paths.count(resolved(source)) > 1:
            raise ModelError(f"{source} is named twice; name each model once.")
    names = names or _names(sources, name_of)
    if len(set(names)) < len(names):
        raise ModelError(f"Several models are called {max(names, key=names.count)}; name them.")
    return dict(zip(names, sources, strict=True))


def _names(
    sources: Sequence[Path | bytes | ModelFile], name_of: Callable[[Path], str]
) -> list[str]:
    names = []
    for number, source in enumerate(sources, 1):
        if isinstance(source, Path):
            names.append(name_of(source))
        else:
            names.append(f"model {number}" if isinstance(source, bytes) else source.name)
    return [
        str(source.with_name(name)) if names.count(name) > 1 and isinstance(source, Path) else name
        for source, name in zip(sources, names, strict=True)
    ]


def open_contestants(
    models: Mapping[str, Path | bytes | ModelFile],
    *,
    backends: Sequence[Backend],
    kernels: Sequence[Kernels] = ("auto",),
    threads: int = 1,
) -> list[Contestant]:
    """Check each model for each backend and set of kernels, and return all combinations in order.

    Raises:
        ModelError: a file is missing, damaged, or no image classifier.
        MissingDependencyError: a backend is not installed.
    """
    found = []
    for name, source in models.items():
        for backend in backends:
            for kernel in kernels:
                file = checked_model(source, backend=backend, kernels=kernel, name=name)
                extras = [backend.name] * (len(backends) > 1) + [kernel] * (len(kernels) > 1)
                path = source if isinstance(source, Path) else None
                full_name = ", ".join([name, *extras])
                found.append(Contestant(full_name, path, file, backend, kernel, threads))
    return found
