"""Small datasets to train on: made up, and made of the sample."""

import numpy as np
from PIL import Image

from edge_runtime.data.datasets import Dataset, Split


def coloured_shapes(height: int, width: int, classes: int, *, seed: int) -> Dataset:
    """Return pictures whose class is a place and a colour, on noise."""
    rng = np.random.default_rng(seed)
    colours = np.array(
        [[220, 60, 30], [40, 200, 60], [50, 70, 230], [210, 190, 40], [200, 50, 190]]
    )
    labels = rng.integers(0, classes, 700)
    images = rng.integers(0, 70, (700, height, width, 3))
    for image, label in zip(images, labels, strict=True):
        top, left = rng.integers(0, height // 2), rng.integers(0, width // 3)
        colour = colours[label % 5] + rng.integers(-30, 30, 3)
        image[top : top + height // 4 + 2 * (label // 5), left : left + width // 2] = colour
        image[: height // 6, : width // 6] = 200  # which corner is up
    images = np.clip(images, 0, 255).astype(np.uint8)
    names = tuple(f"shape {index}" for index in range(classes))
    return Dataset(
        "coloured shapes",
        names,
        Split(images[:500], labels[:500]),
        Split(images[500:], labels[500:]),
    )


def few_classes(dataset: Dataset, classes: int) -> Dataset:
    """Return only the images of the first classes."""
    parts = []
    for split in (dataset.train, dataset.test):
        kept = split.labels < classes
        parts.append(Split(split.images[kept], split.labels[kept]))
    return Dataset("few classes", dataset.class_names[:classes], *parts)


def resized(dataset: Dataset, height: int, width: int, channels: int = 1) -> Dataset:
    """Return the images in another size, and tinted where they get colours."""
    tint = np.array([255, 200, 150]) / 255
    parts = []
    for split in (dataset.train, dataset.test):
        pictures = [
            Image.fromarray(image[..., 0]).resize((width, height)) for image in split.images
        ]
        images = np.stack(pictures)[..., np.newaxis]
        if channels == 3:
            images = (images * tint).astype(np.uint8)
        parts.append(Split(images, split.labels))
    return Dataset(f"{dataset.name} {height} x {width}", dataset.class_names, *parts)
