"""Mirrored and shifted copies of the training images, made for a whole epoch at once."""

import itertools

import numpy as np
from numpy.typing import NDArray


def augmented(
    images: NDArray[np.uint8], *, seed: int, epoch: int, flip: bool, shift: int
) -> NDArray[np.uint8]:
    """Return the images as an epoch is to see them; the same seed and epoch, the same images.

    Args:
        images: (N, H, W, C) uint8.
        seed: of the training.
        epoch: counted from 1.
        flip: mirror one half of the images in one epoch and the other half in the next, so that
            two epochs show each image both ways (Jordan, "94 % on CIFAR-10 in 3.29 seconds", 2024).
        shift: move each image by up to so many pixels along each side; the edge is repeated.

    Returns:
        (N, H, W, C) uint8, a copy if anything was changed.
    """
    if flip:
        first = np.random.default_rng([seed, 0]).integers(0, 2, len(images))
        mirrored = (first + epoch) % 2 == 1
        images = images.copy()
        images[mirrored] = images[mirrored][:, :, ::-1]
    return _shifted(images, shift, np.random.default_rng([seed, epoch, 1])) if shift else images


def _shifted(images: NDArray[np.uint8], most: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    height, width = images.shape[1:3]
    padded = np.pad(images, ((0, 0), (most, most), (most, most), (0, 0)), mode="edge")
    down, right = rng.integers(0, 2 * most + 1, (2, len(images)))
    moved = np.empty_like(images)
    for top, left in itertools.product(range(2 * most + 1), repeat=2):
        chosen = (down == top) & (right == left)
        moved[chosen] = padded[chosen, top : top + height, left : left + width]
    return moved
