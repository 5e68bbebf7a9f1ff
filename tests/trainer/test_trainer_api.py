"""The Python API of the trainer: what `train` returns, writes, refuses and tells."""

import doctest
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Finished

import trainer
from edge_runtime import compare, predict
from edge_runtime.data.datasets import Dataset, DatasetSpec
from edge_runtime.errors import (
    DatasetError,
    EdgeError,
    ModelError,
    RecipeError,
    RunError,
    TrainingError,
)
from trainer import Run, TrainingConfig, resume, train

Cli = Callable[..., Finished]

FEW = DatasetSpec("sample", train_size=100, test_size=40)


@pytest.fixture(scope="module")
def keras() -> Any:
    return pytest.importorskip("keras")


@pytest.fixture(scope="module")
def run(keras: Any) -> Run:
    """A short training that was kept in memory."""
    return train(FEW, epochs=2)


def test_the_public_names_are_these() -> None:
    assert trainer.__all__ == ["Run", "TrainingConfig", "resume", "train"]
    for name in trainer.__all__:
        assert getattr(trainer, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        _ = trainer.trian


@pytest.mark.parametrize("package", ["trainer", "converter"])
def test_importing_a_package_loads_neither_arrays_nor_tensorflow(package: str) -> None:
    heavy = "{'numpy', 'tensorflow', 'keras', 'sklearn', 'matplotlib', 'click'}"
    code = f"import sys, {package}; {package}.__all__; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_name_that_needs_no_tensorflow_loads_none() -> None:
    code = "import sys, trainer.api, trainer.cli; print({'tensorflow', 'keras'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_model_in_memory_is_predicted_with_as_its_file_would_be(run: Run) -> None:
    predictions = predict(run.model, run.dataset)
    assert np.array_equal(predictions.probabilities, run.predictions.probabilities)
    assert predictions.details["model_sha256"] == run.predictions.details["model_sha256"]
    assert predictions.model == run.model.name
    report = compare(run.model, [run.predictions], dataset=run.dataset)
    assert report.comparisons[0].counts.flips == 0


def test_nothing_is_written_or_printed_and_progress_is_told(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    told: list[tuple[Any, ...]] = []
    said: list[str] = []
    run = train(FEW, epochs=2, progress=lambda *what: told.append(what), say=said.append)
    assert capfd.readouterr() == ("", "")
    assert list(here.iterdir()) == []
    assert [(done, epochs) for done, epochs, _ in told] == [(0, 2), (1, 2), (2, 2)]
    assert told[0][2] is None
    assert [epoch for _, _, epoch in told[1:]] == list(run.history)
    assert said[0] == "sample: 100 training and 40 test images, 10 classes"


def test_a_run_holds_what_was_made_and_cannot_be_changed(run: Run) -> None:
    assert run.model.count_params() == run.metrics["parameter_count"] == 31_626
    assert [epoch["epoch"] for epoch in run.history] == [1, 2]
    assert run.predictions.probabilities.shape == (40, 10)
    rate = run.metrics["test_accuracy"]
    assert rate["value"] == np.mean(run.predictions.answers == run.predictions.labels)
    assert run.folder is None
    assert repr(run) == (
        f"<Run of post-cnn on sample: 2 epochs, test accuracy {rate['value']:.1%} of 40 images>"
    )
    with pytest.raises(FrozenInstanceError):
        run.history = ()  # type: ignore[misc]


def test_a_notebook_shows_a_table_and_two_figures(run: Run) -> None:
    shown = run._repr_html_()
    assert '<th style="text-align:left">parameters</th>' in shown
    assert shown.count("<img src='data:image/png;base64,") == 2
    assert "<Run" not in shown


def test_a_saved_run_is_the_one_that_the_command_writes(cli: Cli, run: Run, tmp_path: Path) -> None:
    saved = run.save(tmp_path / "saved")
    few = ("--train-size", 100, "--test-size", 40, "--epochs", 2, "--runs-dir", tmp_path)
    assert cli("train", *few, "--name", "made").code == 0
    files = sorted(path.relative_to(tmp_path / "made") for path in (tmp_path / "made").rglob("*"))
    assert len(files) == 14
    for file in files:
        one, other = tmp_path / "made" / file, tmp_path / "saved" / file
        assert one.is_dir() or one.read_bytes() == other.read_bytes(), file
    assert saved.folder == tmp_path / "saved"
    assert {path.name for path in tmp_path.iterdir()} == {"latest", "made", "saved"}
    with pytest.raises(RunError, match=r"saved exists; choose another folder, or force=True"):
        run.save(tmp_path / "saved")
    assert run.save(tmp_path / "saved", force=True).folder == tmp_path / "saved"


def test_a_run_of_the_command_is_loaded_with_all_that_it_holds(run_folder: Path) -> None:
    loaded = Run.load(run_folder)
    assert loaded.config == TrainingConfig(DatasetSpec("sample"), "post-cnn")
    assert len(loaded.history) == 100
    assert loaded.metrics == json.loads((run_folder / "metrics.json").read_text())
    assert loaded.folder == run_folder
    assert set(loaded.figures()) == {
        *("examples", "curves", "predictions", "confusion", "confidence"),
        *("least_confident", "per_class"),
    }
    with pytest.raises(RunError, match="no finished run"):
        Run.load(run_folder / "figures")


def test_with_a_folder_the_run_is_written_and_the_same_call_again_is_refused(
    tmp_path: Path, run: Run
) -> None:
    written = train(FEW, epochs=2, runs_dir=tmp_path, name="x")
    assert written.folder == tmp_path / "x"
    assert written.model_data == run.model_data == (tmp_path / "x" / "model.keras").read_bytes()
    with pytest.raises(RunError, match="x exists"):
        train(FEW, epochs=2, runs_dir=tmp_path, name="x")
    again = train(FEW, epochs=0, runs_dir=tmp_path, name="x", force=True)
    assert again.history == ()


def test_an_interrupted_training_is_resumed_to_the_same_weights(tmp_path: Path, run: Run) -> None:
    def stop(done: int, epochs: int, epoch: Any) -> None:
        if done == 1:
            raise KeyboardInterrupt

    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        train(FEW, epochs=2, runs_dir=tmp_path, name="x", progress=stop, say=said.append)
    assert said[-1] == (
        "The last whole epoch is kept; go on with: fmnist-edge train --resume --name x "
        f"--runs-dir {tmp_path}"
    )
    assert resume(runs_dir=tmp_path).model_data == run.model_data
    with pytest.raises(RunError, match="There is no interrupted run 'x'"):
        resume("x", runs_dir=tmp_path)


def test_a_keras_model_stays_as_it_is_and_its_copy_is_trained(
    keras: Any, sample: Dataset, tmp_path: Path
) -> None:
    layers = keras.layers
    head = [keras.Input((28, 28, 1)), layers.Rescaling(1 / 255), layers.Flatten()]
    model = keras.Sequential([*head, layers.Dense(10, activation="softmax")], name="mine")
    before = model.get_weights()
    as_it_is = train(sample, model=model, epochs=0)
    outputs = np.asarray(model(sample.test.images.astype(np.float32)))
    np.testing.assert_allclose(as_it_is.predictions.probabilities, outputs, atol=1e-6)
    trained = train(FEW, model=model, epochs=1, runs_dir=tmp_path)
    assert trained.folder == tmp_path / "mine-sample-1"
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(trained.model.get_weights()[0], before[0])
    # In memory and on the disk, the very images are found again.
    assert Run.load(as_it_is.save(tmp_path / "own").folder).dataset.fingerprint == (
        sample.fingerprint
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"epochs": -1}, "Expected epochs to be a whole number of 0 or more, got -1."),
        ({"epochs": 2.5}, "Expected epochs to be a whole number of 0 or more, got 2.5."),
        ({"batch_size": 0}, "batch_size to be a whole number of 1 or more, got 0."),
        ({"seed": 2**31}, "Expected seed to be a whole number"),
        ({"learning_rate": float("nan")}, "learning_rate to be a number above 0, got nan."),
        ({"learning_rate": 0}, "learning_rate to be a number above 0, got 0."),
        ({"weight_decay": -0.1}, "weight_decay to be a number of 0 or more, got -0.1."),
        ({"dropout": 1.0}, "dropout to be a share from 0 to below 1, got 1.0."),
        ({"label_smoothing": True}, "label_smoothing to be a share from 0 to below 1, got True."),
        ({"flip": "yes"}, "Expected flip to be True or False, got 'yes'."),
        ({"schedule": "liner"}, "schedule to be 'linear', 'constant' or 'one-cycle', got 'liner'."),
        ({"precision": "int8"}, "precision to be 'float32' or 'bfloat16', got 'int8'."),
        ({"model": "fast-cnn", "dropout": 0.5}, "dropout is for post-cnn; fast-cnn has none."),
        ({"rescale": 0.5}, "rescale is for FILE.keras; post-cnn takes raw pixels."),
        ({"rescale": float("inf"), "model": "x.keras"}, "rescale to be a finite number or None"),
    ],
)
def test_impossible_settings_are_one_sentence(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError) as refused:
        train(FEW, **settings)
    assert words in str(refused.value)
    assert isinstance(refused.value, EdgeError | ValueError)


