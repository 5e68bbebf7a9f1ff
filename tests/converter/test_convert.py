"""Conversion: what each recipe makes, what is refused, what is never left half done."""

import errno
import fcntl
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Finished

from converter.calibration import RepresentativeDataset, check_representative, choose_representative
from converter.job import Converted, put_in_place
from converter.marking import marked
from edge_runtime.data.datasets import Dataset, Split, image_hashes
from edge_runtime.data.images import Preprocessing
from edge_runtime.data.predictions import Predictions
from edge_runtime.errors import DatasetError, ModelError
from edge_runtime.files.reading import sha256
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.loading.probe import ProbeResult, probe
from edge_runtime.models.inspection import ModelSummary, inspect_model
from edge_runtime.models.manifest import Manifest
from edge_runtime.models.marking import MARK, is_marked
from edge_runtime.models.model_file import ModelFile, read_model

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


def test_files_that_exist_are_replaced_only_by_force(
    cli: Cli, run_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "float32.tflite").write_bytes(b"mine")
    options = ("convert", run_folder / "model.keras", "--quantize", "float32", "--out", tmp_path)
    refused = cli(*options)
    assert refused.code == 1
    assert "float32.tflite exists; replace it with --force" in refused.err
    assert (tmp_path / "float32.tflite").read_bytes() == b"mine"
    assert cli(*options, "--force").code == 0
    assert summary_of(tmp_path / "float32.tflite").scheme == "float32"


def test_a_conversion_that_was_killed_is_repeated_without_force(
    cli: Cli, run_folder: Path, tmp_path: Path
) -> None:
    claim = tmp_path / ".convert.unfinished"
    claim.write_bytes(b"float32.tflite\0")
    (tmp_path / "float32.tflite").write_bytes(b"put in place before the kill")
    options = ("convert", run_folder / "model.keras", "--quantize", "float32", "--out", tmp_path)
    assert cli(*options).code == 0
    found = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    names = ("float32.tflite", "float32.manifest.json")
    assert found == {name: (run_folder / name).read_bytes() for name in names}


def test_the_second_of_two_conversions_at_once_gets_a_sentence(
    cli: Cli, run_folder: Path, tmp_path: Path
) -> None:
    claim = os.open(tmp_path / ".convert.unfinished", os.O_RDWR | os.O_CREAT)
    fcntl.flock(claim, fcntl.LOCK_EX)
    done = cli("convert", run_folder / "model.keras", "--out", tmp_path)
    os.close(claim)
    assert done.code == 1
    assert "Another fmnist-edge is making files in" in done.err


def converted_to(target: Path) -> Converted:
    """A conversion as far as `put_in_place` asks for it."""
    data = b"model"
    preprocessing = Preprocessing(8, 8, 1, "dark")
    manifest = Manifest(sha256(data), ("a", "b"), preprocessing, "logits")
    rest: Any = None
    return Converted(target, data, manifest, rest, rest, rest, rest)


@pytest.mark.parametrize("replaced", [False, True])
def test_a_disk_that_breaks_between_manifest_and_model_leaves_no_pair_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replaced: bool
) -> None:
    target = tmp_path / "int8.tflite"
    if replaced:
        target.write_bytes(b"old model")
    rename = Path.replace

    def break_at_the_model(path: Path, to: Path) -> Path:
        if to == target:
            raise OSError(errno.EIO, "Input/output error")
        return rename(path, to)

    monkeypatch.setattr(Path, "replace", break_at_the_model)
    with pytest.raises(OSError, match="Input/output"):
        put_in_place([converted_to(target)])
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"int8.manifest.json"} | ({"int8.tflite"} if replaced else set())
    with pytest.raises(ModelError, match="describes another file" if replaced else "no such model"):
        read_model(target)


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


