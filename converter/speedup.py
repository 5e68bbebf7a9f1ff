"""Take the packed form of an integer model where it answers with the same numbers, and sooner."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.packing import Packed, pack_pixels
from converter.target import Target
from edge_runtime.errors import ModelError
from edge_runtime.inference.loading.trial import Trial, compare_forms

# A smaller gain could be chance, and then the same conversion would not give the same file twice.
_LEAST_GAIN = 0.05
_MOST_IMAGES = 256


@dataclass(frozen=True)
class Speedup:
    """What packing the pixels of the first convolution would do, and whether it was done.

    Attributes:
        pixels: neighbouring outputs that are computed from one window.
        window: pixels of a window.
        kept: whether the file is the packed one.
        trial: what the runtime made of both forms.
    """

    pixels: int
    window: int
    kept: bool
    trial: Trial

    def __str__(self) -> str:
        trial = self.trial
        if trial.different:
            return (
                f"not packed: {trial.different} of {trial.image_count} images would get other "
                "numbers"
            )
        times = f"{trial.before_us:.1f} → {trial.after_us:.1f} µs for an image"
        if not self.kept:
            return f"not packed: no gain here, {times}"
        return (
            f"pixels packed, {self.pixels} at once: the same numbers on {trial.image_count} "
            f"images, {times}"
        )

    def facts(self) -> dict[str, Any]:
        """Return what the manifest says; no times, so that the same model gives the same file."""
        return {
            "pixels": self.pixels,
            "window": self.window,
            "same_numbers_on_images": self.trial.image_count,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


def speed_up(
    data: bytes, images: NDArray[np.uint8], *, target: Target | None
) -> tuple[bytes, Speedup | None]:
    """Return the form of an int8 model that is faster on the target, and what was tried.

    Args:
        data: the bytes of a .tflite.
        images: (N, H, W, C) uint8, to compare the answers on; noise is added.
        target: where it shall run; None is the runtime that is here. Where that runtime is not
            here the model stays as it is, since nobody can tell what is faster there.
    """
    packed = pack_pixels(data) if target is None or target.is_proved else None
    if packed is None:
        return data, None
    try:
        trial = _try(data, packed, images, target)
    except ModelError:
        return data, None  # the target runs the plain form only, if any: the probe will tell
    kept = trial.different == 0 and trial.after_us <= (1 - _LEAST_GAIN) * trial.before_us
    speedup = Speedup(packed.pixels, packed.window, kept, trial)
    return (packed.data if kept else data), speedup


def _try(data: bytes, packed: Packed, images: NDArray[np.uint8], target: Target | None) -> Trial:
    noise = np.random.default_rng(0).integers(0, 256, (_MOST_IMAGES, *images.shape[1:]), np.uint8)
    plain = np.stack([np.full(images.shape[1:], grey, np.uint8) for grey in (0, 255)])
    every = np.concatenate([images[:_MOST_IMAGES], noise, plain])
    if target is None or target.python is None:
        return compare_forms(data, packed.data, every)
    return compare_forms(
        data, packed.data, every, backend=target.runtime.backend, python=target.python
    )
