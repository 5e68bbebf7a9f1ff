"""From a model file and a picture to what it shows."""

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.images import Invert, read_picture
from edge_runtime.errors import ModelError
from edge_runtime.inference.given import GivenModel, checked_model
from edge_runtime.inference.network import Network, refuse_wrong_threads
from edge_runtime.runtimes.backends import Backend, Kernels, choose_backend
from edge_runtime.wording import Described, html_table


@dataclass(frozen=True, eq=False)
class Classification:
    """What a model says about one image.

    Attributes:
        index: the class with the largest probability; of equal ones the first.
        label: its name.
        confidence: its probability, 0 to 1.
        probabilities: (K,) float32, in the order of the classes. An int8 model answers in steps of
            1/256, so they may not sum to exactly 1.
    """

    index: int
    label: str
    confidence: float
    probabilities: NDArray[np.float32] = field(repr=False)

    def __str__(self) -> str:
        return f"{self.label} ({self.confidence:.1%})"

    def _repr_html_(self) -> str:
        return html_table([(self.label, f"{self.confidence:.1%}")])


class Classifier(Network, Described):
    """A loaded .tflite image classifier that takes raw uint8 pixels.

    Several threads may use one, also while another closes it, and so may a forked process, which
    loads the model anew for itself. Threads that share one take turns; a `ClassifierPool` does not.

    The model runs in this process: one that nobody vouches for may crash it, hang or take memory
    on an image that the checks did not try. The command line runs such a model under limits.

    Args:
        model: the path of a .tflite or a bundle, or the bytes of a .tflite, which are
            checked first; or what `converter.convert` returned.
        backend: a backend or its name; by default LiteRT, else tflite-runtime.
        threads: threads of the interpreter. More do not help a small network.
        class_names: names to use instead of the recorded ones.
        kernels: "auto", "built-in" (without XNNPACK) or "reference" (slow), as in `Backend.load`.

    Raises:
        ModelError: the file is damaged, is no image classifier, or the names do not fit it.
        InputError: ``threads`` is not a whole number from 1 on.
        MissingDependencyError: the backend is not installed.

    Examples:
        >>> with Classifier("int8.tflite") as classifier:
        ...     print(classifier.classify("bag.png").label)
        Bag
    """

    def __init__(
        self,
        model: GivenModel,
        *,
        backend: Backend | str | None = None,
        threads: int = 1,
        class_names: tuple[str, ...] | None = None,
        kernels: Kernels = "auto",
    ) -> None:
        refuse_wrong_threads(threads)
        chosen = choose_backend(backend)
        file = checked_model(model, backend=chosen, kernels=kernels)
        super().__init__(
            file, backend=chosen, threads=threads, class_names=class_names, kernels=kernels
        )

    def facts(self) -> dict[str, object]:
        """Return what there is to say of it in a notebook."""
        source = self.summary.inputs[0]
        return {
            "model": self.name,
            "scheme": self.summary.scheme,
            "input": f"{source.dtype} {source.shape}",
            "classes": len(self.class_names),
            "runtime": f"{self.backend.package} {self.backend.version}",
        }

    def classify(
        self, image: NDArray[np.uint8] | str | Path, *, invert: Invert = "auto"
    ) -> Classification:
        """Classify one image.

        Args:
            image: (H, W, C) uint8 pixels exactly as the model wants them ((H, W) too when C is 1),
                or the path of a picture, which is fitted as recorded with the model.
            invert: whether to exchange bright and dark in a picture file.

        Raises:
            InputError: the array has another dtype or shape.
            PictureError: the picture cannot be read.
        """
        if isinstance(image, str | Path):
            image = read_picture(image, self.preprocessing, invert=invert).pixels
        if isinstance(image, np.ndarray) and image.ndim == 2:
            image = image[..., np.newaxis]
        batch = image[np.newaxis] if isinstance(image, np.ndarray) else image
        return self.classify_batch(batch)[0]

    def classify_batch(self, images: NDArray[np.uint8]) -> list[Classification]:
        """Classify (N, H, W, C) uint8 images, N may be 0.

        Raises:
            InputError: the array has another dtype or shape.
        """
        return [self._classification(row) for row in self.predict(images)]

    def _classification(self, probabilities: NDArray[np.float32]) -> Classification:
        if len(probabilities) != len(self.class_names):  # a tensor may change its shape
            raise ModelError(
                f"{self.name}: expected {len(self.class_names)} numbers for an image, got "
                f"{len(probabilities)}; convert the model again."
            )
        index = int(np.argmax(probabilities))
        confidence = float(probabilities[index])
        if math.isnan(confidence):  # argmax finds a NaN before anything else
            raise ModelError(f"{self.name}: the model answers with NaN; convert it again.")
        return Classification(index, self.class_names[index], confidence, probabilities)
