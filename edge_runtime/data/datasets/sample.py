"""The embedded sample: 2,000 images of Fashion-MNIST, those that the article uses."""

from importlib import resources

import numpy as np

from edge_runtime.data.datasets.dataset import Dataset, DatasetSpec, Split

_TRAIN_SIZE = 1000


def load_sample(spec: DatasetSpec) -> Dataset:
    """Return the first 1,000 images for training and the next 1,000 for testing.

    They are the first 2,000 that TensorFlow Datasets yields of `fashion_mnist` 3.0.1, split train.
    """
    file = resources.files("edge_runtime.data.datasets") / "data" / "fashion_mnist_sample.npz"
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        images = arrays["images"][..., np.newaxis]
        labels = arrays["labels"].astype(np.int64)
        class_names = tuple(str(name) for name in arrays["class_names"])
    return Dataset(
        spec.source,
        class_names,
        train=Split(images[:_TRAIN_SIZE], labels[:_TRAIN_SIZE]),
        test=Split(images[_TRAIN_SIZE:], labels[_TRAIN_SIZE:]),
    )
