"""`fmnist-edge doctor`, on the article's network: healthy files, and faults planted in them."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.data.datasets import Dataset
from edge_runtime.data.predictions import Predictions
from edge_runtime.doctor import diagnose
from edge_runtime.errors import DatasetError
from edge_runtime.files.reading import sha256
from edge_runtime.models.quantized import Affine, QuantizedFile

Plant = Callable[..., Path]


@pytest.fixture
def copied(run_folder: Path, tmp_path: Path) -> Plant:
    """`copied("int8", change_manifest=...)` is a copy of a converted model, changed."""

    def copy(
        name: str,
        *,
        change_manifest: Callable[[dict[str, Any]], object] | None = None,
        data: bytes | None = None,
    ) -> Path:
        model = tmp_path / f"{name}.tflite"
        model.write_bytes(data or (run_folder / f"{name}.tflite").read_bytes())
        document = json.loads((run_folder / f"{name}.manifest.json").read_text())
        document["model_sha256"] = sha256(model.read_bytes())
        if change_manifest:
            change_manifest(document)
        (tmp_path / f"{name}.manifest.json").write_text(json.dumps(document))
        return model

    return copy


@pytest.fixture
def kinds(cli: Callable[..., Any]) -> Callable[..., list[str]]:
    """`kinds(model)` are the causes that the doctor names; the exit code must fit them."""

    def diagnose(model: Path, *arguments: object) -> list[str]:
        result = cli("doctor", model, "--dataset", "sample", "--json", "-q", *arguments)
        diagnosis = json.loads(result.out)["diagnosis"]
        assert result.err == ""
        assert result.code == (0 if diagnosis["healthy"] else 1)
        assert diagnosis["split"] == "train"
        return [cause["kind"] for cause in diagnosis["causes"]]

    return diagnose


def planted(run_folder: Path, recipe: str, before: Callable[[Any], Any] | None = None) -> bytes:
    """Convert the run's network again, with a layer in front that should not be there."""
    import keras
    import tensorflow as tf

    model = keras.saving.load_model(run_folder / "model.keras", compile=False)
    pixels = keras.Input(batch_shape=(1, 28, 28, 1))
    converter = tf.lite.TFLiteConverter.from_keras_model(
        keras.Model(pixels, model(before(pixels) if before else pixels))
    )
    if recipe == "int8":
        images = np.load(run_folder.parent.parent / "images.npy")
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image[np.newaxis]] for image in images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    data: bytes = converter.convert()
    return data


@pytest.fixture
def calibration_images(run_folder: Path, sample: Dataset) -> Callable[[Any], None]:
    """Say which images `planted` calibrates on."""

    def use(images: Any) -> None:
        np.save(run_folder.parent.parent / "images.npy", np.asarray(images, np.float32))

    use(sample.train.images[:60])
    return use


@pytest.mark.parametrize("name", ["float32", "float16", "dynamic", "int8"])
def test_a_healthy_model_gets_no_diagnosis(
    name: str, run_folder: Path, kinds: Callable[..., list[str]]
) -> None:
    assert kinds(run_folder / f"{name}.tflite", "--images", "200") == []


def test_class_names_in_another_order_are_named(copied: Plant, kinds: Any) -> None:
    def rotate(document: dict[str, Any]) -> None:
        document["class_names"] = document["class_names"][1:] + document["class_names"][:1]

    assert kinds(copied("float32", change_manifest=rotate)) == ["labels-off-by-one"]

    def reverse(document: dict[str, Any]) -> None:
        document["class_names"].reverse()

    assert kinds(copied("int8", change_manifest=reverse)) == ["labels-reversed"]

    def shuffle(document: dict[str, Any]) -> None:
        names = document["class_names"]
        document["class_names"] = [names[i] for i in (4, 1, 0, 3, 2, 6, 5, 7, 9, 8)]

    assert kinds(copied("dynamic", change_manifest=shuffle)) == ["labels-permuted"]


def test_a_manifest_that_calls_probabilities_logits_is_named(copied: Plant, kinds: Any) -> None:
    model = copied("int8", change_manifest=lambda document: document.update(output="logits"))
    assert kinds(model) == ["softmax-twice"]


def test_a_manifest_with_the_wrong_background_is_named(copied: Plant, kinds: Any) -> None:
    def lighten(document: dict[str, Any]) -> None:
        document["preprocessing"]["background"] = "light"

    assert kinds(copied("int8", change_manifest=lighten)) == ["inverted"]


@pytest.mark.parametrize("recipe", ["float32", "int8"])
def test_a_forgotten_transpose_is_named_with_its_figures(
    recipe: str, run_folder: Path, copied: Plant, cli: Any, calibration_images: Any
) -> None:
    import keras

    model = copied(recipe, data=planted(run_folder, recipe, keras.layers.Permute((2, 1, 3))))
    result = cli("doctor", model, "--dataset", "sample")
    assert result.code == 1
    assert "The images are transposed" in result.out
    before, after = (
        float(line.rsplit(", ", 1)[1].rstrip("%"))
        for line in result.out.splitlines()
        if line.startswith(("before", "after"))
    )
    assert before < 40
    assert after > 99
    assert "500 training images of sample; no test images" in result.out


