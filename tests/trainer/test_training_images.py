"""What is trained on: pictures, IDX files, TFDS sets."""

import gzip
import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Finished
from PIL import Image

from edge_runtime.data.datasets import Dataset, DatasetSpec, image_hashes, load_dataset

Cli = Callable[..., Finished]


@pytest.fixture
def colour_folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for label, colour in enumerate(("red", "green", "blue")):
        folder = tmp_path / "pictures" / colour
        folder.mkdir(parents=True)
        for index in range(15):
            pixels = rng.integers(0, 90, (20, 24, 3), dtype=np.uint8)
            pixels[..., label] += 150
            Image.fromarray(pixels).save(folder / f"{index}.png")
    return tmp_path / "pictures"


def test_post_cnn_learns_colour_pictures_of_another_size_and_class_count(
    cli: Cli, tmp_path: Path, colour_folder: Path
) -> None:
    runs = tmp_path / "runs"
    done = cli(
        *("train", "--dataset", f"folder:{colour_folder}", "--epochs", 30, "--batch-size", 8),
        *("--runs-dir", runs, "--json"),
    )
    assert done.code == 0, done.err
    assert json.loads(done.out)["test_accuracy"]["value"] == 1.0
    assert cli("convert", "--runs-dir", runs, "--representative-size", 12).code == 0
    picture = colour_folder / "green" / "0.png"
    answer = cli("classify", runs / "latest" / "int8.tflite", picture)
    assert answer.out.split()[-1] == "green"


def write_idx(folder: Path, dataset: Dataset, *, suffix: str = "") -> None:
    for prefix, split in (("train", dataset.train), ("t10k", dataset.test)):
        count, height, width, _ = split.images.shape
        images = struct.pack(">4I", 0x803, count, height, width) + split.images.tobytes()
        labels = struct.pack(">2I", 0x801, count) + split.labels.astype(np.uint8).tobytes()
        for name, data in (("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)):
            packed = gzip.compress(data) if suffix else data
            (folder / f"{prefix}-{name}{suffix}").write_bytes(packed)


def test_idx_files_train_like_the_sample_they_were_written_from(
    cli: Cli, tmp_path: Path, sample: Dataset
) -> None:
    write_idx(tmp_path, sample, suffix=".gz")
    few = ("--epochs", 1, "--train-size", 100, "--test-size", 50, "--runs-dir", tmp_path / "runs")
    assert cli("train", "--dataset", f"idx:{tmp_path}", "--name", "idx", *few).code == 0
    assert cli("train", "--name", "sample", *few).code == 0
    pair = [
        json.loads((tmp_path / "runs" / name / "history.json").read_text())
        for name in ("idx", "sample")
    ]
    assert pair[0] == pair[1]


@pytest.fixture
def prepared_tfds(tmp_path: Path, sample: Dataset) -> Path:
    """A TFDS set as TFDS itself stores it, without a network."""
    tfds = pytest.importorskip("tensorflow_datasets")
    import tensorflow as tf

    def records(split: Any) -> Any:
        columns = {"image": split.images[:60], "label": split.labels[:60]}
        return tf.data.Dataset.from_tensor_slices(columns)

    tfds.dataset_builders.store_as_tfds_dataset(
        name="tiny_fashion",
        version="1.0.0",
        features=tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(shape=(28, 28, 1)),
                "label": tfds.features.ClassLabel(names=list(sample.class_names)),
            }
        ),
        split_datasets={"train": records(sample.train), "test": records(sample.test)},
        data_dir=str(tmp_path / "tfds"),
        disable_shuffling=True,
    )
    return tmp_path / "tfds"


def test_a_prepared_tfds_set_is_read_without_a_network(
    prepared_tfds: Path, sample: Dataset
) -> None:
    spec = DatasetSpec("tfds:tiny_fashion", data_dir=str(prepared_tfds), test_size=50)
    dataset = load_dataset(spec)
    assert dataset.class_names == sample.class_names
    np.testing.assert_array_equal(dataset.train.images, sample.train.images[:60])
    np.testing.assert_array_equal(dataset.test.labels, sample.test.labels[:50])


def test_a_resized_tfds_image_is_named_by_its_stored_pixels(
    prepared_tfds: Path, sample: Dataset
) -> None:
    spec = DatasetSpec("tfds:tiny_fashion", data_dir=str(prepared_tfds), image_size=(8, 8))
    split = load_dataset(spec).test
    assert split.images.shape[1:] == (8, 8, 3)
    stored = image_hashes(sample.test.images[: len(split)])
    assert split.image_sha256().tolist() == stored.tolist()


def test_tfds_without_a_network_names_the_alternatives_within_15_seconds(tmp_path: Path) -> None:
    # A proxy that nobody listens on stands for the missing network.
    nowhere = {f"{scheme}_proxy": "http://127.0.0.1:9" for scheme in ("http", "https")}
    command = [sys.executable, "-m", "edge_runtime.cli", "train", "--dataset", "fashion_mnist"]
    done = subprocess.run(
        [*command, "--data-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=15,
        env={**os.environ, **nowhere},
    )
    assert done.returncode == 1
    assert "Without a network use --dataset sample" in done.stderr
    assert "idx:DIR" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_shift_that_leaves_the_picture_is_refused_before_the_training(
    cli: Cli, tmp_path: Path
) -> None:
    done = cli("train", "--shift", 15, "--runs-dir", tmp_path)
    assert (done.code, done.out) == (1, "")
    assert "at most 14, half of the shorter side of images of 28 × 28 pixels, got 15" in done.err
    assert list(tmp_path.iterdir()) == []


def test_pictures_that_are_too_small_for_post_cnn_are_refused(cli: Cli, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / "p" / name).mkdir(parents=True)
        for index in range(3):
            Image.new("L", (15, 28), index * 50).save(tmp_path / "p" / name / f"{index}.png")
    done = cli("train", "--dataset", f"folder:{tmp_path / 'p'}", "--runs-dir", tmp_path / "runs")
    assert done.code == 1
    assert "16 × 16 pixels or more, got 28 × 15" in done.err


def test_a_folder_with_train_and_val_is_not_taken_for_two_classes(cli: Cli, tmp_path: Path) -> None:
    for part in ("train", "val"):
        for name in "ab":
            (tmp_path / "p" / part / name).mkdir(parents=True)
    done = cli("train", "--dataset", f"folder:{tmp_path / 'p'}", "--runs-dir", tmp_path / "runs")
    assert done.code == 1
    assert "'train', which is no class; expected both 'train' and 'test'" in done.err
