"""A folder of pictures for each class, split already (`train/`, `test/`) or split here."""

from dataclasses import dataclass
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


@dataclass(frozen=True, eq=False)
class _LabelledPicture:
    image: Image.Image
    label: int
    sha256: str  # of the file's bytes


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
    pictures = _read_pictures([*train, *test], spec)
    preprocessing = _preprocessing([picture.image for picture in pictures], spec)
    rng = np.random.default_rng(spec.seed)
    parts = pictures[: len(train)], pictures[len(train) :]
    splits = [_to_split(part, preprocessing, rng) for part in parts]
    return Dataset(spec.source, class_names, train=splits[0], test=splits[1])


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


def _list(folder: Path, class_names: tuple[str, ...]) -> list[tuple[Path, int]]:
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


def _split(
    listing: list[tuple[Path, int]], seed: int, class_names: tuple[str, ...]
) -> tuple[list[tuple[Path, int]], list[tuple[Path, int]]]:
    rng = np.random.default_rng(seed)
    train: list[tuple[Path, int]] = []
    test: list[tuple[Path, int]] = []
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


def _refuse_untrained_class(train: list[tuple[Path, int]], class_names: tuple[str, ...]) -> None:
    present = {label for _, label in train}
    for label, name in enumerate(class_names):
        if label not in present:
            raise DatasetError(
                f"The class '{name}' has no training pictures; add some or remove it."
            )


def _read_pictures(listing: list[tuple[Path, int]], spec: DatasetSpec) -> list[_LabelledPicture]:
    pictures: list[_LabelledPicture] = []
    for path, label in listing:
        image, digest = _open(path, spec)
        first = pictures[0].image if pictures else image
        if image.size != first.size:
            raise DatasetError(
                f"{path} is {image.width} × {image.height}, the pictures before it are "
                f"{first.width} × {first.height}; give the size that the model shall have with "
                "--image-size, as in --image-size 28x28."
            )
        pictures.append(_LabelledPicture(image, label, digest))
    return pictures


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


def _preprocessing(images: list[Image.Image], spec: DatasetSpec) -> Preprocessing:
    if not images:
        raise DatasetError(f"There are no PNG, JPEG or BMP pictures in '{spec.source}'.")
    grey = all(image.mode == "L" for image in images)
    return Preprocessing(images[0].height, images[0].width, spec.channels or (1 if grey else 3))


def _to_split(
    pictures: list[_LabelledPicture], preprocessing: Preprocessing, rng: np.random.Generator
) -> Split:
    images: NDArray[np.uint8] = np.empty((len(pictures), *preprocessing.shape), np.uint8)
    for index, picture in enumerate(pictures):
        images[index] = prepare(picture.image, preprocessing, invert="no").pixels
    labels = np.array([picture.label for picture in pictures], np.int64)
    files = np.array([picture.sha256.encode() for picture in pictures], "S64")
    return Split(images, labels, files).take(rng.permutation(len(pictures)))
