"""What may be wrong with where pixels and colours are: turned, mirrored, exchanged."""

from collections.abc import Iterator
from itertools import permutations

import numpy as np

from edge_runtime.doctor.correction import Apply, Correction


def arrangements(height: int, width: int) -> Iterator[Correction]:
    """Yield what turns the images back."""
    for kind, name, apply in _moves(height, width):
        yield Correction(
            kind,
            f"The images are {name}",
            name,
            "Mend the code that reads the images, or remove the layer that turns them, and convert "
            "the model again with: fmnist-edge convert",
            apply,
            tone=False,
        )


def _moves(height: int, width: int) -> Iterator[tuple[str, str, Apply]]:
    if height == width:
        yield "transposed", "transposed (height and width exchanged)", lambda x: x.swapaxes(1, 2)
    else:
        yield (
            "transposed",
            "transposed (height and width exchanged in memory)",
            lambda x: x.swapaxes(1, 2).reshape(x.shape),
        )
        yield (
            "transposed",
            "transposed (rows of the width read as columns of the height)",
            lambda x: x.reshape(len(x), x.shape[2], x.shape[1], x.shape[3]).swapaxes(1, 2),
        )
    yield "mirrored", "mirrored left to right", lambda x: x[:, :, ::-1]
    yield "upside-down", "upside down", lambda x: x[:, ::-1]
    yield "rotated", "rotated by 180°", lambda x: x[:, ::-1, ::-1]
    if height == width:
        yield "rotated", "rotated by 90° to the left", lambda x: np.rot90(x, -1, (1, 2))
        yield "rotated", "rotated by 90° to the right", lambda x: np.rot90(x, 1, (1, 2))
        yield (
            "transposed",
            "transposed along the other diagonal",
            lambda x: x[:, ::-1, ::-1].swapaxes(1, 2),
        )


def channel_orders(height: int, width: int) -> Iterator[Correction]:
    """Yield what puts three colours into other orders."""
    mend = (
        "Give the channels in the order that the model was trained with (OpenCV reads BGR, Pillow "
        "RGB), or train with images as this dataset has them."
    )
    orders = sorted(permutations(range(3)), key=lambda order: order != (2, 1, 0))
    for order in orders:
        if order == (0, 1, 2):
            continue
        name = "".join("RGB"[channel] for channel in order)
        yield Correction(
            "channels",
            f"The colour channels are mixed up: the model wants {name}, and gets RGB",
            f"channels in the order {name}",
            mend,
            lambda x, order=order: x[..., list(order)],  # type: ignore[misc]
            tone=False,
        )
    yield Correction(
        "channels",
        "The colour planes are mixed up: the model wants them one after the other",
        "channels first",
        mend,
        lambda x: np.moveaxis(x, 3, 1).reshape(x.shape),
        tone=False,
    )
    yield Correction(
        "channels",
        "The colour planes are mixed up: the model was made for channels in each pixel",
        "channels last",
        mend,
        lambda x: np.moveaxis(x.reshape(len(x), 3, height, width), 1, 3),
        tone=False,
    )
    yield Correction(
        "channels",
        "The model was trained on grey images and gets colours",
        "colours made grey",
        mend,
        lambda x: np.repeat(x @ np.array([[0.299], [0.587], [0.114]], np.float32), 3, axis=3),
        tone=False,
    )
