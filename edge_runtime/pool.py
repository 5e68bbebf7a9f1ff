"""Many images at once: several interpreters of one model, a thread for each."""

import itertools
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.backends import Backend, Kernels
from edge_runtime.classifier import Classifier
from edge_runtime.closing import Closing
from edge_runtime.errors import InputError, ModelError
from edge_runtime.loading import open_model
from edge_runtime.model_file import ModelFile

# Parts for each worker: with more of them the last one to finish is waited for less.
_PARTS = 8


class ClassifierPool(Closing):
    """Several classifiers of one model that share the work on an array of images.

    An interpreter lets other threads run Python while it computes, but a small network takes so
    little time that they wait for each other in between. A file with a larger static batch
    (`fmnist-edge convert --batch 16`) makes that rare.

    Args:
        model: a .tflite file or a bundle, which is checked first; or one that this was done for.
        workers: how many; by default as many as there are cores for this process.
        backend: as in `Classifier`.
        kernels: as in `Classifier`.

    Raises:
        ModelError: the file is damaged, or is no image classifier.
        InputError: ``workers`` is not a whole number from 1 on.
        MissingDependencyError: the backend is not installed.
    """

    def __init__(
        self,
        model: str | Path | ModelFile,
        *,
        workers: int | None = None,
        backend: Backend | str | None = None,
        kernels: Kernels = "auto",
    ) -> None:
        count = usable_cores() if workers is None else workers
        if type(count) is not int or count < 1:
            raise InputError(f"Expected workers to be a whole number from 1 on, got {workers!r}.")
        file = (
            model
            if isinstance(model, ModelFile)
            else open_model(Path(model), backend=backend, kernels=kernels)
        )
        self._classifiers = [
            Classifier(file, backend=backend, kernels=kernels) for _ in range(count)
        ]
        self._threads: ThreadPoolExecutor | None = ThreadPoolExecutor(count)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the probabilities."""
        return self._classifiers[0].class_names

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the (N, K) float32 probabilities of (N, H, W, C) uint8 images, in their order.

        Raises:
            InputError: the array has another dtype or shape.
            ModelError: the pool is closed.
        """
        first, *others = self._classifiers
        first.refuse_wrong_input(images)
        if self._threads is None:
            raise ModelError(f"{first.name}: this pool is closed; make a new one.")
        answers = np.empty((len(images), len(self.class_names)), np.float32)
        batch = first.batch_size
        size = max(1, len(images) // (_PARTS * len(self._classifiers) * batch)) * batch
        starts = itertools.count(step=size)  # `next` of it is one step that no thread interrupts
        work = [
            self._threads.submit(_work, classifier, images, answers, starts, size)
            for classifier in others
        ]
        _work(first, images, answers, starts, size)
        for done in work:
            done.result()
        return answers

    def close(self) -> None:
        """Give the interpreters' memory back."""
        if self._threads is not None:
            self._threads.shutdown()
        self._threads = None
        for classifier in self._classifiers:
            classifier.close()


def _work(
    classifier: Classifier,
    images: NDArray[np.uint8],
    answers: NDArray[np.float32],
    starts: Iterator[int],
    size: int,
) -> None:
    while (start := next(starts)) < len(images):
        answers[start : start + size] = classifier.predict(images[start : start + size])


def usable_cores() -> int:
    """Return how many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1
