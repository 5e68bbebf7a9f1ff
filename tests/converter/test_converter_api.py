"""The Python API of the converter: what `convert` returns, proves, refuses and tells."""

import doctest
import json
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import converter
from converter import Converted, convert, convert_all
from edge_runtime.data.datasets import Dataset
from edge_runtime.data.images import Preprocessing
from edge_runtime.errors import ConversionError, DatasetError, ModelError, UnsupportedError
from edge_runtime.files.reading import sha256
from edge_runtime.inference.classifier import Classifier
from edge_runtime.models.model_file import read_model

NAMES = ("boot", "coat", "dress")


@pytest.fixture(scope="module")
def model() -> Any:
    """A model in a notebook: 8 × 8 grey pixels, three classes."""
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(4)
    layers = keras.layers
    head = [keras.Input((8, 8, 1)), layers.Rescaling(1 / 255), layers.Conv2D(4, 3), layers.ReLU()]
    tail = [layers.Flatten(), layers.Dense(3, activation="softmax")]
    return keras.Sequential([*head, *tail], name="notebook")


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (30, 8, 8, 1), dtype=np.uint8)


@pytest.fixture(scope="module")
def made(model: Any, images: NDArray[np.uint8]) -> Converted:
    return convert(model, "int8", representative=images, class_names=NAMES)