@pytest.mark.parametrize("recipe", ["float32", "int8"])
def test_a_division_too_many_is_named(
    recipe: str, run_folder: Path, copied: Plant, kinds: Any, calibration_images: Any
) -> None:
    import keras

    data = planted(run_folder, recipe, keras.layers.Rescaling(1 / 255))
    assert kinds(copied(recipe, data=data)) == ["inputs-divided-twice"]


def test_a_healthy_model_is_told_in_few_lines_and_tried_lists_all(
    run_folder: Path, cli: Any
) -> None:
    arguments = ("doctor", run_folder / "float32.tflite", "--dataset", "sample")
    brief, full = cli(*arguments).out, cli(*arguments, "--tried").out
    assert "corrections (--tried lists them)" in brief
    assert "mirrored left to right" not in brief
    assert "mirrored left to right" in full


def test_zeroed_weights_are_not_blamed_on_calibration(
    run_folder: Path, copied: Plant, kinds: Any, calibration_images: Any
) -> None:
    import keras

    def planted_zero(pixels: Any) -> Any:
        return keras.layers.Conv2D(1, 1, kernel_initializer="zeros")(pixels)

    data = planted(run_folder, "int8", planted_zero)
    assert kinds(copied("int8", data=data)) == ["constant-output"]


def test_calibration_on_dark_images_is_named(
    run_folder: Path, copied: Plant, kinds: Any, calibration_images: Any, sample: Dataset
) -> None:
    calibration_images(sample.train.images[:60] * 0.2)
    assert kinds(copied("int8", data=planted(run_folder, "int8"))) == ["calibration"]


def test_an_inverting_layer_is_named(
    run_folder: Path, copied: Plant, kinds: Any, calibration_images: Any
) -> None:
    import keras

    data = planted(run_folder, "int8", keras.layers.Rescaling(-1.0, 255.0))
    assert kinds(copied("int8", data=data)) == ["inverted"]


def test_calibration_on_divided_pixels_is_named(
    run_folder: Path, copied: Plant, kinds: Any, calibration_images: Any, sample: Dataset
) -> None:
    calibration_images(sample.train.images[:60] / 255)
    assert kinds(copied("int8", data=planted(run_folder, "int8"))) == ["calibration"]


@pytest.mark.parametrize(
    ("zero_point", "scale", "kind"), [(0, 1.0, "input-zero-point"), (-128, 3.0, "input-scale")]
)
def test_a_changed_input_quantization_is_named(
    zero_point: int, scale: float, kind: str, run_folder: Path, copied: Plant, kinds: Any
) -> None:
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    flatbuffers = pytest.importorskip("flatbuffers")
    model = schema.ModelT.InitFromPackedBuf((run_folder / "int8.tflite").read_bytes())
    tensors = model.subgraphs[0].tensors
    source = tensors[int(model.subgraphs[0].inputs[0])].quantization
    # The input, and what only copies its numbers: the runtime refuses a file where these differ.
    for tensor in tensors:
        scale_there = tensor.quantization.scale if tensor.quantization else None
        if tensor.name.startswith(b"packed/") and np.array_equal(scale_there, source.scale):
            tensor.quantization = source
    source.zeroPoint = [zero_point]
    source.scale = [scale * float(source.scale[0])]
    builder = flatbuffers.Builder(65536)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    assert kinds(copied("int8", data=bytes(builder.Output()))) == [kind]


def test_a_file_that_the_runtime_refuses_for_its_scale_is_examined(
    run_folder: Path, copied: Plant, kinds: Any
) -> None:
    file = QuantizedFile((run_folder / "int8.tflite").read_bytes())
    data = file.with_affines({file.graph.outputs[0]: Affine(1 / 25.6, -128)})
    assert kinds(copied("int8", data=data)) == ["output-scale"]


def test_a_stale_manifest_is_said_and_the_model_examined(
    run_folder: Path, tmp_path: Path, cli: Any
) -> None:
    shutil.copy(run_folder / "int8.tflite", tmp_path / "m.tflite")
    shutil.copy(run_folder / "float32.manifest.json", tmp_path / "m.manifest.json")
    result = cli("doctor", tmp_path / "m.tflite", "--dataset", "sample", "--images", "100")
    assert "describes another file" in result.out


def test_a_file_of_a_run_is_held_to_its_full_model(run_folder: Path, cli: Any) -> None:
    result = cli("doctor", run_folder / "int8.tflite", "--json", "-q")
    likeness = json.loads(result.out)["diagnosis"]["likeness"]
    assert result.code == 0
    assert likeness["model"] == str(run_folder / "float32.tflite")
    assert likeness["split"] == "train"
    assert likeness["distance"] <= likeness["limit"] == 16 / 256


