"""Many images at once: several interpreters of one model, a thread for each."""

import itertools
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import InputError, ModelError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.given import GivenModel, checked_model
from edge_runtime.runtimes.backends import Backend, Kernels
from edge_runtime.runtimes.closing import Closing
from edge_runtime.runtimes.forking import renew_in_forks

# Parts for each worker: with more of them the last one to finish is waited for less.
_PARTS = 8


class ClassifierPool(Closing):
    """Several classifiers of one model that share the work on an array of images.

    Several threads may use one, also while another closes it, and so may a forked process, which
    starts threads and loads the model anew for itself.

    An interpreter lets other threads run Python while it computes, but a small network takes so
    little time that they wait for each other in between. A file with a larger static batch
    (`fmnist-edge convert --batch 16`) makes that rare.

    Args:
        model: as in `Classifier`.
        workers: how many; by default as many as there are cores for this process.
        backend: as in `Classifier`.
        kernels: as in `Classifier`.

    Raises:
        ModelError: the file is damaged, or is no image classifier.
        InputError: ``workers`` is not a whole number from 1 on.
        MissingDependencyError: the backend is not installed.

    Examples:
        >>> images = load_dataset("sample").test.images
        >>> with ClassifierPool("int8.tflite", workers=2) as pool:
        ...     pool.predict(images).shape
        (1000, 10)
    """

    def __init__(
        self,
        model: GivenModel,
        *,
        workers: int | None = None,
        backend: Backend | str | None = None,
        kernels: Kernels = "auto",
    ) -> None:
        count = usable_cores() if workers is None else workers
        if type(count) is not int or count < 1:
            raise InputError(f"Expected workers to be a whole number from 1 on, got {workers!r}.")
        file = checked_model(model, backend=backend, kernels=kernels)
        self._load = partial(Classifier, file, backend=backend, kernels=kernels)
        self._classifiers = [self._load() for _ in range(count)]
        self._crew: _Crew | None = _Crew(self._classifiers, self._load)
        renew_in_forks(self)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the probabilities."""
        return self._classifiers[0].class_names

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the (N, K) float32 probabilities of (N, H, W, C) uint8 images, in their order.

        Raises:
            InputError: the array has another dtype or shape.
            ModelError: the pool is closed, or was closed meanwhile, or the runtime fails.
        """
        self._classifiers[0].refuse_wrong_input(images)
        crew = self._crew
        if crew is None:
            raise self._closed()
        try:
            return crew.predict(images)
        except (ModelError, RuntimeError) as error:
            if self._crew is not crew:
                raise self._closed() from None
            if isinstance(error, ModelError):
                raise
            raise ModelError(f"{self._classifiers[0].name}: no thread starts: {error}.") from error

    def renew(self) -> None:
        """Have threads of its own in a fork, where those of the parent are not."""
        if self._crew is not None:
            self._crew = _Crew(self._classifiers, self._load)

    def close(self) -> None:
        """Give the interpreters' memory back.

        A call of another thread that is under way raises ModelError.
        """
        crew, self._crew = self._crew, None
        for classifier in self._classifiers:
            classifier.close()
        if crew is not None:
            crew.dismiss()

    def _closed(self) -> ModelError:
        return ModelError(f"{self._classifiers[0].name}: this pool is closed; make a new one.")


class _Crew:
    """Threads, and as many classifiers, each of which one thread has to itself while it works."""

    def __init__(self, classifiers: list[Classifier], load: Callable[[], Classifier]) -> None:
        self._classifiers, self._load = classifiers, load
        self._threads = ThreadPoolExecutor(len(classifiers))
        self._idle: SimpleQueue[Classifier] = SimpleQueue()
        for classifier in classifiers:
            self._idle.put(classifier)
        # The callers within `submit`, which a signal handler of the same thread must not call.
        self._submitting: set[int] = set()

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the (N, K) probabilities."""
        job = _Job(images, self._classifiers[0], workers=len(self._classifiers))
        if threading.get_ident() in self._submitting:
            with self._load() as classifier:
                job.work(classifier)
            return job.answers
        try:
            self._submit(job)
            job.wait()
        finally:
            job.stopped = True  # also when Ctrl-C ended the waiting
        return job.answers

    def _submit(self, job: "_Job") -> None:
        caller = threading.get_ident()
        self._submitting.add(caller)
        try:
            for _ in range(job.hands):
                self._threads.submit(self._work, job)
        finally:
            self._submitting.discard(caller)

    def _work(self, job: "_Job") -> None:
        # It may have to wait: Ctrl-C within `submit` can leave the executor a thread too many.
        classifier = self._idle.get()
        try:
            job.work(classifier)
        except BaseException as error:
            job.ended.put(error)
        else:
            job.ended.put(None)
        finally:
            self._idle.put(classifier)

    def dismiss(self) -> None:
        """End the threads."""
        if threading.get_ident() not in self._submitting:
            self._threads.shutdown()


class _Job:
    """An array of images, and the answers as far as they are there.

    Attributes:
        hands: how many threads are to work at it.
        stopped: whether they are to leave the rest.
        ended: has what each of them ended with, an error or None. A thread can put it there
            whatever the waiting one does; a future it could not while a signal handler interrupts
            `Future.result`, which holds a lock.
    """

    def __init__(self, images: NDArray[np.uint8], model: Classifier, *, workers: int) -> None:
        self.answers = np.empty((len(images), len(model.class_names)), np.float32)
        self.stopped = False
        self.ended: SimpleQueue[BaseException | None] = SimpleQueue()
        self._images = images
        batch = model.batch_size
        self._size = max(1, len(images) // (_PARTS * workers * batch)) * batch
        self._starts = itertools.count(step=self._size)  # no thread interrupts its `next`
        self.hands = min(workers, -(-len(images) // self._size))

    def wait(self) -> None:
        """Wait until all have ended.

        Raises:
            Exception: what the first to fail ended with.
        """
        for error in [self.ended.get() for _ in range(self.hands)]:
            if error is not None:
                raise error

    def work(self, classifier: Classifier) -> None:
        """Answer one part after the other, until none is left or another thread has failed."""
        try:
            while not self.stopped and (start := next(self._starts)) < len(self._images):
                part = slice(start, start + self._size)
                self.answers[part] = classifier.predict(self._images[part])
        except BaseException:
            self.stopped = True
            raise


def usable_cores() -> int:
    """Return how many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1
