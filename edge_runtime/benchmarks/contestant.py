"""What is compared: each model with each backend and each set of kernels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import ModelError
from edge_runtime.files.reading import sha256
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.loading import open_model
from edge_runtime.models.model_file import ModelFile, model_stem
from edge_runtime.runtimes.backends import Backend, Kernels


@dataclass(frozen=True, eq=False)
class Contestant:
    """A model with what runs it.

    Attributes:
        name: what tables call it; no other has the same.
        path: its file.
        file: what was read from it, and passed every check.
        backend: the runtime.
        kernels: which of its kernels.
        threads: of the interpreter.
    """

    name: str
    path: Path
    file: ModelFile
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


def open_contestants(
    paths: Sequence[Path],
    *,
    backends: Sequence[Backend],
    kernels: Sequence[Kernels] = ("auto",),
    threads: int = 1,
    name_of: Callable[[Path], str] = model_stem,
) -> tuple[Contestant, ...]:
    """Check each model for each backend, and return all combinations in the order of the paths.

    Args:
        paths: the models.
        backends: the runtimes.
        kernels: the sets of their kernels.
        threads: of each interpreter.
        name_of: what to call a file; its path is used where names clash.

    Raises:
        ModelError: a file is missing, damaged, no image classifier, or named twice.
        MissingDependencyError: a backend is not installed.
    """
    _refuse_repeated(paths)
    names = _names(paths, name_of)
    found = []
    for path in paths:
        for backend in backends:
            for kernel in kernels:
                file = open_model(path, backend=backend, kernels=kernel)
                extras = [backend.name] * (len(backends) > 1) + [kernel] * (len(kernels) > 1)
                found.append(
                    Contestant(
                        name=", ".join([names[path], *extras]),
                        path=path,
                        file=file,
                        backend=backend,
                        kernels=kernel,
                        threads=threads,
                    )
                )
    return tuple(found)


def _refuse_repeated(paths: Sequence[Path]) -> None:
    resolved = [path.resolve() for path in paths]
    for path, place in zip(paths, resolved, strict=True):
        if resolved.count(place) > 1:
            raise ModelError(f"{path} is named twice; name each model once.")


def _names(paths: Sequence[Path], name_of: Callable[[Path], str]) -> dict[Path, str]:
    """Return a name for each path, or the path without its suffix where names clash."""
    stems = [name_of(path) for path in paths]
    return {
        path: stem if stems.count(stem) == 1 else str(path.with_name(stem))
        for path, stem in zip(paths, stems, strict=True)
    }