def test_nothing_is_put_in_place_when_the_runtime_refuses_the_model(
    cli: Cli, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: ModelFile) -> None:
        assert len(file.data) > 0
        raise ModelError("The runtime died of this model (signal 11).")

    monkeypatch.setattr("converter.target.probe", refuse)
    done = cli("convert", run_folder / "model.keras", "--out", tmp_path)
    assert (done.code, done.err.splitlines()[-1]) == (
        1,
        "Error: The runtime died of this model (signal 11).",
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--quantize", "int7"), "Did you mean 'int8'?"),
        (("--quantize", "float16", "--io", "uint8"), "--io uint8 is for --quantize int8"),
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


def test_the_representative_dataset_is_balanced_seeded_and_from_the_training_split(
    sample: Dataset,
) -> None:
    chosen = choose_representative(sample, size=55, seed=4)
    counts = np.bincount(chosen.labels, minlength=10)
    assert set(counts.tolist()) == {5, 6}
    train = set(image_hashes(sample.train.images).tolist())
    assert set(image_hashes(chosen.images).tolist()) <= train
    again = choose_representative(sample, size=55, seed=4)
    other = choose_representative(sample, size=55, seed=5)
    np.testing.assert_array_equal(chosen.images, again.images)
    assert not np.array_equal(chosen.images, other.images)


def test_test_images_in_the_training_split_are_passed_over(sample: Dataset) -> None:
    leaking = Dataset(
        "leaking",
        sample.class_names,
        train=Split(
            np.concatenate([sample.test.images[:500], sample.train.images[:100]]),
            np.concatenate([sample.test.labels[:500], sample.train.labels[:100]]),
        ),
        test=sample.test,
    )
    chosen = choose_representative(leaking, size=100, seed=0)
    assert not np.isin(image_hashes(chosen.images), image_hashes(sample.test.images)).any()
    with pytest.raises(DatasetError, match="the training split has 100 that are not also test"):
        choose_representative(leaking, size=101, seed=0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda images: images.astype(np.float32), "got .* float32"),
        (lambda images: images[:, :14], "uint8 images, got"),
        (lambda images: (images > 127).astype(np.uint8), "divided by 255"),
        (lambda images: images[:3], "leave out the class"),
    ],
)
def test_unfit_images_for_calibration_are_refused(
    sample: Dataset, change: Callable[[Any], Any], words: str
) -> None:
    images = change(sample.train.images[:100])
    labels = sample.train.labels[: len(images)]
    representative = RepresentativeDataset(images, labels, sample.class_names, "x", 0)
    with pytest.raises(DatasetError, match=words):
        check_representative(
            representative, (28, 28, 1), np.arange(10), image_hashes(sample.test.images)
        )


def test_test_images_for_calibration_are_refused(sample: Dataset) -> None:
    representative = RepresentativeDataset(
        sample.test.images[:200], sample.test.labels[:200], sample.class_names, "x", 0
    )
    with pytest.raises(DatasetError, match="200 of the images for calibration are test images"):
        check_representative(
            representative, (28, 28, 1), np.arange(10), image_hashes(sample.test.images)
        )


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


def test_a_small_training_set_is_used_whole_unless_a_size_is_asked_for(sample: Dataset) -> None:
    few = Dataset(
        "few",
        sample.class_names,
        train=Split(sample.train.images[:60], sample.train.labels[:60]),
        test=sample.test,
    )
    assert len(choose_representative(few, size=None, seed=0).images) == 60
    assert len(choose_representative(sample, size=None, seed=0).images) == 100


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


