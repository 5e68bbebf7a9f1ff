"""One fault planted in each step of a real chain: the step that is blamed is that one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.data.datasets import Dataset, Split
from edge_runtime.data.predictions import Predictions
from edge_runtime.inference.comparing import compare
from edge_runtime.inference.evaluation import predict_file
from edge_runtime.proof.parity_report import ParityReport

pytest.importorskip("tensorflow")

Change = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(scope="module")
def keras_model(run_folder: Path):
    """The trained network."""
    import keras

    return keras.saving.load_model(run_folder / "model.keras")


@pytest.fixture(scope="module")
def full(run_folder: Path) -> Predictions:
    """What it said when it was trained."""
    return Predictions.load(run_folder / "full.predictions.npz")


def chain(full: Predictions, float32: Path, int8: Path, host: Dataset, device: Dataset):
    """The verdict over the four links; the device is the host under another name."""
    on_host = [predict_file(path, host) for path in (float32, int8)]
    on_device = predict_file(int8, device, name="int8 on the device")
    details = {**on_device.details, "cpu": "Cortex-A72", "machine": "aarch64"}
    return compare(full, [*on_host, replace(on_device, details=details)])


def convert(model, calibration: np.ndarray, folder: Path) -> tuple[Path, Path]:
    """Convert a network to float32 and int8, calibrated on these pixels."""
    import keras
    import tensorflow as tf

    # A fixed batch of one: see `converter.conversion`.
    fixed = keras.Sequential([keras.Input(batch_shape=(1, 28, 28, 1)), *model.layers])
    paths = folder / "float32.tflite", folder / "int8.tflite"
    for path in paths:
        converter = tf.lite.TFLiteConverter.from_keras_model(fixed)
        if path.stem == "int8":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            images = calibration.astype(np.float32)
            converter.representative_dataset = lambda images=images: (
                [image[np.newaxis]] for image in images
            )
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        path.write_bytes(converter.convert())
    return paths


def blamed(report: ParityReport) -> str:
    """The step that the broken chain is put down to, by the report and by its flips alike."""
    assert report.decision == "broken", report.verdict
    last = report.comparisons[-1]
    names = [flip.blame for flip in last.flips if flip.effect == "lost"]
    most = max(set(names), key=names.count)
    assert names.count(most) >= 0.8 * len(names)
    assert f"To blame is {most}" in report.verdict
    return most


def test_a_healthy_chain_blames_nobody(run_folder: Path, full: Predictions, sample: Dataset):
    paths = run_folder / "float32.tflite", run_folder / "int8.tflite"
    report = chain(full, *paths, sample, sample)
    assert report.decision == "holds", report.verdict
    assert [step.name for step in report.steps] == ["conversion", "quantization", "runtime or CPU"]


@pytest.mark.parametrize("seed", range(3))
def test_weights_that_got_lost_in_the_conversion(
    keras_model, full: Predictions, sample: Dataset, tmp_path: Path, seed: int
):
    import keras

    broken = keras.models.clone_model(keras_model)
    rng = np.random.default_rng(seed)
    broken.set_weights(
        [
            (w + rng.normal(0, 0.8 * w.std(), w.shape)).astype(w.dtype)
            for w in keras_model.get_weights()
        ]
    )
    paths = convert(broken, sample.train.images[:100], tmp_path)
    assert blamed(chain(full, *paths, sample, sample)) == "conversion"


@pytest.mark.parametrize(
    "calibration",
    [
        lambda images: images / 255,
        lambda images: np.zeros_like(images),
        lambda images: images.astype(np.float32) * 40,
    ],
    ids=["divided by 255", "black", "far too bright"],
)
def test_a_calibration_on_wrong_images(
    keras_model, full: Predictions, sample: Dataset, tmp_path: Path, calibration: Change
):
    paths = convert(keras_model, calibration(sample.train.images[:100]), tmp_path)
    assert blamed(chain(full, *paths, sample, sample)) == "quantization"


@pytest.mark.parametrize(
    "change",
    [
        lambda images: 255 - images,
        lambda images: images.transpose(0, 2, 1, 3),
        lambda images: images // 255,
        lambda images: images[:, ::-1],
    ],
    ids=["inverted", "transposed", "divided by 255", "upside down"],
)
def test_pixels_that_were_prepared_otherwise_on_the_device(
    run_folder: Path, full: Predictions, sample: Dataset, change: Change
):
    test = sample.test
    prepared = Split(
        np.ascontiguousarray(change(test.images)), test.labels, source_sha256=test.image_sha256()
    )
    device = replace(sample, test=prepared)
    paths = run_folder / "float32.tflite", run_folder / "int8.tflite"
    assert blamed(chain(full, *paths, sample, device)) == "preprocessing"


@pytest.mark.parametrize("seed", range(3))
def test_a_runtime_that_computes_otherwise(
    run_folder: Path, full: Predictions, sample: Dataset, seed: int
):
    paths = run_folder / "float32.tflite", run_folder / "int8.tflite"
    host = [predict_file(path, sample) for path in paths]
    rng = np.random.default_rng(seed)
    wrong = host[1].probabilities.copy()
    rows = rng.random(len(wrong)) < 0.1
    wrong[rows] = np.roll(wrong[rows], 1, axis=1)
    device = replace(
        host[1],
        probabilities=wrong,
        details={**host[1].details, "model": "int8 elsewhere", "backend_version": "9.9.9"},
    )
    assert blamed(compare(full, [*host, device])) == "runtime or CPU"
