"""What may be wrong with the pixels that a model gets, as data: each cause with its correction.

A correction turns images as the project feeds them, (N, H, W, C) float32 from 0 to 255, into what
the model may have been made for. Of those that fit equally well the first is believed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.recalibration import Floats

Apply = Callable[[Floats], Floats]

_RETRAIN = (
    "Put the missing step into the model and convert it again. For one factor: fmnist-edge train "
    "--model MODEL.keras --epochs 0 --rescale FACTOR, then fmnist-edge convert."
)
_LAYER = (
    "Remove the extra layer or step from the Keras model (or from the code that prepares the "
    "images), then convert it again with: fmnist-edge convert"
)
_INVERT = (
    "Remove the inverting layer or step and convert again; for pictures, check the background in "
    "the manifest, or give --invert to `fmnist-edge classify`."
)
_SHIFT = (
    "Feed pixels through the input's own scale and zero point, remove the shift from the model, "
    "and convert it again with: fmnist-edge convert"
)
_BYTES = "Convert again with the input type that the program feeds: fmnist-edge convert --io uint8"
_WANTS = "The model wants pixels from {} but gets 0 to 255"
_DIVIDED = "The pixels are divided by {} once too often inside the model"
_INVERTED = "The images are inverted: what is bright for the model is dark here"
_SHIFTED = (
    "The pixels are shifted by 128: signed and unsigned bytes, or int8 and uint8 input, were mixed "
    "up"
)
_MIXED = "The bytes are mixed up: signed ones are taken for unsigned ones or the other way round"
_STANDARD = "The model wants standardized pixels (mean 0, standard deviation 1) but gets 0 to 255"
_TWICE = "The pixels are standardized once too often inside the model"
_TWICE_SIGNED = (
    "The pixels are turned into -1 to 1 (divided by 127.5 or 128) once too often inside the model"
)
# What networks are usually trained on, and how far off rounded int8 constants are, in its width.
_USUAL = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (-0.5, 0.5))
_TOLERANCE = 0.02
_PART = 256


@dataclass(frozen=True)
class Correction:
    """One cause, and what to do to see whether it is the one.

    Attributes:
        kind: the family, as in `--json`.
        cause: what is wrong, as a sentence without a full stop.
        tried: what is done, for the table.
        mend: how to mend it for good.
        apply: from images to the model's input.
        tone: whether it changes brightness, and not where pixels are.
        class_of_output: (K,) the class that each output stands for; None for their own.
        data: the changed copy of the file that it is tried on; None for the file itself.
    """

    kind: str
    cause: str
    tried: str
    mend: str
    apply: Apply = lambda images: images
    tone: bool = False
    class_of_output: tuple[int, ...] | None = None
    data: bytes | None = None


def input_corrections(images: NDArray[Any]) -> tuple[Correction, ...]:
    """Return the corrections for (N, H, W, C) training images.

    Standardizing takes the mean and the deviation of all of them, as a training does.
    """
    _, height, width, channels = images.shape
    moves = (*_arrangements(height, width), *(_channels(height, width) if channels == 3 else ()))
    return (*_tones(images), *moves)


def _tones(images: NDArray[Any]) -> Iterator[Correction]:
    mean, spread = _mean_and_deviation(images)
    net_mean, net_spread = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    signed, standard, shift = "inputs-minus-one-to-one", "inputs-standardized", "input-zero-point"
    rows: list[tuple[str, str, str, str, object, object]] = [
        ("inputs-not-divided", _WANTS.format("0 to 1"), "pixels × 1/255", _RETRAIN, 1 / 255, 0),
        (signed, _WANTS.format("-1 to 1"), "pixels / 127.5 - 1", _RETRAIN, 1 / 127.5, -1),
        ("input-scale", _WANTS.format("-0.5 to 0.5"), "pixels / 255 - 0.5",
         _RETRAIN, 1 / 255, -0.5),
        ("inverted", _INVERTED, "255 - pixels", _INVERT, -1, 255),
        ("inverted", _INVERTED, "1 - pixels / 255", _INVERT, -1 / 255, 1),
        ("inverted", _INVERTED, "1 - pixels / 127.5", _INVERT, -2 / 255, 1),
        ("inverted", _INVERTED, "1 - pixels", _INVERT, -1, 1),
        ("inverted", _INVERTED, "-pixels", _INVERT, -1, 0),
        (shift, _SHIFTED, "pixels + 128", _SHIFT, 1, 128),
        (shift, _SHIFTED, "pixels - 128", _SHIFT, 1, -128),
        (standard, _STANDARD, "(pixels - mean) / deviation", _RETRAIN, 1 / spread, -mean / spread),
        (standard, "The model wants pixels standardized with ImageNet's mean and deviation",
         "(pixels / 255 - mean) / deviation of ImageNet", _RETRAIN,
         1 / 255 / net_spread, -net_mean / net_spread),
        (standard, "The model wants pixels with the mean taken off", "pixels - mean",
         _RETRAIN, 1, -mean),
        ("inputs-divided-twice", _DIVIDED.format(255), "pixels × 255", _LAYER, 255, 0),
        (signed, _TWICE_SIGNED, "(pixels + 1) × 127.5", _LAYER, 127.5, 127.5),
        (standard, _TWICE, "pixels × deviation + mean", _LAYER, spread, mean),
        # A model that divides by 255 first and standardizes then, where one was forgotten.
        (standard, _TWICE, "pixels × deviation + mean, of 0..1", _LAYER, spread / 255, mean / 255),
        ("input-scale", _WANTS.format("0 to 2"), "pixels × 1/127.5", _RETRAIN, 2 / 255, 0),
        ("input-scale", _WANTS.format("0 to 127"), "pixels × 0.5", _RETRAIN, 1 / 2, 0),
        ("input-scale", _DIVIDED.format(128), "pixels × 128", _LAYER, 128, 0),
        ("input-scale", _DIVIDED.format(2), "pixels × 2", _LAYER, 2, 0),
    ]  # fmt: skip
    for kind, cause, tried, mend, gain, offset in rows:
        if "ImageNet" not in tried or images.shape[3] == 3:
            if not np.any(np.asarray(offset)):
                mend = mend.replace("FACTOR", repr(gain))
            yield Correction(kind, cause, tried, mend, _linear(gain, offset), tone=True)
    flipped = "top bit of each pixel flipped"
    yield Correction(shift, _MIXED, flipped, _BYTES, lambda x: (x + 128) % 256, tone=True)
    cause = "The model wants each image standardized by its own mean and deviation"
    yield Correction(standard, cause, "each image standardized", _RETRAIN, _each, tone=True)


def _mean_and_deviation(images: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return (C,) each; images go in parts, since floats of all may not fit into a small memory."""
    pixels = images[..., 0].size
    mean, square = np.zeros((2, images.shape[3]))
    for at in range(0, len(images), _PART):
        part = images[at : at + _PART].astype(np.float64)
        mean += part.sum(axis=(0, 1, 2)) / pixels
        square += (part**2).sum(axis=(0, 1, 2)) / pixels
    return mean, np.maximum(np.sqrt(np.maximum(square - mean**2, 0)), 1e-3)


