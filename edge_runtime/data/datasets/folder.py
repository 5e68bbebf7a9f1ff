"""A folder of pictures for each class, split already (`train/`, `test/`) or split here."""

from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_runtime.data.datasets.dataset import Dataset, DatasetSpec, Split
from edge_runtime.data.decoding import decode
from edge_runtime.data.images import (
    PICTURE_SUFFIXES,
    Preprocessing,
    fit,
    prepare,
    read_picture_bytes,
)
from edge_runtime.errors import DatasetError, PictureError
from edge_runtime.files.listing import files_below
from edge_runtime.files.reading import expanded, sha256

_TEST_SHARE = 0.2


# Pictures with the numbers of their classes.
_Listing = list[tuple[Path, int]]


def load_folder(spec: DatasetSpec) -> Dataset:
    """Load `folder:DIR`: `DIR/CLASS/*.png`, or `DIR/train/CLASS/*` and `DIR/test/CLASS/*`.

    Without the two sub-folders a fifth of each class, drawn with the spec's seed, is the test
    split. The order of the images is drawn with the seed too, so that the first so many of them
    are of all classes.

    Raises:
        DatasetError: there is no such folder, fewer than two classes, or a picture is damaged.
    """
    folder = expanded(spec.source.partition(":")[2])
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {folder}.")
    if (folder / "train").is_dir() and (folder / "test").is_dir():
        class_names = _class_names(folder / "train")
        train, test = (_list(folder / part, class_names) for part in ("train", "test"))
        _refuse_untrained_class(train, class_names)
    else:
        class_names = _class_names(folder)
        train, test = _split(_list(folder, class_names), spec.seed, class_names)
    images, hashes = _read_pictures([path for path, _ in (*train, *test)], spec)
    labels = np.array([label for _, label in (*train, *test)], np.int64)
    everything = Split(_pixels(images, spec), labels, hashes)
    rng = np.random.default_rng(spec.seed)
    return Dataset(
        spec.source,
        class_names,
        train=everything.take(rng.permutation(len(train))),
        test=everything.take(len(train) + rng.permutation(len(test))),
    )


def _class_names(folder: Path) -> tuple[str, ...]:
    names = _subfolders(folder)
    mistaken = sorted(set(names) & {"train", "val", "valid", "validation", "test"})
    if mistaken:
        raise DatasetError(
            f"{folder} has a folder '{mistaken[0]}', which is no class; expected both 'train' and "
            "'test', or a folder for each class."
        )
    if len(names) < 2:
        found = f"only '{names[0]}'" if names else "none"
        raise DatasetError(
            f"Expected a folder for each of two classes or more in {folder}, found {found}."
        )
    return tuple(names)


def _subfolders(folder: Path) -> list[str]:
    try:
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
        return sorted(entry.name for entry in entries if entry.is_dir())
    except OSError as error:
        _refuse(error)


def _list(folder: Path, class_names: tuple[str, ...]) -> _Listing:
    unknown = [name for name in _subfolders(folder) if name not in class_names]
    if unknown:
        raise DatasetError(f"{folder} has a class '{unknown[0]}' that the training split has not.")
    return [
        (path, label)
        for label, name in enumerate(class_names)
        for path in sorted(map(Path, files_below(str(folder / name), PICTURE_SUFFIXES, _refuse)))
    ]


def _refuse(error: OSError) -> NoReturn:
    raise DatasetError(
        f"{error.filename}: this folder cannot be listed ({error.strerror}), so pictures would be "
        "missing; give yourself the right to read it, or move it away."
    ) from error


def _split(listing: _Listing, seed: int, class_names: tuple[str, ...]) -> tuple[_Listing, _Listing]:
    rng = np.random.default_rng(seed)
    train: _Listing = []
    test: _Listing = []
    for label, name in enumerate(class_names):
        members = [entry for entry in listing if entry[1] == label]
        if len(members) < 2:
            raise DatasetError(
                f"The class '{name}' has {len(members)} pictures; a split into training and test "
                "images needs two or more."
            )
        order = rng.permutation(len(members))
        test_count = max(1, round(len(members) * _TEST_SHARE))
        test += [members[index] for index in sorted(order[:test_count])]
        train += [members[index] for index in sorted(order[test_count:])]
    return train, test


def _refuse_untrained_class(train: _Listing, class_names: tuple[str, ...]) -> None:
    present = {label for _, label in train}
    for label, name in enumerate(class_names):
        if label not in present:
            raise DatasetError(
                f"The class '{name}' has no training pictures; add some or remove it."
            )


def _read_pictures(
    paths: list[Path], spec: DatasetSpec
) -> tuple[list[Image.Image], NDArray[np.bytes_]]:
    """Return decoded pictures of one size, and the SHA-256 of each file as (N,) S64."""
    images: list[Image.Image] = []
    hashes = []
    for path in paths:
        image, digest = _open(path, spec)
        if images and image.size != images[0].size:
            raise DatasetError(
                f"{path} is {image.width} × {image.height}, the pictures before it are "
                f"{images[0].width} × {images[0].height}; give the size that the model shall have "
                "with --image-size, as in --image-size 28x28."
            )
        images.append(image)
        hashes.append(digest.encode())
    return images, np.array(hashes, "S64")


def _open(path: Path, spec: DatasetSpec) -> tuple[Image.Image, str]:
    try:
        data = read_picture_bytes(path)
        image = decode(data, name=str(path))
    except PictureError as error:
        raise DatasetError(f"{error} Fix or remove it.") from error
    if spec.channels == 1:
        image = image.convert("L")
    # At once: thousands of photographs do not fit into memory at their full size.
    return fit(image, spec.image_size[::-1]) if spec.image_size else image, sha256(data)


def _pixels(images: list[Image.Image], spec: DatasetSpec) -> NDArray[np.uint8]:
    """Return (N, H, W, C) pixels, of three channels where some of the pictures are coloured."""
    if not images:
        raise DatasetError(f"There are no PNG, JPEG or BMP pictures in '{spec.source}'.")
    channels = spec.channels or (1 if all(image.mode == "L" for image in images) else 3)
    preprocessing = Preprocessing(images[0].height, images[0].width, channels)
    return np.stack([prepare(image, preprocessing, invert="no").pixels for image in images])
