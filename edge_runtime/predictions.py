"""What one model said about one dataset, on one machine: the interchange format of the proof.

The full model's are made where TensorFlow is, the device's on the device; comparing them needs
neither.
"""

import io
import json
import platform
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import PredictionsError
from edge_runtime.files import MEBIBYTE, read_capped, write_atomically

SCHEMA_VERSION = 1
LIMIT_BYTES = 4096 * MEBIBYTE

# An int8 softmax answers in steps of 1/256, so K classes may miss a sum of 1 by K half steps.
_INT8_HALF_STEP = 1 / 512


# What NumPy, zipfile and json raise over damaged bytes; RuntimeError is "encrypted" or "a zip file
# of a later version".
_DAMAGE = (
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True, eq=False)
class Predictions:
    """The probabilities that one model gave to each image of a split.

    Attributes:
        probabilities: (N, K) float32.
        labels: (N,) int64, the true classes.
        image_sha256: (N,) hashes of the images' pixels, 64 hexadecimal digits each.
        class_names: in the order of the columns.
        details: who computed it: model, its hash and scheme, backend, versions, CPU, threads,
            dataset and its fingerprint.
    """

    probabilities: NDArray[np.float32]
    labels: NDArray[np.int64]
    image_sha256: NDArray[np.bytes_]
    class_names: tuple[str, ...]
    details: Mapping[str, Any]

    def __post_init__(self) -> None:
        count, classes = len(self.labels), len(self.class_names)
        if self.probabilities.shape != (count, classes) or self.image_sha256.shape != (count,):
            raise PredictionsError(
                f"Expected probabilities of shape ({count}, {classes}) and {count} image hashes, "
                f"got {self.probabilities.shape} and {self.image_sha256.shape}."
            )
        if count == 0:
            raise PredictionsError("There are no predictions: the dataset had no images.")
        if not 0 <= self.labels.min() <= self.labels.max() < classes:
            raise PredictionsError(f"Labels must be 0 to {classes - 1}.")
        if not np.isfinite(self.probabilities).all():
            raise PredictionsError(
                "Some probabilities are NaN or infinite: the model that made them is broken."
            )
        lowest = float(self.probabilities.min())
        worst = float(np.abs(self.probabilities.sum(axis=1, dtype=np.float64) - 1).max())
        if lowest < 0 or worst > classes * _INT8_HALF_STEP + 1e-3:
            raise PredictionsError(
                f"The probabilities of an image sum to 1 ± {worst:.3f}, the lowest is "
                f"{lowest:.3f}; expected probabilities, not scores or logits."
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def answers(self) -> NDArray[np.int64]:
        """(N,) classes with the largest probability; of equal ones the first."""
        answers: NDArray[np.int64] = np.argmax(self.probabilities, axis=1).astype(np.int64)
        return answers

    @property
    def model(self) -> str:
        """What the model is called in reports."""
        return str(self.details.get("model", "model"))

    def save(self, path: Path) -> None:
        """Write a `.predictions.npz`, whole or not at all; the same predictions, the same bytes."""
        header = {
            "schema_version": SCHEMA_VERSION,
            "class_names": list(self.class_names),
            "details": dict(self.details),
        }
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            probabilities=self.probabilities,
            labels=self.labels,
            image_sha256=self.image_sha256,
            header=np.array(json.dumps(header, allow_nan=False)),
        )
        write_atomically(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path) -> "Predictions":
        """Read what `save` wrote.

        Raises:
            PredictionsError: the file is missing, damaged, or not of this kind.
        """
        try:
            data = read_capped(path, limit_bytes=LIMIT_BYTES)
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                header = json.loads(str(arrays["header"]))
                if header["schema_version"] != SCHEMA_VERSION:
                    raise ValueError(f"its schema version is {header['schema_version']}")
                return cls(
                    probabilities=arrays["probabilities"].astype(np.float32),
                    labels=arrays["labels"].astype(np.int64),
                    image_sha256=arrays["image_sha256"].astype("S64"),
                    class_names=tuple(str(name) for name in header["class_names"]),
                    details=header["details"],
                )
        except FileNotFoundError as error:
            raise PredictionsError(f"{path}: there are no predictions.") from error
        except PredictionsError as error:
            raise PredictionsError(f"{path}: {error}") from error
        except _DAMAGE as error:
            raise PredictionsError(
                f"{path}: expected a .predictions.npz of this toolkit ({error}); make it again."
            ) from error


def refuse_different_images(reference: Predictions, candidate: Predictions) -> None:
    """Raise unless both are about the same images in the same order, with the same classes.

    Raises:
        PredictionsError: they are not, with the first difference.
    """
    pair = f"{reference.model} and {candidate.model}"
    if reference.class_names != candidate.class_names:
        raise PredictionsError(
            f"{pair} have different class names: {', '.join(reference.class_names[:5])}… and "
            f"{', '.join(candidate.class_names[:5])}…; compare models of the same classes."
        )
    if len(reference) != len(candidate):
        raise PredictionsError(
            f"{pair} are about {len(reference)} and {len(candidate)} images; use the same dataset."
        )
    different = np.flatnonzero(reference.image_sha256 != candidate.image_sha256)
    if len(different):
        raise PredictionsError(
            f"{pair} are about different images: {len(different)} of {len(reference)} differ, the "
            f"first is number {different[0]}; use the same dataset."
        )
    if (reference.labels != candidate.labels).any():
        raise PredictionsError(f"{pair} have different true labels; use the same dataset.")


def machine_details() -> dict[str, Any]:
    """Return what a measurement must name: CPU, architecture, operating system, versions."""
    return {
        "cpu": _cpu_name(),
        "machine": platform.machine(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def _cpu_name() -> str:
    """Return the processor's name as Linux knows it, or the architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    for key in ("model name", "Model", "Hardware"):
        for line in lines:
            name, _, value = line.partition(":")
            if name.strip() == key:
                return value.strip()
    return platform.machine()