@pytest.fixture(scope="module")
def softplus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose integer files need LOG version 2, which tflite-runtime 2.14.0 has not."""
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(7)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 5, strides=3, activation="softplus"),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    path: Path = tmp_path_factory.mktemp("softplus") / "softplus.keras"
    model.save(path)
    return path


TFLITE = ("--runtime", "tflite-runtime-2.14")
LOG = "tflite-runtime 2.14.0 cannot run it (LOG version 2: at most 1 there)"


def made_for(path: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads(path.read_text())["made_for"]
    return found


def test_what_the_other_runtime_lacks_is_left_out_with_the_reason(
    cli: Cli, softplus: Path, tmp_path: Path
) -> None:
    options = ("--quantize", "all", "--dataset", "sample", "--out", tmp_path, "--json", "--quiet")
    done = cli("convert", softplus, *options, *TFLITE)
    assert done.code == 0
    *warnings, int8, int16x8 = done.err.splitlines()
    assert [int8, int16x8] == [f"left out int8: {LOG}", f"left out int16x8: {LOG}"]
    # Nobody has trained it.
    assert len(warnings) == 3
    assert all("answers at chance: 13.0 % of 100" in warning for warning in warnings)
    found = json.loads(done.out)
    assert [item["recipe"] for item in found["models"]] == ["float32", "float16", "dynamic"]
    assert found["runtime"] == {"name": "tflite-runtime-2.14", "proved": False}
    assert found["left_out"] == [
        {"recipe": "int8", "reason": LOG},
        {"recipe": "int16x8", "reason": LOG},
    ]
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        f"softplus.{recipe}{suffix}"
        for recipe in ("float32", "float16", "dynamic")
        for suffix in (".tflite", ".manifest.json")
    }


def test_the_table_of_operators_is_what_the_runtime_itself_says(
    cli: Cli, softplus: Path, tflite_runtime_python: Path, tmp_path: Path
) -> None:
    options = ("--quantize", "int8", "--dataset", "sample", "--out", tmp_path)
    done = cli("convert", softplus, *options, "--runtime", "litert")
    assert done.code == 0, done.err
    assert "Made for ai-edge-litert; each file was loaded and run in ai-edge-litert" in done.out
    with pytest.raises(ModelError, match=r"tflite-runtime 2\.14\.0 .*'LOG' version '2'"):
        probe(read_model(tmp_path / "softplus.int8.tflite"), python=str(tflite_runtime_python))


def test_nothing_made_is_one_sentence_and_exit_code_1(
    cli: Cli, softplus: Path, tmp_path: Path
) -> None:
    done = cli("convert", softplus, "--dataset", "sample", "--out", tmp_path, *TFLITE)
    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines()[-2:] == [
        f"left out int8: {LOG}",
        "Error: Nothing was made: tflite-runtime 2.14.0 does not run int8 of this model; try "
        "another --quantize or --runtime.",
    ]
    assert list(tmp_path.iterdir()) == []


def test_without_the_runtime_files_are_judged_by_operators_and_say_so(
    cli: Cli, softplus: Path, tmp_path: Path
) -> None:
    done = cli("convert", softplus, "--quantize", "float32", "--out", tmp_path, *TFLITE)
    assert done.code == 0, done.err
    assert "judged by operator versions and tensor types only" in done.out.splitlines()[-1]
    assert "--runtime-python" in done.out.splitlines()[-1]
    found = made_for(tmp_path / "softplus.float32.manifest.json")
    assert found["runtime"] == "tflite-runtime-2.14"
    assert found["proof"] == "operator versions and tensor types"
    assert found["ran_in"].startswith("ai-edge-litert ")


def test_with_the_runtime_each_file_is_run_in_it_before_it_is_written(
    cli: Cli, softplus: Path, tflite_runtime_python: Path, tmp_path: Path
) -> None:
    options = ("--quantize", "all", "--dataset", "sample", "--out", tmp_path)
    done = cli("convert", softplus, *options, *TFLITE, "--runtime-python", tflite_runtime_python)
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1] == (
        "Made for tflite-runtime 2.14.0; each file was loaded and run in tflite-runtime 2.14.0."
    )
    document = json.loads((tmp_path / "softplus.dynamic.manifest.json").read_text())
    assert document["made_for"] == {
        "runtime": "tflite-runtime-2.14",
        "proof": "run",
        "ran_in": "tflite-runtime 2.14.0",
    }
    assert document["probe"]["backend"] == "tflite-runtime"


def test_a_file_that_the_other_runtime_dies_of_is_left_out(
    cli: Cli, softplus: Path, tflite_runtime_python: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def dies_elsewhere(
        file: ModelFile, *, backend: str = "litert", python: str = ""
    ) -> ProbeResult:
        if python:
            raise ModelError("The runtime died of this model (signal 11).")
        return ProbeResult("ai-edge-litert", "2.3.0", (), 5)

    monkeypatch.setattr("converter.target.probe", dies_elsewhere)
    options = ("--quantize", "float32", "--out", tmp_path, "--runtime-python")
    done = cli("convert", softplus, *TFLITE, *options, tflite_runtime_python)
    assert done.code == 1
    assert "left out float32: The runtime died of this model (signal 11)." in done.err
    assert list(tmp_path.iterdir()) == []


def test_by_default_the_manifest_names_the_runtime_that_is_here(run_folder: Path) -> None:
    for recipe in RECIPES:
        found = made_for(run_folder / f"{recipe}.manifest.json")
        assert (found["runtime"], found["proof"]) == ("litert", "run")
        assert found["ran_in"].startswith("ai-edge-litert ")


@pytest.mark.parametrize(
    ("python", "words"),
    [
        ("no-such-python", "no-such-python cannot be started (No such file or directory)"),
        ("/bin/true", "/bin/true: it does not answer like a Python"),
        (sys.executable, "The backend tflite-runtime needs tflite-runtime, which is not installed"),
    ],
)
def test_a_python_without_the_runtime_is_refused_before_anything_is_converted(
    cli: Cli, softplus: Path, tmp_path: Path, python: str, words: str
) -> None:
    done = cli("convert", softplus, "--out", tmp_path / "o", *TFLITE, "--runtime-python", python)
    assert done.code == 1
    assert words in done.err
    assert not (tmp_path / "o").exists()


def test_another_release_of_the_runtime_is_refused(
    cli: Cli, softplus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("converter.target.version_in", lambda python, backend: "2.13.0")
    done = cli("convert", softplus, "--out", tmp_path / "o", *TFLITE, "--runtime-python", "py")
    assert done.code == 1
    assert "py has tflite-runtime 2.13.0, expected tflite-runtime 2.14.0; install that" in done.err


def test_a_python_alone_is_no_runtime(cli: Cli, softplus: Path) -> None:
    done = cli("convert", softplus, "--runtime-python", "py")
    assert done.code == 2
    assert "--runtime-python is for --runtime" in done.err


# Without the softmax.


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
    from converter.logits import without_softmax

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