def _linear(gain: object, offset: object) -> Apply:
    scale, shift = np.asarray(gain, np.float32), np.asarray(offset, np.float32)
    return lambda images: images * scale + shift


def _each(images: Floats) -> Floats:
    mean, spread = (each(axis=(1, 2, 3), keepdims=True) for each in (images.mean, images.std))
    standardized: Floats = (images - mean) / np.maximum(spread, 1e-3)
    return standardized


def _arrangements(height: int, width: int) -> Iterator[Correction]:
    """Yield what turns the images back."""
    transposed = "transposed (height and width exchanged"
    rows = "transposed (rows of the width read as columns of the height)"
    moves: list[tuple[str, str, Apply]] = [
        ("mirrored", "mirrored left to right", lambda x: x[:, :, ::-1]),
        ("upside-down", "upside down", lambda x: x[:, ::-1]),
        ("rotated", "rotated by 180°", lambda x: x[:, ::-1, ::-1]),
    ]
    square: list[tuple[str, str, Apply]] = [
        ("transposed", f"{transposed})", lambda x: x.swapaxes(1, 2)),
        ("rotated", "rotated by 90° to the left", lambda x: np.rot90(x, -1, (1, 2))),
        ("rotated", "rotated by 90° to the right", lambda x: np.rot90(x, 1, (1, 2))),
        ("transposed", "transposed along the other diagonal",
         lambda x: x[:, ::-1, ::-1].swapaxes(1, 2)),
    ]  # fmt: skip
    oblong: list[tuple[str, str, Apply]] = [
        ("transposed", f"{transposed} in memory)", lambda x: x.swapaxes(1, 2).reshape(x.shape)),
        ("transposed", rows, lambda x: x.reshape(len(x), width, height, -1).swapaxes(1, 2)),
    ]
    mend = (
        "Mend the code that reads the images, or remove the layer that turns them, and convert "
        "the model again with: fmnist-edge convert"
    )
    for kind, name, apply in (*moves, *(square if height == width else oblong)):
        yield Correction(kind, f"The images are {name}", name, mend, apply)


