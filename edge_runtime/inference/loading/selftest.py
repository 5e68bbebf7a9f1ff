"""Hold a loaded model against its golden vectors: the file with the slow kernels, the device with
those that will serve.
"""  # noqa: D205

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import BundleError, ModelError
from edge_runtime.inference.loading.scores import ending_at_scores, scores_tensor
from edge_runtime.inference.network import Network
from edge_runtime.inference.quantization import dequantize, softmax
from edge_runtime.models.bundle.golden import Golden
from edge_runtime.models.bundle.tolerance import Tolerance, differences, tolerance_for
from edge_runtime.models.inspection import TensorInfo
from edge_runtime.models.model_file import ModelFile
from edge_runtime.runtimes.backends import Backend, Kernels

# The reference kernels are slow; of a large network only the first golden images go through them.
_REFERENCE_SECONDS = 0.4
_LEAST_IMAGES = 4

# A softmax of integers is looked up in tables, which differ between releases: 1 step of an int8
# output was measured against the true softmax, and 16 of 1/32768 of an int16 one.
_SOFTMAX_STEPS = {"int8": 2, "uint8": 2, "int16": 64}


@dataclass(frozen=True)
class Comparison:
    """How one run compares with the golden vectors.

    Attributes:
        kernels: "reference", or those that serve; "built-in" where the runtime's reference kernels
            cannot run the model.
        images: how many golden images went through.
        images_off: the numbers of those whose answers lie outside the tolerance.
        difference: how far the numbers lie off at most: of the scores in the run with the
            reference kernels; in the other by how much an output leaves what is allowed. In steps,
            or as a float.
        tolerance: what was allowed.
        share: the share of the scores that are not the stored ones, in the run with the reference
            kernels.
    """

    kernels: str
    images: int
    images_off: tuple[int, ...]
    difference: float
    tolerance: Tolerance
    share: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether all images are within the tolerance."""
        return not self.images_off

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**asdict(self), "ok": self.ok}


@dataclass(frozen=True)
class SelfTest:
    """What came of the golden vectors.

    Attributes:
        runtime: the package and its version.
        file: the run with the reference kernels: are the numbers of the file what they should be?
        device: the run with the kernels that serve: does this machine compute them rightly?
    """

    runtime: str
    file: Comparison
    device: Comparison

    @property
    def ok(self) -> bool:
        """Whether both runs are within their tolerances."""
        return self.file.ok and self.device.ok

    @property
    def in_words(self) -> str:
        """What came of it, in a sentence without its full stop."""
        if self.ok:
            return f"all {self.device.images} golden vectors are reproduced by {self.runtime}"
        failed = self.device if self.file.ok else self.file
        tolerance = failed.tolerance
        why = f"off by {failed.difference:g} where {tolerance.limit:g} is allowed"
        if failed.difference <= tolerance.limit and failed.share > tolerance.share:
            why = f"{failed.share:.1%} of the scores differ where {tolerance.share:.1%} may"
        return (
            f"{len(failed.images_off)} of {failed.images} golden vectors are not reproduced by "
            f"{self.runtime} with the kernels {failed.kernels} ({why})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        runs = {"file": self.file.to_dict(), "device": self.device.to_dict()}
        return {"ok": self.ok, "in_words": self.in_words, "runtime": self.runtime, **runs}


def run_selftest(
    model: ModelFile,
    golden: Golden,
    allowed: Sequence[Tolerance],
    *,
    backend: Backend,
    kernels: Kernels = "auto",
    threads: int = 1,
) -> SelfTest:
    """Run the golden images through a model, with the reference kernels and with those that serve.

    Raises:
        ModelError: the model cannot be run.
        BundleError: the golden vectors do not fit the model.
    """
    return SelfTest(
        f"{backend.package} {backend.version}",
        _test_file(model, golden, allowed, backend=backend),
        _test_device(model, golden, allowed, backend=backend, kernels=kernels, threads=threads),
    )


def _test_file(
    model: ModelFile, golden: Golden, allowed: Sequence[Tolerance], *, backend: Backend
) -> Comparison:
    found = []
    with _slowest_network(ending_at_scores(model), backend) as network:
        _refuse_misfit(golden.images, golden.scores, network)
        start = time.process_time()
        for image in golden.images:
            found.append(network.raw_outputs(image[np.newaxis]))
            if len(found) >= _LEAST_IMAGES and time.process_time() - start > _REFERENCE_SECONDS:
                break
    scores = np.concatenate(found)
    tolerance = tolerance_for(
        allowed, runtime=backend.package, version=backend.version, kernels=network.kernels
    )
    stored = golden.scores[: len(scores)]
    off = differences(stored, scores)
    # A few scores may be a step off by rounding; a changed weight moves many.
    share = float(np.mean(stored != scores))
    is_off = (off > tolerance.limit) | ((off > 0) & (share > tolerance.share))
    return _comparison(network.kernels, off, is_off, tolerance, share)


def _slowest_network(model: ModelFile, backend: Backend) -> Network:
    """Return a model with the reference kernels, or with the built-in ones where those lack it.

    Raises:
        ModelError: neither can run it.
    """
    try:
        network = Network(model, backend=backend, kernels="reference")
        network.predict(np.zeros((1, *network.preprocessing.shape), np.uint8))
    except (ModelError, RuntimeError):  # an operator is missing, or refuses a type when it is run
        return Network(model, backend=backend, kernels="built-in")
    return network


def _test_device(
    model: ModelFile,
    golden: Golden,
    allowed: Sequence[Tolerance],
    *,
    backend: Backend,
    kernels: Kernels,
    threads: int,
) -> Comparison:
    tolerance = tolerance_for(
        allowed, runtime=backend.package, version=backend.version, kernels=kernels
    )
    with Network(model, backend=backend, kernels=kernels, threads=threads) as network:
        _refuse_misfit(golden.images, golden.outputs, network)
        outputs = network.raw_outputs(golden.images)
        scores = scores_tensor(network.summary)
        low, high = explained_outputs(golden, tolerance.limit, scores, network.output_tensor)
    wide = outputs.astype(np.float64)
    outside = np.nan_to_num(np.maximum(low - wide, wide - high).max(axis=1), nan=np.inf)
    return _comparison(kernels, np.maximum(outside, 0), outside > 0, tolerance)


def _comparison(
    kernels: str,
    off: NDArray[np.float64],
    is_off: NDArray[np.bool_],
    tolerance: Tolerance,
    share: float = 0.0,
) -> Comparison:
    numbers = tuple(int(number) for number in np.flatnonzero(is_off))
    return Comparison(kernels, len(off), numbers, float(off.max()), tolerance, share)


def _refuse_misfit(images: NDArray[np.uint8], numbers: NDArray[Any], network: Network) -> None:
    stored = images.shape[1:], numbers.shape[1], str(numbers.dtype)
    output = network.output_tensor
    expected = network.preprocessing.shape, len(network.class_names), output.dtype
    if stored != expected:
        raise BundleError(
            f"its golden vectors are of images {stored[0]}, {stored[1]} classes and {stored[2]}; "
            f"its model has {expected[0]}, {expected[1]} and {expected[2]}"
        )


def explained_outputs(
    golden: Golden, limit: float, scores: TensorInfo, output: TensorInfo
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (N, K) the lowest and the highest outputs that scores within the limit can lead to.

    Without a softmax that is the stored numbers ± limit. With one, a class is lowest where its own
    score is ``limit`` steps less and all others' are ``limit`` steps more, and the other way round.

    Args:
        golden: the stored numbers.
        limit: steps of an integer tensor of scores, or the difference of floats.
        scores: the tensor that goes into the softmax, or the output again.
        output: the output tensor.
    """
    if scores.index == output.index:
        stored = golden.outputs.astype(np.float64)
        return stored - limit, stored + limit
    probabilities = softmax(dequantize(golden.scores, scores)).astype(np.float64)
    slack = _SOFTMAX_STEPS[output.dtype]
    limits = np.iinfo(output.dtype)
    scale, zero_point = output.scales[0], output.zero_points[0]
    # When one score of a softmax is shifted by s, its p becomes p·eˢ / (1 - p + p·eˢ).
    factor = np.exp(2 * limit * scores.scales[0])
    low = probabilities / (factor - factor * probabilities + probabilities)
    high = probabilities * factor / (1 - probabilities + probabilities * factor)
    return (
        np.clip(np.floor(low / scale) + zero_point - slack, limits.min, limits.max),
        np.clip(np.ceil(high / scale) + zero_point + slack, limits.min, limits.max),
    )
