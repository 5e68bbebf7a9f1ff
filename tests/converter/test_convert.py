"""Conversion: what each recipe makes, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Finished

from converter.graph import marked
from edge_runtime.data.datasets import Dataset
from edge_runtime.data.predictions import Predictions
from edge_runtime.inference.classifier import Classifier
from edge_runtime.models.inspection import ModelSummary, inspect_model
from edge_runtime.models.model_file import MARK, ModelFile, is_marked, read_model

Cli = Callable[..., Finished]


RECIPES = ("float32", "float16", "dynamic", "int8", "int16x8")


def summary_of(path: Path) -> ModelSummary:
    return inspect_model(path.read_bytes())


def operators_of(path: Path) -> set[str]:
    return {operator.name for operator in summary_of(path).operators}


@pytest.mark.parametrize("recipe", RECIPES)
def test_each_recipe_makes_the_scheme_of_its_name(run_folder: Path, recipe: str) -> None:
    summary = summary_of(run_folder / f"{recipe}.tflite")
    assert summary.scheme == recipe
    assert summary.inputs[0].shape == (1, 28, 28, 1)
    assert not {"SHAPE", "STRIDED_SLICE", "PACK"} & operators_of(run_folder / f"{recipe}.tflite")


def test_int8_is_full_integer_and_takes_raw_pixels(run_folder: Path) -> None:
    path = run_folder / "int8.tflite"
    summary = summary_of(path)
    assert summary.is_full_integer
    assert not {"QUANTIZE", "DEQUANTIZE"} & operators_of(path)
    assert (summary.inputs[0].dtype, summary.outputs[0].dtype) == ("int8", "int8")
    # Scale 1 and zero point -128: the pixel's byte with its top bit flipped.
    assert (summary.inputs[0].scales, summary.inputs[0].zero_points) == ((1.0,), (-128,))
    assert summary.size_bytes <= 47_000  # 40,000 with --no-pack-pixels: see test_packing


def test_the_converted_models_answer_like_the_full_model(run_folder: Path, sample: Dataset) -> None:
    full = Predictions.load(run_folder / "full.predictions.npz")
    # float32 differs by the order of its sums; float16 by half precision weights.
    for recipe, tolerance in (("float32", 1e-4), ("float16", 0.02), ("int16x8", 0.1)):
        with Classifier(run_folder / f"{recipe}.tflite") as classifier:
            answers = classifier.predict(sample.test.images[:100])
        np.testing.assert_allclose(answers, full.probabilities[:100], atol=tolerance)


def test_int8_is_within_half_a_point_and_agrees_on_98_percent(run_folder: Path) -> None:
    report = json.loads((run_folder / "parity" / "report.json").read_text())
    (int8,) = (item for item in report["comparisons"] if item["model"] == "int8")
    assert abs(int8["accuracy_difference"]) <= 0.005
    assert int8["agreement"]["value"] >= 0.98


def test_the_manifest_says_what_the_model_was_calibrated_on(
    run_folder: Path, sample: Dataset
) -> None:
    manifest = read_model(run_folder / "int8.tflite").manifest
    assert manifest is not None
    assert manifest.class_names == sample.class_names
    assert manifest.preprocessing == sample.preprocessing
    assert manifest.preprocessing.background == "dark"
    described = manifest.details["representative_dataset"]
    assert described["split"] == "train"
    assert set(described["images_per_class"].values()) == {described["size"] // 10}
    assert manifest.details["dataset"]["fingerprint"] == sample.fingerprint
    assert manifest.details["probe"]["backend"] == "ai-edge-litert"
    float_manifest = read_model(run_folder / "float32.tflite").manifest
    assert float_manifest is not None
    assert float_manifest.details["representative_dataset"] is None


def test_xnnpack_takes_the_whole_float_graph(run_folder: Path) -> None:
    probed = json.loads((run_folder / "float32.manifest.json").read_text())["probe"]
    assert probed["xnnpack"] == "whole graph"
    probed = json.loads((run_folder / "int16x8.manifest.json").read_text())["probe"]
    assert probed["xnnpack"] == "none"


def test_the_same_model_converts_to_the_same_bytes(
    cli: Cli, run_folder: Path, tmp_path: Path
) -> None:
    options = ("--quantize", "all", "--out", tmp_path)
    assert cli("convert", run_folder / "model.keras", *options).code == 0
    for recipe in RECIPES:
        for suffix in (".tflite", ".manifest.json"):
            name = f"{recipe}{suffix}"
            assert (tmp_path / name).read_bytes() == (run_folder / name).read_bytes(), name


@pytest.mark.parametrize(
    ("io", "dtype", "border"),
    [
        ("uint8", "uint8", {"QUANTIZE"}),
        ("int8", "int8", set()),
        ("float32", "float32", {"QUANTIZE", "DEQUANTIZE"}),
    ],
)
def test_io_chooses_the_type_of_input_and_output(
    cli: Cli,
    run_folder: Path,
    tmp_path: Path,
    sample: Dataset,
    io: str,
    dtype: str,
    border: set[str],
) -> None:
    done = cli("convert", run_folder / "model.keras", "--io", io, "--out", tmp_path)
    assert done.code == 0, done.err
    path = tmp_path / "int8.tflite"
    summary = summary_of(path)
    assert (summary.inputs[0].dtype, summary.outputs[0].dtype) == (dtype, dtype)
    assert operators_of(path) & {"QUANTIZE", "DEQUANTIZE"} == border
    assert summary.scheme == "int8"
    with Classifier(path) as other, Classifier(run_folder / "int8.tflite") as usual:
        images = sample.test.images[:50]
        np.testing.assert_array_equal(other.predict(images), usual.predict(images))


@pytest.mark.parametrize(
    "description", ["MLIR Converted.", "MLIR Converted. Twice.", "short", None]
)
def test_the_mark_changes_nothing_that_a_model_computes(
    changed_model: Any, description: str | None
) -> None:
    plain = changed_model("int8", lambda model: setattr(model, "description", description))
    bytes_of = marked(plain)
    assert is_marked(bytes_of)
    assert not is_marked(plain)
    images = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 1)).astype(np.uint8)
    answers = []
    for data in (plain, bytes_of):
        with Classifier(ModelFile("tiny", data)) as classifier:
            answers.append(classifier.raw_outputs(images))
    np.testing.assert_array_equal(*answers)
    if description is not None and len(description) >= len(MARK):
        assert len(bytes_of) == len(plain)


def test_what_is_converted_bears_the_mark(run_folder: Path) -> None:
    for recipe in RECIPES:
        assert is_marked((run_folder / f"{recipe}.tflite").read_bytes()), recipe


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--quantize", "int7"), "Did you mean 'int8'?"),
        (("--quantize", "float16", "--io", "uint8"), "input and output type 'uint8' is for int8"),
        (("--representative-size", "5"), "leave out the class"),
        (("--representative-size", "5000"), "the training split has"),
    ],
)
def test_bad_options_are_one_sentence(
    cli: Cli, run_folder: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    done = cli("convert", run_folder / "model.keras", "--out", tmp_path, *arguments)
    assert done.code == 1
    assert words in done.err
    assert "Traceback" not in done.err
    assert list(tmp_path.iterdir()) == []


def test_an_average_of_two_softmaxes_is_recognised_as_probabilities(
    cli: Cli, tmp_path: Path, sample: Dataset
) -> None:
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(6)
    layers = keras.layers
    image = keras.Input((28, 28, 1))
    features = layers.Flatten()(layers.Rescaling(1 / 255)(image))
    heads = [layers.Dense(10, activation="softmax")(features) for _ in range(2)]
    model = keras.Model(image, layers.Average()(heads))
    model.save(tmp_path / "average.keras")
    assert cli("convert", tmp_path / "average.keras", "--quantize", "float32").code == 0
    expected = np.asarray(model(sample.test.images[:20].astype(np.float32)))
    with Classifier(tmp_path / "average.float32.tflite") as classifier:
        assert classifier.output == "probabilities"
        np.testing.assert_allclose(classifier.predict(sample.test.images[:20]), expected, atol=1e-5)


def test_logits_are_the_scores_before_the_softmax_and_answer_alike(
    cli: Cli, run_folder: Path, tmp_path: Path, sample: Dataset
) -> None:
    done = cli("convert", run_folder / "model.keras", "--logits", "--out", tmp_path)
    assert done.code == 0, done.err
    manifest = json.loads((tmp_path / "int8.manifest.json").read_text())
    assert manifest["output"] == "logits"
    assert manifest["probe"]["xnnpack"] == "whole graph"
    summary = inspect_model((tmp_path / "int8.tflite").read_bytes())
    assert "SOFTMAX" not in [use.name for use in summary.operators]
    images = sample.train.images[:200]
    with (
        Classifier(tmp_path / "int8.tflite") as without,
        Classifier(run_folder / "int8.tflite") as usual,
    ):
        # The same scores; an int8 softmax answers in steps of 1/256, and 255/256 is its largest.
        assert np.abs(without.predict(images) - usual.predict(images)).max() <= 1 / 256
        # The scores' own scale, so that the integers are those which go into the usual softmax.
        assert without.output_tensor.scales == usual.summary.scores.scales


def test_a_model_without_a_softmax_at_its_end_has_none_to_leave_out(
    cli: Cli, tmp_path: Path
) -> None:
    keras = pytest.importorskip("keras")
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)]
    )
    model.save(tmp_path / "plain.keras")
    done = cli(
        *("convert", tmp_path / "plain.keras", "--logits", "--quantize", "float32"),
        *("--out", tmp_path / "out"),
    )
    assert done.code == 1
    assert done.err.splitlines()[-1] == (
        f"Error: {tmp_path / 'plain.keras'}: the model does not end in a softmax that could be "
        "left out."
    )


def test_a_softmax_layer_is_left_out_too(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    from converter.source import without_softmax

    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(10),
            keras.layers.Softmax(),
        ]
    )
    image = np.random.default_rng(0).normal(size=(3, 8, 8, 1)).astype(np.float32)
    logits = keras.ops.convert_to_numpy(without_softmax(model)(image))
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = exponentials / exponentials.sum(axis=1, keepdims=True)
    assert np.allclose(expected, keras.ops.convert_to_numpy(model(image)), atol=1e-6)
