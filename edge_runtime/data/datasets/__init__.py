"""Datasets of images for classification: where they come from, and what they hold.

The embedded sample, IDX files, folders of pictures and test images that were stored for a device
need only NumPy and Pillow. Further sources are entry points of the group `fmnist_edge.datasets`: a
prefix and a function from a `DatasetSpec` to a `Dataset`; `tfds:` is one of them.
"""

import importlib.metadata
import importlib.resources
from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np

from edge_runtime.data.datasets.dataset import Dataset, DatasetSpec, Split, image_hashes
from edge_runtime.data.datasets.folder import load_folder
from edge_runtime.data.datasets.idx import load_idx
from edge_runtime.data.datasets.stored import load_stored
from edge_runtime.errors import DatasetError, nearest_name

__all__ = [
    "Dataset",
    "DatasetSpec",
    "GivenDataset",
    "Split",
    "given_dataset",
    "image_hashes",
    "load_dataset",
]

Loader = Callable[[DatasetSpec], Dataset]
GivenDataset = Dataset | DatasetSpec | str

_ENTRY_POINTS = "fmnist_edge.datasets"
_BUILT_IN: dict[str, Loader] = {"idx": load_idx, "folder": load_folder, "images": load_stored}
_FASHION_MNIST = "fashion_mnist"  # short for tfds:fashion_mnist
_SAMPLE = "sample"
_SAMPLE_TRAIN_SIZE = 1000


def load_dataset(spec: DatasetSpec | str, *, needs: Collection[str] = ("train", "test")) -> Dataset:
    """Load a dataset and limit it to the sizes that the spec asks for.

    Args:
        spec: which one, and how much of it; or its source, as in "sample", for all of it.
        needs: the splits that must have images; `images:FILE` has none to train on.

    Raises:
        DatasetError: there is no such source, it cannot be read, or it is too small.
        MissingDependencyError: the source needs a package that is not installed.

    Examples:
        >>> dataset = load_dataset("sample")
        >>> len(dataset.train), len(dataset.test), dataset.image_shape
        (1000, 1000, (28, 28, 1))
    """
    spec = DatasetSpec(spec) if isinstance(spec, str) else spec
    source = f"tfds:{spec.source}" if spec.source == _FASHION_MNIST else spec.source
    loader = _loader(source)
    if loader is None:
        raise DatasetError(_unknown_source(spec.source))
    dataset = loader(replace(spec, source=source))
    limited = replace(
        dataset,
        name=dataset.name if loader is load_stored else spec.source,
        train=_first(dataset.train, spec.train_size, "training"),
        test=_first(dataset.test, spec.test_size, "test"),
        recorded_fingerprint=None if spec.test_size else dataset.recorded_fingerprint,
    )
    _refuse_unusable(limited, needs)
    return limited


def given_dataset(dataset: GivenDataset, *, needs: Collection[str] = ("train", "test")) -> Dataset:
    """Return a dataset as it is; one that is named, as on the command line, is loaded.

    Raises:
        DatasetError: there is no such dataset, or this is none.
        MissingDependencyError: it needs a package that is not installed.
    """
    if isinstance(dataset, Dataset):
        return dataset
    if isinstance(dataset, DatasetSpec | str):
        return load_dataset(dataset, needs=needs)
    raise DatasetError(
        "Expected a dataset as a Dataset, a DatasetSpec or a source such as 'sample', got "
        f"{type(dataset).__name__}."
    )


def _loader(source: str) -> Loader | None:
    """Return what loads such a source, None where there is nothing that does."""
    prefix, _, argument = source.partition(":")
    if source == _SAMPLE:
        return _load_sample
    if not argument:
        return None
    if prefix in _BUILT_IN:
        return _BUILT_IN[prefix]
    for point in importlib.metadata.entry_points(group=_ENTRY_POINTS, name=prefix):
        loader: Loader = point.load()
        return loader
    return None


def _load_sample(spec: DatasetSpec) -> Dataset:
    """Return the images that the article uses: 1,000 to train on, the next 1,000 to test on.

    They are the first 2,000 that TensorFlow Datasets yields of `fashion_mnist` 3.0.1, split train.
    """
    file = importlib.resources.files(__name__) / "data" / "fashion_mnist_sample.npz"
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        class_names = tuple(str(name) for name in arrays["class_names"])
        everything = Split(arrays["images"][..., np.newaxis], arrays["labels"].astype(np.int64))
    train, test = slice(_SAMPLE_TRAIN_SIZE), slice(_SAMPLE_TRAIN_SIZE, None)
    return Dataset(spec.source, class_names, everything.take(train), everything.take(test))


def _unknown_source(source: str) -> str:
    points = importlib.metadata.entry_points(group=_ENTRY_POINTS)
    known = {_SAMPLE, _FASHION_MNIST, *_BUILT_IN, *points.names}
    shown = "sample, fashion_mnist, tfds:NAME, idx:DIR, folder:DIR or images:FILE"
    prefix = source.partition(":")[0]
    hint = "" if prefix in known else nearest_name(prefix, known)
    return f"There is no dataset '{source}'; expected {shown}.{hint}"


def _first(split: Split, size: int | None, what: str) -> Split:
    if size is None:
        return split
    if not 1 <= size <= len(split):
        raise DatasetError(
            f"The dataset has {len(split)} {what} images; {size} of them were asked for. "
            f"Choose 1 to {len(split)}."
        )
    return split.take(slice(size))


def _refuse_unusable(dataset: Dataset, needs: Collection[str]) -> None:
    for key, split, what in (("train", dataset.train, "training"), ("test", dataset.test, "test")):
        if len(split) == 0 and key in needs:
            raise DatasetError(f"The dataset '{dataset.name}' has no {what} images.")
    if len(dataset.train) and len(set(dataset.train.labels.tolist())) < 2:
        raise DatasetError(
            f"All training images of '{dataset.name}' are of one class; a classifier needs two "
            "classes or more. Use more images (--train-size) or another dataset."
        )
