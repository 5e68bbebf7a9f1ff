"""What may be wrong with the pixels that a model gets, as data: each cause with its correction.

A correction turns images as the project feeds them, (N, H, W, C) float32 from 0 to 255, into what
the model may have been made for.
"""

from collections.abc import Iterator

import numpy as np

from edge_runtime.doctor.arrangements import arrangements, channel_orders
from edge_runtime.doctor.correction import Apply, Correction
from edge_runtime.doctor.subject import Floats

# What undoes a scaling inside the model, the commonest mistake first.
UNDOING = (
    "pixels × 255",
    "(pixels + 1) × 127.5",
    "pixels × deviation + mean",
    "pixels × deviation + mean, of 0..1",
)

_RETRAIN = (
    "Put the missing step into the model and convert it again. For one factor: fmnist-edge train "
    "--model MODEL.keras --epochs 0 --rescale FACTOR, then fmnist-edge convert."
)
_LAYER = (
    "Remove the extra layer or step from the Keras model (or from the code that prepares the "
    "images), then convert it again with: fmnist-edge convert"
)


def _linear(gain: object, offset: object) -> Apply:
    scale, shift = np.asarray(gain, np.float32), np.asarray(offset, np.float32)
    return lambda images: images * scale + shift


def input_corrections(train_images: Floats) -> tuple[Correction, ...]:
    """Return the causes in the order in which they are believed when several fit equally well.

    Args:
        train_images: (N, H, W, C) float32, 0 to 255; their mean and spread are those that a model
            may have been standardized with.
    """
    height, width, channels = train_images.shape[1:]
    found = [*_tones(train_images), *arrangements(height, width)]
    if channels == 3:
        found += channel_orders(height, width)
    return tuple(found)


def _tones(images: Floats) -> list[Correction]:
    """Return the corrections of brightness, those that undo a scaling last."""
    likely = [*_ranges(), *_inversions(), *_shifts(), *_standardized(images)]
    return sorted(likely, key=lambda one: UNDOING.index(one.tried) if one.tried in UNDOING else -1)


def _ranges() -> Iterator[Correction]:
    wants, gets = "The model wants pixels", "but gets 0 to 255"
    for gain, name in ((1 / 255, "0 to 1"), (2 / 255, "0 to 2"), (1 / 2, "0 to 127")):
        yield Correction(
            "inputs-not-divided" if gain == 1 / 255 else "input-scale",
            f"{wants} from {name} {gets}",
            f"pixels × {_number(gain)}",
            _RETRAIN.replace("FACTOR", repr(gain)),
            _linear(gain, 0),
            likely=gain == 1 / 255,
        )
    for divisor in (255.0, 128.0, 2.0):
        yield Correction(
            "inputs-divided-twice" if divisor == 255 else "input-scale",
            f"The pixels are divided by {divisor:g} once too often inside the model",
            f"pixels × {divisor:g}",
            _LAYER,
            _linear(divisor, 0),
            likely=divisor == 255,
        )
    yield Correction(
        "inputs-minus-one-to-one",
        f"{wants} from -1 to 1 {gets}",
        "pixels / 127.5 - 1",
        _RETRAIN,
        _linear(1 / 127.5, -1),
    )
    yield Correction(
        "inputs-minus-one-to-one",
        "The pixels are turned into -1 to 1 (divided by 127.5 or 128) once too often inside the "
        "model",
        "(pixels + 1) × 127.5",
        _LAYER,
        _linear(127.5, 127.5),
    )
    yield Correction(
        "input-scale",
        f"{wants} from -0.5 to 0.5 {gets}",
        "pixels / 255 - 0.5",
        _RETRAIN,
        _linear(1 / 255, -0.5),
    )


def _inversions() -> Iterator[Correction]:
    cause = "The images are inverted: what is bright for the model is dark here"
    mend = (
        "Remove the inverting layer or step and convert again; for pictures, check the background "
        "in the manifest, or give --invert to `fmnist-edge classify`."
    )
    for tried, gain, offset in (
        ("255 - pixels", -1, 255),
        ("1 - pixels / 255", -1 / 255, 1),
        ("1 - pixels / 127.5", -2 / 255, 1),
        ("1 - pixels", -1, 1),
        ("-pixels", -1, 0),
    ):
        yield Correction("inverted", cause, tried, mend, _linear(gain, offset))


def _shifts() -> Iterator[Correction]:
    for shift in (128, -128):
        yield Correction(
            "input-zero-point",
            "The pixels are shifted by 128: signed and unsigned bytes, or int8 and uint8 input, "
            "were mixed up",
            f"pixels {'+' if shift > 0 else '-'} 128",
            "Feed pixels through the input's own scale and zero point, remove the shift from the "
            "model, and convert it again with: fmnist-edge convert",
            _linear(1, shift),
        )
    yield Correction(
        "input-zero-point",
        "The bytes are mixed up: signed ones are taken for unsigned ones or the other way round",
        "top bit of each pixel flipped",
        "Convert again with the input type that the program feeds: fmnist-edge convert --io uint8",
        lambda images: (images + 128) % 256,
    )


def _standardized(images: Floats) -> Iterator[Correction]:
    axes = (0, 1, 2)
    mean, spread = images.mean(axis=axes), np.maximum(images.std(axis=axes), 1e-3)
    kind = "inputs-standardized"
    wants = "The model wants standardized pixels (mean 0, standard deviation 1) but gets 0 to 255"
    twice = "The pixels are standardized once too often inside the model"
    yield Correction(
        kind, wants, "(pixels - mean) / deviation", _RETRAIN, _linear(1 / spread, -mean / spread)
    )
    yield Correction(kind, twice, "pixels × deviation + mean", _LAYER, _linear(spread, mean))
    # A model that divides by 255 first and standardizes then, where one of both was forgotten.
    yield Correction(
        kind, twice, "pixels × deviation + mean, of 0..1", _LAYER, _linear(spread / 255, mean / 255)
    )
    yield Correction(
        kind,
        "The model wants each image standardized by its own mean and deviation",
        "each image standardized",
        _RETRAIN,
        _standardize_each,
    )
    yield Correction(
        kind,
        "The model wants pixels with the mean taken off",
        "pixels - mean",
        _RETRAIN,
        _linear(1, -mean),
    )
    if images.shape[3] == 3:
        torch_mean, torch_spread = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
        yield Correction(
            kind,
            "The model wants pixels standardized with ImageNet's mean and deviation",
            "(pixels / 255 - mean) / deviation of ImageNet",
            _RETRAIN,
            _linear(1 / 255 / torch_spread, -torch_mean / torch_spread),
        )


def _standardize_each(images: Floats) -> Floats:
    axes = (1, 2, 3)
    mean, spread = images.mean(axis=axes, keepdims=True), images.std(axis=axes, keepdims=True)
    standardized: Floats = (images - mean) / np.maximum(spread, 1e-3)
    return standardized


def _number(value: float) -> str:
    return f"{value:.3g}" if value >= 0.01 else f"1/{1 / value:.4g}"
