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
from edge_runtime.errors import DatasetError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.evaluation import refuse_misfit

_MOST_IMAGES = 1000
_PICTURES = 100
_SEED = 0


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
    contestant: Contestant,
    *,
    loads: int,
    dataset: Dataset | None,
    must_fit: bool,
    folder: Path,
) -> Subject:
    """Load a contestant and find images for it.

    Args:
        contestant: which.
        loads: how often it is loaded, to measure that.
        dataset: whose test images it is given if they fit.
        must_fit: refuse it if they do not.
        folder: where to make a folder for PNG files.

    Raises:
        DatasetError: the images must fit and do not.
    """
    classifier, load_ms = _load(contestant, loads)
    fitting = _fitting(classifier, dataset, must_fit=must_fit)
    images = _images(classifier, fitting)
    pictures = Path(tempfile.mkdtemp(dir=folder))
    _write_pictures(images, pictures)
    return Subject(contestant, classifier, load_ms, fitting, images, pictures)


def _load(contestant: Contestant, times: int) -> tuple[Classifier, float]:
    """Return a loaded classifier, and the median time that loading took, in milliseconds."""
    contestant.load().close()  # the first one imports the runtime
    taken = []
    for _ in range(times):
        start = time.perf_counter_ns()
        classifier = contestant.load()
        taken.append((time.perf_counter_ns() - start) / 1e6)
    return classifier, statistics.median(taken)


def _fitting(classifier: Classifier, dataset: Dataset | None, *, must_fit: bool) -> Dataset | None:
    """Return the dataset if the classifier takes its images and knows its classes, else None."""
    if dataset is None or len(dataset.test) == 0:
        return None
    try:
        refuse_misfit(
            classifier.name, classifier.preprocessing.shape, classifier.class_names, dataset
        )
    except DatasetError:
        if must_fit:
            raise
        return None
    return dataset


def _images(classifier: Classifier, dataset: Dataset | None) -> NDArray[np.uint8]:
    """Return (N, H, W, C) test images as a classifier wants them, or else seeded noise."""
    if dataset is not None:
        return dataset.test.images[:_MOST_IMAGES]
    shape = classifier.preprocessing.shape
    return np.random.default_rng(_SEED).integers(0, 256, (_PICTURES, *shape), np.uint8)


def _write_pictures(images: NDArray[np.uint8], folder: Path) -> None:
    """Write some images as PNG files."""
    for number, image in enumerate(images[:_PICTURES]):
        pixels = image[..., 0] if image.shape[-1] == 1 else image
        Image.fromarray(pixels).save(folder / f"{number:04}.png")
