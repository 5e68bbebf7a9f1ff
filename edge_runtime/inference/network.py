"""A loaded .tflite image classifier, from pixels to probabilities."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.images import Preprocessing
from edge_runtime.errors import EdgeError, InputError, ModelError
from edge_runtime.inference.invocation import Finish, Invocation, Run
from edge_runtime.inference.quantization import decoder, softmax
from edge_runtime.inference.tensors import classifier_tensors, fitting_names, inspect_file
from edge_runtime.models.inspection import ModelSummary, TensorInfo
from edge_runtime.models.manifest import Output
from edge_runtime.models.model_file import ModelFile
from edge_runtime.runtimes.backends import Backend, Kernels
from edge_runtime.runtimes.closing import Closing
from edge_runtime.runtimes.delegation import Delegation
from edge_runtime.runtimes.forking import renew_in_forks

_ARRAY, _PIXEL = np.ndarray, np.dtype(np.uint8)


def _as_it_is(raw: NDArray[Any]) -> NDArray[Any]:
    return raw


class Network(Closing):
    """A loaded .tflite image classifier that takes raw uint8 pixels.

    It checks nothing but that its file is an image classifier: that was checked before, or may harm
    this process. Its options are those of `Classifier`.

    Raises:
        ModelError: the file is no image classifier, or the names do not fit it.
        InputError: ``threads`` is not a whole number from 1 on.
    """

    def __init__(
        self,
        file: ModelFile,
        *,
        backend: Backend,
        threads: int = 1,
        class_names: tuple[str, ...] | None = None,
        kernels: Kernels = "auto",
    ) -> None:
        refuse_wrong_threads(threads)
        self.backend = backend
        self.name = file.name
        self.summary: ModelSummary = inspect_file(file)
        self._input, self._output = classifier_tensors(self.summary, file.name)
        self.batch_size, height, width, channels = (*self._input.shape, 1)[:4]
        self.preprocessing = Preprocessing(height, width, channels)
        self.output: Output = "probabilities" if self.summary.ends_in_softmax else "logits"
        if file.manifest:
            self.preprocessing, self.output = file.manifest.preprocessing, file.manifest.output
            class_names = file.manifest.class_names if class_names is None else class_names
        self.class_names = fitting_names(
            class_names, class_count=self._output.shape[1], name=file.name
        )
        if self.preprocessing.shape != (height, width, channels):
            raise ModelError(
                f"{file.name}: the manifest is for images of {self.preprocessing.shape}, the "
                f"model's input is {(height, width, channels)}; convert the model again."
            )
        self.threads = threads
        self.kernels = kernels
        self.batch_shape = (self.batch_size, height, width, channels)
        self._data = file.data
        decode = decoder(self._output)
        self._finish: Finish = (
            decode if self.output == "probabilities" else lambda raw: softmax(decode(raw))
        )
        self._closed = False
        self._open()
        renew_in_forks(self)

    def _open(self) -> None:
        self._invocation: Callable[[], Invocation] = self._load
        self._run: Run = self._load().run

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the (N, K) float32 probabilities of (N, H, W, C) uint8 images.

        Raises:
            InputError: the array has another dtype or shape.
        """
        if type(images) is _ARRAY and images.dtype is _PIXEL and images.shape == self.batch_shape:
            return self._answer(images, self._finish)  # the commonest case takes no detour
        return self._in_batches(images, self._finish, np.float32)

    def predict_each(
        self, images: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Predict one image after the other, as on a device, and take the time of each.

        Args:
            images: (N, H, W, C) uint8.

        Returns:
            The (N, K) float32 probabilities, and (N,) how many seconds each image took.

        Raises:
            InputError: the array has another dtype or shape.
            ModelError: the runtime fails on one of them.
        """
        self.refuse_wrong_input(images)
        probabilities = np.empty((len(images), len(self.class_names)), np.float32)
        seconds = np.empty(len(images))
        for index in range(len(images)):
            start = time.perf_counter()
            probabilities[index] = self.predict(images[index : index + 1])[0]
            seconds[index] = time.perf_counter() - start
        return probabilities, seconds

    def raw_outputs(self, images: NDArray[np.uint8]) -> NDArray[Any]:
        """Return the (N, K) numbers of the output tensor in its dtype, not dequantized.

        Raises:
            InputError: the array has another dtype or shape.
        """
        return self._in_batches(images, _as_it_is, self._output.dtype)

    def _in_batches(self, images: NDArray[np.uint8], finish: Finish, dtype: Any) -> NDArray[Any]:
        self.refuse_wrong_input(images)
        answers = np.empty((len(images), len(self.class_names)), dtype)
        for start in range(0, len(images), self.batch_size):
            part = images[start : start + self.batch_size]
            whole = self._answer(self._filled_up(part), finish)
            answers[start : start + len(part)] = whole[: len(part)]
        return answers

    def _answer(self, batch: NDArray[np.uint8], finish: Finish) -> NDArray[Any]:
        try:
            return self._run(batch, finish)
        except EdgeError:
            raise
        except (RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise ModelError(
                f"{self.name}: {self.backend.package} fails on this image: {reason}"
            ) from error

    def _filled_up(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the images with black ones behind them, up to a whole batch."""
        missing = self.batch_size - len(images)
        if not missing:
            return images
        return np.concatenate([images, np.zeros((missing, *images.shape[1:]), np.uint8)])

    @property
    def output_tensor(self) -> TensorInfo:
        """The model's output."""
        return self._output

    def delegation(self) -> Delegation:
        """Return which operators XNNPACK took over."""
        return self._invocation().delegation()

    def _load(self) -> Invocation:
        interpreter = self.backend.load(self._data, threads=self.threads, kernels=self.kernels)
        invocation = Invocation(interpreter, self._input, self._output)
        self._invocation, self._run = lambda: invocation, invocation.run
        return invocation

    def _refuse(self) -> Invocation:
        raise ModelError(f"{self.name}: this classifier is closed; make a new one.")

    def _forget(self, then: Callable[[], Invocation]) -> None:
        self._invocation = then
        self._run = lambda images, finish: then().run(images, finish)

    def renew(self) -> None:
        """Load the model anew when it is next used: an interpreter does not survive a fork."""
        if not self._closed:
            self._forget(self._load)

    def refuse_wrong_input(self, images: Any) -> None:
        """Raise unless these are images that the model can take.

        Raises:
            InputError: the array has another dtype or shape.
        """
        expected = self.preprocessing.shape
        what = f"Expected a NumPy array of uint8 pixels 0..255 with shape (N, {expected[0]}, "
        what += f"{expected[1]}, {expected[2]})"
        if not isinstance(images, np.ndarray):
            raise InputError(f"{what}, got {type(images).__name__}.")
        if images.dtype != np.uint8:
            raise InputError(
                f"{what}, got {images.dtype}; give the raw pixels, without scaling them."
            )
        if images.ndim != 4 or images.shape[1:] != expected:
            raise InputError(f"{what}, got {images.shape}; resize the images first.")

    def close(self) -> None:
        """Give the interpreter's memory back, as soon as no other thread is within a batch.

        A call of another thread that has more batches to do raises ModelError.
        """
        self._closed = True
        self._forget(self._refuse)


def refuse_wrong_threads(threads: Any) -> None:
    """Raise InputError unless this is a number of threads."""
    if type(threads) is not int or threads < 1:
        raise InputError(f"Expected threads to be a whole number from 1 on, got {threads!r}.")
