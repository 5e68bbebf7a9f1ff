"""A classifier in a forked process under limits, for a model that nobody vouches for.

The checks have run such a model on a few images only. On another one it may loop for ever or ask
for gigabytes, since a graph can hold loops and tensors whose size depends on the pixels.
"""

import json
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import ModelError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.loading import limits
from edge_runtime.inference.loading.probe import probe_images
from edge_runtime.inference.network import Network
from edge_runtime.models.model_file import ModelFile
from edge_runtime.runtimes.delegation import Delegation
from edge_runtime.runtimes.forked import Function, Worker, WorkerLostError

# How much longer than one of the images of the probe an image may take, beside the seconds that all
# are given. Without loops and dynamic tensors time does not depend on pixels, so this only has to
# allow for a machine that does other things as well, or is throttled.
_TIMES_THE_PROBE = 20
# Of the clock on the wall, for each second of processor time.
_WALL = 4

_PREDICT, _DELEGATION, _TIME = b"p", b"d", b"t"


class ConfinedClassifier(Classifier):
    """A classifier whose interpreter is in a forked process, under limits of time and memory.

    It starts such a process when it needs one, and another after one was lost.
    """

    def _open(self) -> None:
        self._worker: Worker | None = None
        self._seconds: float | None = None

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the (N, K) float32 probabilities of (N, H, W, C) uint8 images.

        Raises:
            InputError: the array has another dtype or shape.
            ModelError: the runtime fails, dies or takes too long or too much memory.
        """
        return self.predict_each(images)[0]

    def predict_each(
        self, images: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Predict one image after the other, as `Classifier.predict_each` does."""
        self.refuse_wrong_input(images)
        count, classes = len(images), len(self.class_names)
        reply = self._ask(_PREDICT + images.tobytes(), count)
        if len(reply) != count * (4 * classes + 8):
            raise ModelError(f"{self.name}: expected {classes} numbers for each image.")
        probabilities = np.frombuffer(reply, np.float32, count * classes).reshape(count, classes)
        return probabilities.copy(), np.frombuffer(reply, np.float64, count, 4 * count * classes)

    def raw_outputs(self, images: NDArray[np.uint8]) -> NDArray[Any]:
        """Not offered: what has passed only these checks is asked for probabilities alone."""
        raise ModelError(f"{self.name}: a confined model gives probabilities only.")

    def delegation(self) -> Delegation:
        """Return which operators XNNPACK took over."""
        found = json.loads(self._ask(_DELEGATION, 1))
        return Delegation(tuple(found["outside_xnnpack"]), found["operator_count"])

    def _ask(self, request: bytes, count: int) -> bytes:
        if self._closed:
            self._refuse()
        # Taken out meanwhile, so that whoever calls in between has another one.
        worker, self._worker = self._worker or Worker(self._function), None
        try:
            if self._seconds is None:
                worker.send(_TIME)
                self._seconds = float(worker.receive(seconds=_WALL * limits.CPU_SECONDS))
            worker.send(request)
            reply = worker.receive(seconds=_WALL * _allowed_seconds(self._seconds, count))
        except WorkerLostError as error:
            worker.close()
            raise ModelError(f"{self.name}: on this image {error}.") from error
        except ModelError:
            self._keep(worker)
            raise
        except BaseException:
            worker.close()
            raise
        self._keep(worker)
        return reply

    def _keep(self, worker: Worker) -> None:
        if self._worker is None and not self._closed:
            self._worker = worker
        else:
            worker.close()

    def _function(self) -> Function:
        """Load the model in the forked process, and return what answers requests there."""
        self.backend.import_runtime()
        limits.limit_this_process(len(self._data))
        network = Network(
            ModelFile(self.name, self._data),
            backend=self.backend,
            threads=self.threads,
            class_names=self.class_names,
            kernels=self.kernels,
        )
        shape = self.preprocessing.shape
        network.predict(probe_images(shape))  # the first time takes longer
        seconds = float(network.predict_each(probe_images(shape))[1].max())

        def answer(request: bytes) -> bytes:
            kind, payload = request[:1], request[1:]
            if kind == _TIME:
                return str(seconds).encode()
            if kind == _DELEGATION:
                return json.dumps(asdict(network.delegation())).encode()
            images = np.frombuffer(payload, np.uint8).reshape(-1, *shape)
            allowed = _allowed_seconds(seconds, len(images))
            limits.limit_processor_time(allowed * self.threads)
            probabilities, taken = network.predict_each(images)
            return probabilities.tobytes() + taken.tobytes()

        return answer

    def renew(self) -> None:
        """Leave the process to the parent of a fork; another is started when it is needed."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.abandon()

    def close(self) -> None:
        """End the process."""
        self._closed = True
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()


def _allowed_seconds(seconds: float, count: int) -> float:
    return limits.CPU_SECONDS + _TIMES_THE_PROBE * seconds * count
