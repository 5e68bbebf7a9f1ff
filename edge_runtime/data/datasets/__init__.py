"""Datasets of images for classification: where they come from, and what they hold.

The embedded sample, IDX files, folders of pictures and test images that were stored for a device
need only NumPy and Pillow. Further sources are entry points of the group `fmnist_edge.datasets`: a
prefix and a function from a `DatasetSpec` to a `Dataset`; `tfds:` is one of them.
"""

import importlib.metadata
from collections.abc import Callable, Collection
from dataclasses import replace

from edge_runtime.data.datasets.dataset import Dataset, DatasetSpec, Split, image_hashes
from edge_runtime.data.datasets.folder import load_folder
from edge_runtime.data.datasets.idx import load_idx
from edge_runtime.data.datasets.sample import load_sample
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
_BUILT_IN: dict[str, Loader] = {
    "sample": load_sample,
    "idx": load_idx,
    "folder": load_folder,
    "images": load_stored,
}
_WITHOUT_ARGUMENT = {"sample": "sample", "fashion_mnist": "tfds:fashion_mnist"}


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
    source = _WITHOUT_ARGUMENT.get(spec.source, spec.source)
    prefix, _, argument = source.partition(":")
    takes_argument = prefix in _loader_names() and prefix not in _WITHOUT_ARGUMENT
    if source != "sample" and not (takes_argument and argument):
        raise DatasetError(_unknown_source(spec.source))
    dataset = _loader(prefix)(replace(spec, source=source))
    limited = replace(
        dataset,
        name=dataset.name if prefix == "images" else spec.source,
        train=_first(dataset.train, spec.train_size, "training"),
        test=_first(dataset.test, spec.test_size, "test"),
        recorded_fingerprint=None if spec.test_size else dataset.recorded_fingerprint,
    )
    _refuse_unusable(limited, needs)
    return limited


def given_dataset(dataset: GivenDataset, *, needs: Collection[str] = ("train", "test")) -> Dataset:
    """Return a dataset; one that is named, as on the command line, is loaded.

    Args:
        dataset: it, or what it is called.
        needs: the splits that must have images.

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


def _loader_names() -> set[str]:
    points = importlib.metadata.entry_points(group=_ENTRY_POINTS)
    return {*_BUILT_IN, *(point.name for point in points)}


def _loader(prefix: str) -> Loader:
    if prefix in _BUILT_IN:
        return _BUILT_IN[prefix]
    (point,) = set(importlib.metadata.entry_points(group=_ENTRY_POINTS, name=prefix))
    loader: Loader = point.load()
    return loader


def _unknown_source(source: str) -> str:
    known = {*_WITHOUT_ARGUMENT, *_loader_names()}
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
