"""Make the files of LiteRT's contestants and what the others are made from; needs TensorFlow."""

import contextlib
import io
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from edge_runtime.models.runs import Run
from edge_runtime.runtimes.native import native_messages_silenced

with native_messages_silenced():
    import keras
    import tensorflow as tf

    from converter.calibration import DEFAULT_SIZE, choose_representative

_CLI = "import sys; from edge_runtime.cli import main; sys.argv[0] = 'fmnist-edge'; main()"


def fmnist_edge(*arguments: str) -> None:
    """Run `fmnist-edge` in a process of its own.

    Raises:
        SystemExit: it failed; with what it said.
    """
    done = subprocess.run([sys.executable, "-c", _CLI, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr.strip())


def prepare(run: Run, folder: Path, image_count: int) -> None:
    """Write ours-*, static-* and tutorial-*.tflite, sample.npz and weights.npz to the folder."""
    dataset = run.load_dataset()
    calibration = choose_representative(dataset, size=DEFAULT_SIZE, seed=0).images
    model = keras.saving.load_model(run.model_path, compile=False)
    images = dataset.test.images[:image_count]
    probabilities = model.predict(images.astype(np.float32), verbose=0)
    np.savez(
        folder / "sample.npz",
        images=images,
        labels=dataset.test.labels[:image_count],
        calibration=calibration,
        keras=probabilities,
    )
    layers = [layer for layer in model.layers if layer.get_weights()]
    shapes = [layer.get_weights()[0].shape for layer in layers]
    if shapes != [(5, 5, 1, 32), (4, 4, 32, 32), (3, 3, 32, 32), (512, 10)]:
        raise SystemExit(
            f"{run.name}: expected the article's CNN for 28 × 28 pixels, got {shapes}."
        )
    np.savez(folder / "weights.npz", **{
        f"{kind}{number}": array
        for number, layer in enumerate(layers)
        for kind, array in zip("wb", layer.get_weights(), strict=True)
    })  # fmt: skip
    static = keras.Input(batch_shape=(1, *images.shape[1:]), dtype="float32")
    for name, network in (("tutorial", model), ("static", keras.Model(static, model(static)))):
        for precision in ("float32", "int8"):
            path = folder / f"{name}-{precision}.tflite"
            with native_messages_silenced():
                path.write_bytes(_convert(network, calibration if precision == "int8" else None))
    # A copy, so that the run keeps the files that it has.
    copy = folder / "runs" / run.name
    shutil.copytree(run.model_path.parent, copy)
    for precision in ("float32", "int8"):
        fmnist_edge("convert", "--runs-dir", str(folder / "runs"), "--run", run.name,
                    "--quantize", precision, "--force")  # fmt: skip
        for suffix in (".tflite", ".manifest.json"):
            made = copy / f"{precision}{suffix}"
            if made.exists():
                shutil.copy(made, folder / f"ours-{precision}{suffix}")


def _convert(network, calibration) -> bytes:
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    if calibration is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [image[None].astype(np.float32)] for image in calibration
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    with contextlib.redirect_stdout(io.StringIO()):  # Keras tells where it exports to
        return converter.convert()
