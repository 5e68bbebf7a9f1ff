"""Models that no run of ours made: converted, or refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Finished

from edge_runtime.data.datasets import Dataset
from edge_runtime.inference.classifier import Classifier
from edge_runtime.models.model_file import read_model

Cli = Callable[..., Finished]


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that no run of ours made: .keras and SavedModel, RGB, 7 classes, logits."""
    keras = pytest.importorskip("keras")
    folder = tmp_path_factory.mktemp("foreign")
    keras.utils.set_random_seed(3)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((24, 20, 3)),
            layers.Rescaling(1 / 127.5, offset=-1),
            layers.Conv2D(8, 3, strides=2, activation="relu"),
            layers.BatchNormalization(),
            layers.DepthwiseConv2D(3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(7),
        ]
    )
    model.save(folder / "foreign.keras")
    model.export(folder / "saved", verbose=False)
    return folder


@pytest.fixture(scope="module")
def foreign_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from PIL import Image

    folder = tmp_path_factory.mktemp("seven")
    rng = np.random.default_rng(0)
    for label in range(7):
        (folder / f"class{label}").mkdir()
        for index in range(5):
            pixels = rng.integers(0, 255, (24, 20, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"class{label}" / f"{index}.png")
    return folder


@pytest.mark.parametrize("name", ["foreign.keras", "saved"])
def test_a_model_of_somebody_else_converts_and_gives_probabilities(
    cli: Cli, foreign: Path, foreign_pictures: Path, tmp_path: Path, name: str
) -> None:
    done = cli(
        *("convert", foreign / name, "--quantize", "float32,int8", "--out", tmp_path),
        *("--dataset", f"folder:{foreign_pictures}", "--representative-size", 20, "--json"),
    )
    assert done.code == 0, done.err
    models = {item["recipe"]: Path(item["path"]) for item in json.loads(done.out)["models"]}
    keras = pytest.importorskip("keras")
    images = np.random.default_rng(1).integers(0, 256, (10, 24, 20, 3), dtype=np.uint8)
    logits = np.asarray(keras.saving.load_model(foreign / "foreign.keras")(images.astype("f4")))
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    with Classifier(models["float32"]) as classifier:
        assert classifier.class_names == tuple(f"class{label}" for label in range(7))
        np.testing.assert_allclose(classifier.predict(images), expected, atol=1e-5)
    with Classifier(models["int8"]) as classifier:
        # Seven nearly equal logits of an untrained net, in 256 steps.
        np.testing.assert_allclose(classifier.predict(images), expected, atol=0.03)


@pytest.mark.parametrize("name", ["foreign.keras", "saved"])
def test_a_model_of_somebody_else_is_compared_with_its_file_by_hash_or_when_named(
    cli: Cli, foreign: Path, foreign_pictures: Path, tmp_path: Path, name: str
) -> None:
    images = ("--dataset", f"folder:{foreign_pictures}")
    kept = shutil.copytree if (foreign / name).is_dir() else shutil.copy
    source = Path(kept(foreign / name, tmp_path / name))
    assert cli("convert", source, "--quantize", "float32", *images).code == 0
    (converted,) = tmp_path.glob("*.tflite")
    done = cli("parity", converted, *images, "--out", tmp_path / "out", "--json")
    report = json.loads(done.out)
    assert report["reference"]["file"] == str(source)
    assert report["reference"]["found"] == "its source by hash"
    assert report["comparisons"][0]["flip_count"] == 0
    assert report["comparisons"][0]["details"]["source_sha256"] == report["reference"]["sha256"]
    source.rename(tmp_path / "elsewhere.keras" if source.is_file() else tmp_path / "elsewhere")
    refused = cli("parity", converted, *images, "--out", tmp_path / "out")
    assert refused.code == 1
    assert f"({name}, SHA-256 {report['reference']['sha256'][:12]}…) was not found" in refused.err


def test_a_model_that_takes_uint8_converts_and_answers_the_same(
    cli: Cli, tmp_path: Path, sample: Dataset
) -> None:
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(5)
    layers = keras.layers
    head = [keras.Input((28, 28, 1), dtype="uint8"), layers.Rescaling(1 / 255)]
    model = keras.Sequential([*head, layers.Flatten(), layers.Dense(10, activation="softmax")])
    model.save(tmp_path / "bytes.keras")
    options = ("--quantize", "float32,int8", "--dataset", "sample")
    done = cli("convert", tmp_path / "bytes.keras", *options)
    assert done.code == 0, done.err
    images = sample.test.images[:50]
    expected = np.asarray(model(images))
    # Dense sums of 784 products, in integers: a few steps of 1/256.
    for recipe, tolerance in (("float32", 1e-5), ("int8", 0.05)):
        with Classifier(tmp_path / f"bytes.{recipe}.tflite") as classifier:
            np.testing.assert_allclose(classifier.predict(images), expected, atol=tolerance)


def test_float_recipes_need_no_dataset_and_number_the_classes(
    cli: Cli, foreign: Path, tmp_path: Path
) -> None:
    done = cli("convert", foreign / "foreign.keras", "--quantize", "float16", "--out", tmp_path)
    assert done.code == 0, done.err
    manifest = read_model(tmp_path / "foreign.float16.tflite").manifest
    assert manifest is not None
    assert manifest.class_names == tuple("0123456")
    assert manifest.preprocessing.shape == (24, 20, 3)


def test_models_that_are_no_image_classifiers_are_refused(cli: Cli, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    (tmp_path / "text.keras").write_text("hello")
    (tmp_path / "folder").mkdir()
    layers = keras.layers
    keras.Sequential([keras.Input((5,)), layers.Dense(3)]).save(tmp_path / "vector.keras")
    keras.Sequential([keras.Input((9, 9, 1)), layers.Conv2D(2, 3)]).save(tmp_path / "map.keras")
    two = keras.Input((9, 9, 1)), keras.Input((9, 9, 1))
    pooled = layers.Flatten()(layers.Add()(two))
    keras.Model(two, layers.Dense(3)(pooled)).save(tmp_path / "two.keras")
    for name, words in (
        ("missing.keras", "there is no such model"),
        ("text.keras", "this is no .keras file"),
        ("folder", "this folder is no SavedModel"),
        ("vector.keras", "the model's input is not an image"),
        ("map.keras", "expected an output of two classes or more"),
        ("two.keras", "expected one input and one output, got 2 and 1"),
    ):
        done = cli("convert", tmp_path / name, "--quantize", "float32")
        assert done.code == 1, name
        assert words in done.err, name
        assert "Traceback" not in done.err
    assert list(tmp_path.glob("*.tflite")) == []


def test_integers_need_images_to_calibrate_on(cli: Cli, foreign: Path, tmp_path: Path) -> None:
    done = cli("convert", foreign / "foreign.keras", "--out", tmp_path)
    assert done.code == 1
    assert "need images to calibrate on" in done.err
    done = cli("convert", foreign / "foreign.keras", "--dataset", "sample", "--out", tmp_path)
    assert done.code == 1
    assert "the images of the dataset are (28, 28, 1)" in done.err or "classes" in done.err


def test_a_run_keeps_its_class_names_whatever_it_is_calibrated_on(
    cli: Cli, run_folder: Path, foreign_pictures: Path, tmp_path: Path
) -> None:
    done = cli(
        *("convert", run_folder / "model.keras", "--out", tmp_path),
        *("--dataset", f"folder:{foreign_pictures}"),
    )
    assert done.code == 1
    assert "are not those of article" in done.err
    assert list(tmp_path.iterdir()) == []


# The runtime that files are made for.