def test_the_public_names_are_these() -> None:
    assert converter.__all__ == ["Converted", "convert", "convert_all"]
    for name in converter.__all__:
        assert getattr(converter, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'covnert'"):
        _ = converter.covnert


def test_a_model_in_memory_is_converted_and_proved_and_nothing_is_written(
    model: Any, images: NDArray[np.uint8], here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    weights = model.get_weights()
    made = convert(model, "float32")
    assert capfd.readouterr() == ("", "")
    assert list(here.iterdir()) == []
    assert made.manifest.class_names == ("0", "1", "2")
    assert made.manifest.preprocessing == Preprocessing(8, 8, 1)
    assert made.verification.made_for["proof"] == "run"
    assert made.verification.probed.xnnpack == "whole graph"
    for one, other in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_it_is_written_with_its_manifest_and_answers_like_the_model(
    made: Converted, model: Any, images: NDArray[np.uint8], tmp_path: Path
) -> None:
    assert made.save(str(tmp_path / "boots.tflite")) == tmp_path / "boots.tflite"
    assert {path.name for path in tmp_path.iterdir()} == {"boots.tflite", "boots.manifest.json"}
    assert read_model(tmp_path / "boots.tflite").data == made.data
    document = json.loads((tmp_path / "boots.manifest.json").read_text())
    assert document["source"]["file"] == "notebook.keras"
    assert document["representative_dataset"]["size"] == 30
    assert document["representative_dataset"]["images_per_class"] is None
    with Classifier(tmp_path / "boots.tflite") as classifier:
        assert classifier.class_names == NAMES
        answers = classifier.predict(images)
    # An untrained softmax over three classes, in 256 steps.
    np.testing.assert_allclose(answers, np.asarray(model(images.astype(np.float32))), atol=0.02)
    with pytest.raises(ConversionError, match=r"ends in \.tflite, got"):
        made.save(tmp_path / "boots.bin")


def test_what_was_made_is_frozen_and_shows_itself(made: Converted) -> None:
    size = f"{len(made.data):,} bytes"
    assert repr(made) == (
        f"<Converted to int8: size {size}; input int8 (1, 8, 8, 1); output int8 (1, 3), "
        "probabilities>"
    )
    shown = made._repr_html_()
    assert "<b>Converted to int8</b>" in shown
    assert f'<td style="text-align:left">{size}</td>' in shown
    with pytest.raises(FrozenInstanceError):
        made.data = b""  # type: ignore[misc]


def test_a_model_in_memory_a_file_and_the_command_make_the_same_bytes(
    run_folder: Path, sample: Dataset
) -> None:
    keras = pytest.importorskip("keras")
    path = run_folder / "model.keras"
    of_file = convert(path)
    assert of_file.data == (run_folder / "int8.tflite").read_bytes()
    written = json.loads((run_folder / "int8.manifest.json").read_text())
    assert json.loads(json.dumps(of_file.manifest.to_dict())) == written
    of_model = convert(keras.saving.load_model(path, compile=False), representative=sample)
    assert of_model.data == of_file.data
    assert of_model.manifest.source_sha256 == sha256(path.read_bytes())
    assert of_model.verification.health == of_file.verification.health
    assert convert(str(path), representative="sample").data == of_file.data


def test_all_are_made_in_order_and_progress_is_told(model: Any) -> None:
    told: list[tuple[str, Any]] = []
    made = convert_all(
        model,
        ("float16", "float32"),
        progress=lambda recipe, outcome: told.append((recipe.name, outcome)),
    )
    assert list(made) == ["float32", "float16"]
    assert told == [
        ("float32", None),
        ("float32", made["float32"]),
        ("float16", None),
        ("float16", made["float16"]),
    ]


def test_what_the_runtime_cannot_run_is_left_out_of_all_and_refused_alone(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: Any, summary: Any, target: Any) -> None:
        raise UnsupportedError("tflite-runtime 2.14.0 cannot run it (LOG version 2)")

    monkeypatch.setattr("converter.job.prove", refuse)
    told: list[Any] = []
    assert convert_all(model, "float32", progress=lambda *what: told.append(what[1])) == {}
    assert [type(outcome) for outcome in told] == [type(None), UnsupportedError]
    with pytest.raises(UnsupportedError, match="LOG version 2"):
        convert(model, "float32")


def test_layers_that_are_made_afterwards_keep_counting_up(model: Any) -> None:
    keras = pytest.importorskip("keras")
    before = keras.layers.Flatten().name
    convert(model, "float32")
    assert keras.layers.Flatten().name != before
    assert keras.layers.Flatten().name != "flatten"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scheme": "int7"}, r"There is no recipe 'int7'; .* Did you mean 'int8'\?"),
        ({"scheme": "all"}, "Expected one scheme, got 'all'; use convert_all"),
        ({"scheme": "float16", "io": "uint8"}, "type 'uint8' is for int8"),
        ({"io": "int7"}, "type 'int7' is for int8"),
        ({}, "need images to calibrate on; .* representative=images"),
        ({"scheme": "float32", "class_names": "ab"}, "has 3 classes, but 2 class names"),
        ({"scheme": "float32", "class_names": (1, 2, 3)}, r"names that are texts, got \(1, 2, 3\)"),
        ({"scheme": "float32", "batch": 0}, "batch to be a whole number from 1 to 1,024, got 0"),
        ({"representative_size": 0.5}, "representative_size to be a whole number from 1"),
        ({"seed": -1}, "seed to be a whole number from 0 to .*, got -1"),
        ({"scheme": "float32", "runtime": "litter"}, r"Did you mean 'litert'\?"),
        ({"scheme": "float32", "runtime_python": "py"}, "runtime_python is for runtime"),
    ],
)
def test_impossible_arguments_are_one_sentence(
    model: Any, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConversionError, match=words):
        convert(model, **options)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda images: images / 255, DatasetError, r"scaled to 0\.\.1"),
        (lambda images: images[..., 0], DatasetError, "Add the axis of channels"),
        (lambda images: images.tolist(), DatasetError, "got list"),
        (lambda images: images[:, :7], ConversionError, r"images .* are \(7, 8, 1\)"),
    ],
)
def test_unfit_images_are_one_sentence(
    model: Any,
    images: NDArray[np.uint8],
    change: Callable[[Any], Any],
    error: type[Exception],
    words: str,
) -> None:
    with pytest.raises(error, match=words):
        convert(model, representative=change(images))


def test_what_is_no_image_classifier_is_named_as_keras_names_it() -> None:
    keras = pytest.importorskip("keras")
    vector = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)], name="vector")
    with pytest.raises(ModelError, match="the model 'vector': the model's input is not an image"):
        convert(vector, "float32")
    with pytest.raises(ModelError, match=r"Expected a keras\.Model, .* got int"):
        convert(5, "float32")


def test_the_examples_in_the_documentation_run(
    model: Any, images: NDArray[np.uint8], tmp_path: Path
) -> None:
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner()
    names = {"convert": convert, "convert_all": convert_all}
    names |= {"model": model, "images": images, "folder": tmp_path}
    for public in (convert, convert_all):
        (example,) = finder.find(public, globs=dict(names))
        assert example.examples, public
        assert runner.run(example).failed == 0, public