def _channels(height: int, width: int) -> Iterator[Correction]:
    """Yield what puts three colours into other orders."""
    mend = (
        "Give the channels in the order that the model was trained with (OpenCV reads BGR, Pillow "
        "RGB), or train with images as this dataset has them."
    )
    grey = np.array([[0.299], [0.587], [0.114]], np.float32)
    planes = "The colour planes are mixed up: the model"
    moves: list[tuple[str, str, Apply]] = [
        (f"{planes} wants them one after the other", "channels first",
         lambda x: np.moveaxis(x, 3, 1).reshape(x.shape)),
        (f"{planes} was made for channels in each pixel", "channels last",
         lambda x: np.moveaxis(x.reshape(len(x), 3, height, width), 1, 3)),
        ("The model was trained on grey images and gets colours", "colours made grey",
         lambda x: np.repeat(x @ grey, 3, axis=3)),
    ]  # fmt: skip
    for order in sorted(permutations(range(3)), reverse=True)[:-1]:  # BGR is the commonest
        name = "".join("RGB"[channel] for channel in order)
        cause = f"The colour channels are mixed up: the model wants {name}, and gets RGB"
        apply: Apply = lambda x, order=order: x[..., list(order)]  # type: ignore[misc]  # noqa: E731
        yield Correction("channels", cause, f"channels in the order {name}", mend, apply)
    for cause, tried, apply in moves:
        yield Correction("channels", cause, tried, mend, apply)


def is_usual(scaling: tuple[float, float]) -> bool:
    """Return whether black and white come to a range that networks are trained on."""
    ends = np.array([scaling[1], 255 * scaling[0] + scaling[1]])
    return any(np.abs(ends - usual).max() <= _TOLERANCE * np.ptp(usual) for usual in _USUAL)


def undo_scaling(scaling: tuple[float, float]) -> Iterator[Correction]:
    """Yield what makes an unusual range usual by a plain factor; any offset would mean nothing."""
    factor, offset = scaling
    low, high = sorted((offset, 255 * factor + offset))
    for usual in _USUAL if not is_usual(scaling) else ():
        gain = (usual[1] - usual[0]) / (255 * factor)
        if gain > 0 and abs(usual[0] - offset) <= _TOLERANCE:
            cause = (
                f"The model scales its pixels to {low:.4g} to {high:.4g} before the first layer; "
                f"{usual[0]:g} to {usual[1]:g} restores it: they are multiplied by {1 / gain:.3g} "
                "once too often"
            )
            mend = _LAYER.replace("Remove the extra layer", "Remove the extra scaling")
            tried = f"pixels × {gain:.3g}"
            yield Correction("input-scale", cause, tried, mend, _linear(gain, 0), tone=True)
