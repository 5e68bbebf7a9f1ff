"""What is compared: each model with each backend and each set of kernels, and the images for it."""

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_runtime.data.datasets import Dataset
from edge_runtime.errors import DatasetError, InputError, ModelError
from edge_runtime.files.reading import resolved, sha256
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.evaluation import refuse_misfit
from edge_runtime.inference.given import GivenModel, checked_model, given_model
from edge_runtime.models.model_file import ModelFile, model_stem
from edge_runtime.runtimes.backends import Backend, Kernels

_MOST_IMAGES = 1000
_PICTURES = 100


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
    for (name, source), backend, kernel in itertools.product(models.items(), backends, kernels):
        file = checked_model(source, backend=backend, kernels=kernel, name=name)
        extras = [backend.name] * (len(backends) > 1) + [kernel] * (len(kernels) > 1)
        path = source if isinstance(source, Path) else None
        full_name = ", ".join([name, *extras])
        found.append(Contestant(full_name, path, file, backend, kernel, threads))
    return found


@dataclass(frozen=True, eq=False)
class Material:
    """What contestants are given: (N, H, W, C) uint8 images, or else those of the dataset.

    Contestants that the dataset does not fit are refused if it must fit. Otherwise they are given
    noise, as without any images.
    """

    images: NDArray[np.uint8] | None = None
    dataset: Dataset | None = None
    must_fit: bool = True


@dataclass(frozen=True, eq=False)
class Subject:
    """A contestant that is loaded, with what it is given to do.

    Attributes:
        contestant: which; the ``classifier`` is its model, loaded.
        load_ms: how long that took, the median.
        dataset: whose test images it is given; None where none fit it.
        images: (N, H, W, C) uint8, at most 1,000 of them, or noise where none fit.
        files: PNG files of the first of them.
    """

    contestant: Contestant
    classifier: Classifier
    load_ms: float
    dataset: Dataset | None
    images: NDArray[np.uint8]
    files: list[Path]


def open_subject(
    contestant: Contestant, material: Material, *, loads: int, folder: Path
) -> Subject:
    """Load a contestant ``loads`` times, find images for it, and write some of them to a folder.

    Raises:
        InputError: the images are of another size than it takes.
        DatasetError: the dataset must fit and does not.
    """
    classifier, load_ms = _load(contestant, loads)
    dataset = _fitting(classifier, material)
    shape, images = classifier.preprocessing.shape, material.images
    if images is not None and images.shape[1:] != shape:
        raise InputError(
            f"{contestant.name} takes images of {shape}, got {images.shape[1:]}; give images of "
            "that size."
        )
    if images is None and dataset is not None:
        images = dataset.test.images
    if images is None:
        images = np.random.default_rng(0).integers(0, 256, (_PICTURES, *shape), np.uint8)
    pictures, files = Path(tempfile.mkdtemp(dir=folder)), []
    for number, image in enumerate(images[:_PICTURES]):
        files.append(pictures / f"{number:04}.png")
        Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(files[-1])
    return Subject(contestant, classifier, load_ms, dataset, images[:_MOST_IMAGES], files)


def _load(contestant: Contestant, times: int) -> tuple[Classifier, float]:
    """Return a loaded classifier, and the median time that loading took, in milliseconds."""
    contestant.load().close()  # the first one imports the runtime
    taken = []
    for _ in range(times):
        start = time.perf_counter_ns()
        classifier = contestant.load()
        taken.append((time.perf_counter_ns() - start) / 1e6)
    return classifier, statistics.median(taken)


def _fitting(classifier: Classifier, material: Material) -> Dataset | None:
    """Return the dataset if the classifier takes its images and knows its classes, else None."""
    dataset = material.dataset
    if dataset is None or len(dataset.test) == 0:
        return None
    shape, names = classifier.preprocessing.shape, classifier.class_names
    try:
        refuse_misfit(classifier.name, shape, names, dataset)
    except DatasetError:
        if material.must_fit:
            raise
        return None
    return dataset