@pytest.mark.parametrize("value", [5, None])
def test_a_misspelt_setting_is_named_with_the_right_one(value: Any) -> None:
    train_loosely: Any = train
    with pytest.raises(TypeError, match=r"no setting 'epoch'\. Did you mean 'epochs'\?"):
        train_loosely(FEW, epoch=value)


def test_what_is_no_model_and_no_place_is_one_sentence() -> None:
    with pytest.raises(ModelError, match=r"a \.keras file or a keras\.Model, got int"):
        train(FEW, model=5)
    with pytest.raises(ModelError, match="Did you mean 'fast-cnn'"):
        train(FEW, model="fast-cn")
    with pytest.raises(DatasetError, match=r"a source such as 'sample' .* got tuple"):
        train((np.zeros(3), np.zeros(3)))  # type: ignore[arg-type]
    with pytest.raises(RunError, match="name and force are for a run that is written"):
        train(FEW, name="x")


def test_a_diverged_training_in_memory_names_the_setting() -> None:
    with pytest.raises(TrainingError, match=r"epoch \d: .*; choose a smaller learning rate\.$"):
        train(FEW, epochs=3, learning_rate=1e30)


def test_the_examples_in_the_documentation_run(run: Run, here: Path) -> None:
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner()
    names = {"train": train, "resume": resume, "Run": Run, "run": run}
    for public in (train, resume, Run, Run.load, Run.figures, Run.save):
        (example,) = finder.find(public, globs=dict(names))
        assert example.examples, public
        assert runner.run(example).failed == 0, public
