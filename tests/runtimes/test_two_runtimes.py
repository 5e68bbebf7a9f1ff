"""The same files on LiteRT and on tflite-runtime, in two environments, through the command line."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Finished
from PIL import Image

from edge_runtime.data.datasets import Dataset
from edge_runtime.data.predictions import Predictions
from edge_runtime.proof.parity.movement import find_movement

Cli = Callable[..., Finished]

IMAGES = 200

# How far a probability may move. Other kernels round differently; in int8 one step of the scores
# before the softmax, 0.31 for this network, moves a probability by up to 20 steps of 1/256, and two
# were seen among 10,000 images (scripts/measure-runtimes).
LARGEST = {
    "float32": 1e-6,
    "float16": 1e-6,
    "dynamic": 0.01,
    "int8": 40 / 256,
    "int16x8": 40 / 32768,
}


def elsewhere(python: Path, *arguments: object) -> str:
    """Run a command line with the other Python; return what it printed."""
    command = [str(python), "-m", "edge_runtime.cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def both(
    cli: Cli, python: Path, model: Path, folder: Path, *options: object
) -> tuple[Predictions, Predictions]:
    """What a model says on either runtime about the first test images of the sample."""
    command = ("predict", model, "--dataset", "sample", "--test-size", IMAGES, *options, "--out")
    here, there = folder / "here.predictions.npz", folder / "there.predictions.npz"
    done = cli(*command, here)
    assert done.code == 0, done.err
    elsewhere(python, *command, there)
    return Predictions.load(here), Predictions.load(there)


@pytest.mark.parametrize("recipe", LARGEST)
def test_every_recipe_predicts_alike_on_both(
    cli: Cli, run_folder: Path, tflite_runtime_python: Path, tmp_path: Path, recipe: str
) -> None:
    here, there = both(cli, tflite_runtime_python, run_folder / f"{recipe}.tflite", tmp_path)
    assert (here.details["backend"], there.details["backend"]) == (
        "ai-edge-litert",
        "tflite-runtime",
    )
    found = find_movement(here, there)
    assert found.largest <= LARGEST[recipe]
    assert len(found.answers) == found.ties
    np.testing.assert_array_equal(here.input_sha256, there.input_sha256)


def test_without_xnnpack_int8_is_the_same_bit_for_bit(
    cli: Cli, run_folder: Path, tflite_runtime_python: Path, tmp_path: Path
) -> None:
    options = ("--kernels", "reference")
    model = run_folder / "int8.tflite"
    here, there = both(cli, tflite_runtime_python, model, tmp_path, *options)
    np.testing.assert_array_equal(here.probabilities, there.probabilities)


def test_parity_of_both_counts_the_step_between_them(
    cli: Cli, run_folder: Path, tflite_runtime_python: Path, tmp_path: Path
) -> None:
    here, there = both(cli, tflite_runtime_python, run_folder / "int8.tflite", tmp_path)
    files = (tmp_path / "here.predictions.npz", tmp_path / "there.predictions.npz")
    there_alone = ("--reference", files[0], files[1])
    done = cli("parity", *there_alone, "--runs-dir", tmp_path / "none", "--out", tmp_path)
    assert done.code in (0, 4), done.err
    (step,) = json.loads((tmp_path / "report.json").read_text())["steps"]
    assert step["kinds"] == ["runtime"]
    assert step["movement"] == find_movement(here, there).to_dict()
    assert "images got other probabilities, by" in done.out


def test_classify_gives_the_same_labels_on_both(
    cli: Cli, run_folder: Path, tflite_runtime_python: Path, sample: Dataset, tmp_path: Path
) -> None:
    for index in range(8):
        Image.fromarray(sample.test.images[index, ..., 0]).save(tmp_path / f"{index}.png")
    for recipe in LARGEST:
        command = ("classify", run_folder / f"{recipe}.tflite", tmp_path, "--json")
        here: Any = json.loads(cli(*command).out)
        there: Any = json.loads(elsewhere(tflite_runtime_python, *command))
        assert labels(here) == labels(there)
        assert len(labels(here)) == 8


def labels(document: Any) -> list[str]:
    return [item["class"] for item in document["results"]]
