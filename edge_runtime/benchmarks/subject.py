"""A contestant that is loaded, and the images that it is given."""

import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_runtime.benchmarks.contestant import Contestant
from edge_runtime.data.datasets import Dataset
from edge_runtime.errors import DatasetError, InputError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.evaluation import refuse_misfit

_MOST_IMAGES = 1000
_PICTURES = 100
_SEED = 0


@dataclass(frozen=True, eq=False)
class Material:
    """What contestants are given.

    Attributes:
        images: (N, H, W, C) uint8 pixels; None for those of the dataset.
        dataset: whose test images they are given if they fit; without any they are given noise.
        must_fit: refuse contestants that the dataset does not fit.
    """

    images: NDArray[np.uint8] | None = None
    dataset: Dataset | None = None
    must_fit: bool = True


@dataclass(frozen=True, eq=False)
class Subject:
    """A contestant that is loaded, with what it is given to do.

    Attributes:
        contestant: which.
        classifier: its model, loaded.
        load_ms: how long that took, the median.
        dataset: whose test images it is given; None where none fit it.
        images: (N, H, W, C) uint8, at most 1,000 of them, or noise where none fit.
        pictures: a folder of PNG files of the first of them.
    """

    contestant: Contestant
    classifier: Classifier
    load_ms: float
    dataset: Dataset | None
    images: NDArray[np.uint8]
    pictures: Path

    @property
    def files(self) -> list[Path]:
        """The pictures, in a fixed order."""
        return sorted(self.pictures.iterdir())


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
        images = np.random.default_rng(_SEED).integers(0, 256, (_PICTURES, *shape), np.uint8)
    pictures = Path(tempfile.mkdtemp(dir=folder))
    for number, image in enumerate(images[:_PICTURES]):
        pixels = image[..., 0] if image.shape[-1] == 1 else image
        Image.fromarray(pixels).save(pictures / f"{number:04}.png")
    return Subject(contestant, classifier, load_ms, dataset, images[:_MOST_IMAGES], pictures)


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
