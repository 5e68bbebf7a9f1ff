"""Small inputs that commands are tried with: noise in ten classes, as the tiny models take it."""

from pathlib import Path

import numpy as np
from PIL import Image

from edge_runtime.data.datasets import Dataset, Split
from edge_runtime.inference.bundling.making import bundle as make_bundle
from edge_runtime.models.model_file import ModelFile
from edge_runtime.runtimes.backends import choose_backend

TINY = Path(__file__).resolve().parent.parent.parent / "tests" / "fixtures" / "tiny-int8.tflite"
CLASSES = tuple("abcdefghij")
SIDE = 8


def noise_dataset() -> Dataset:
    """Return 120 training and 40 test images of noise."""
    rng = np.random.default_rng(0)
    train, test = (
        Split(rng.integers(0, 256, (count, SIDE, SIDE, 1)).astype(np.uint8), np.arange(count) % 10)
        for count in (120, 40)
    )
    return Dataset("noise", CLASSES, train=train, test=test)


def write_bundle(path: Path, *, version: int) -> None:
    """Write a bundle of the tiny model."""
    model = ModelFile("tiny", TINY.read_bytes())
    made = make_bundle(model, noise_dataset(), version=version, backend=choose_backend())
    path.write_bytes(made.data)


def write_pictures(folder: Path, *, train: int, test: int) -> None:
    """Write so many pictures of each class below `train` and `test`, as `folder:` reads them."""
    rng = np.random.default_rng(0)
    for part, count in (("train", train), ("test", test)):
        for name in CLASSES:
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (SIDE, SIDE)).astype(np.uint8)
                Image.fromarray(pixels).save(folder / part / name / f"{number}.png")