def test_the_float_file_is_held_to_the_stored_predictions_of_test_images(
    run_folder: Path, cli: Any
) -> None:
    result = cli("doctor", run_folder / "float32.tflite", "--images", "100")
    assert result.code == 0
    assert "100 training images of sample and test images, without their labels" in result.out
    assert "full    answers as " in result.out
    assert "does: 100.0% of 100 test images get the same answer" in result.out


def test_a_full_model_of_another_training_is_never_compared_in_silence(
    copied: Plant, cli: Any, run_folder: Path
) -> None:
    def other(document: dict[str, Any]) -> None:
        document["source"] = {**document["source"], "sha256": "0" * 64}

    arguments = ("--dataset", "sample", "--runs-dir", run_folder.parent)
    result = cli("doctor", copied("int8", change_manifest=other), *arguments)
    assert result.code == 0
    assert "there is no full model to compare with: " in result.err
    assert "was not found" in result.err
    assert "full    " not in result.out


def test_with_a_reference_a_forgotten_transpose_is_named(
    run_folder: Path, copied: Plant, kinds: Any, calibration_images: Any
) -> None:
    import keras

    model = copied("int8", data=planted(run_folder, "int8", keras.layers.Permute((2, 1, 3))))
    for reference in ("float32.tflite", "full.predictions.npz"):
        assert kinds(model, "--reference", run_folder / reference) == ["transposed"]


def test_what_the_full_model_has_as_well_is_suspect(
    run_folder: Path, copied: Plant, cli: Any, tmp_path: Path
) -> None:
    import keras

    model = copied("float32", data=planted(run_folder, "float32", keras.layers.Permute((2, 1, 3))))
    full = tmp_path / "full.tflite"
    full.write_bytes(model.read_bytes())
    result = cli("doctor", model, "--dataset", "sample", "--reference", full)
    assert result.code == 1
    assert f"full    answers as {full} does: 100.0% of 500 train images" in result.out
    assert "Suspect, for the full model answers alike: The images are transposed" in result.out
    assert "suspect transposed" in result.out


def test_flipped_bits_are_named_with_their_layer(run_folder: Path, copied: Plant, cli: Any) -> None:
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    flatbuffers = pytest.importorskip("flatbuffers")
    model = schema.ModelT.InitFromPackedBuf((run_folder / "int8.tflite").read_bytes())
    graph = model.subgraphs[0]
    (last,) = [one for one in graph.operators if len(one.inputs) == 3][-1:]
    buffer = model.buffers[graph.tensors[int(last.inputs[1])].buffer]
    data = np.array(buffer.data, np.uint8)
    data[::50] ^= 128
    buffer.data = data
    builder = flatbuffers.Builder(65536)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    path = copied("int8", data=bytes(builder.Output()))
    reference = ("--dataset", "sample", "--reference", run_folder / "float32.tflite")
    result = cli("doctor", path, *reference, "--json", "-q")
    causes = json.loads(result.out)["diagnosis"]["causes"]
    assert result.code == 1
    assert causes[0]["kind"] == "bits-flipped"
    assert "The weights are others than the full model's, first in layer " in causes[0]["cause"]


def test_predictions_of_other_images_are_refused(
    run_folder: Path, tmp_path: Path, cli: Any
) -> None:
    said = Predictions.load(run_folder / "full.predictions.npz")
    other = tmp_path / "other.predictions.npz"
    replace(said, image_sha256=np.full(len(said), "0" * 64, "S64")).save(other)
    result = cli("doctor", run_folder / "int8.tflite", "--reference", other)
    assert result.code == 1
    assert result.err.endswith(
        "are about other images than 'sample' has; make them again with: fmnist-edge predict MODEL "
        "--split train\n"
    )


def test_a_reference_that_is_not_there_gets_one_sentence(run_folder: Path, cli: Any) -> None:
    result = cli("doctor", run_folder / "int8.tflite", "--reference", "none.tflite", "-q")
    assert result.code == 1
    assert result.err == "Error: none.tflite: there is no such model or predictions file.\n"


def test_the_api_says_what_the_command_says(run_folder: Path, sample: Dataset) -> None:
    model, full = run_folder / "int8.tflite", run_folder / "float32.tflite"
    diagnosis = diagnose(model, sample, reference=full, images=100)
    assert diagnosis.is_healthy
    assert diagnosis.likeness is not None
    assert diagnosis.likeness.alike
    assert repr(diagnosis) == f"<Diagnosis of {model}, int8: {diagnosis.verdict}>"
    assert json.loads(json.dumps(diagnosis.to_dict()))["likeness"]["images"] == 100
    with pytest.raises(DatasetError, match="Expected images ≥ 1 and seed ≥ 0, got 0 and 0"):
        diagnose(model, sample, images=0)
