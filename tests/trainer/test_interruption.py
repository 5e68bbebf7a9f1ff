"""Trainings that are interrupted, killed, repeated or replaced."""

import contextlib
import fcntl
import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Finished, started

Cli = Callable[..., Finished]


@pytest.fixture(scope="module")
def keras() -> Any:
    return pytest.importorskip("keras")


# Enough for an interruption after the first checkpoint: they take seconds.
EPOCHS = "80"


def training(
    runs: Path, name: str, *more: str
) -> contextlib.AbstractContextManager["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "edge_runtime.cli", "train", "--runs-dir", str(runs)]
    return started([*command, "--name", name, "--train-size", "200", "--test-size", "50", *more])


def wait_for_checkpoint(runs: Path, name: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not (runs / f".{name}.partial" / "checkpoint.npz").exists():
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[tuple[str, ...]], Path]:
    """`undisturbed(options)` is the run of a training that nobody interrupts, made once."""

    def train(options: tuple[str, ...]) -> Path:
        folder = tmp_path_factory.mktemp("undisturbed")
        with training(folder, "whole", "--epochs", EPOCHS, *options) as process:
            process.communicate(timeout=240)
        return folder / "whole"

    return functools.cache(train)


@pytest.mark.parametrize(
    ("end", "options"),
    [
        (signal.SIGKILL, ()),
        (signal.SIGINT, ()),
        (signal.SIGKILL, ("--model", "fast-cnn", "--shift", "1", "--batch-size", "32")),
    ],
)
def test_an_interrupted_training_resumes_to_the_same_bytes(
    cli: Cli,
    tmp_path: Path,
    undisturbed: Callable[[tuple[str, ...]], Path],
    end: signal.Signals,
    options: tuple[str, ...],
) -> None:
    with training(tmp_path, "interrupted", "--epochs", EPOCHS, *options) as process:
        wait_for_checkpoint(tmp_path, "interrupted", process)
        process.send_signal(end)
        _, err = process.communicate(timeout=60)
    assert process.returncode == (130 if end == signal.SIGINT else -signal.SIGKILL), err
    assert "Traceback" not in err
    if end == signal.SIGINT:
        assert "fmnist-edge train --resume --name interrupted" in err
    assert not (tmp_path / "interrupted").exists()

    resumed = cli("train", "--resume", "--runs-dir", tmp_path)
    assert resumed.code == 0
    whole = undisturbed(options)
    for name in ("model.keras", "history.json", "full.predictions.npz"):
        assert (tmp_path / "interrupted" / name).read_bytes() == (whole / name).read_bytes(), name


def test_a_nan_loss_stops_with_a_sentence_and_keeps_the_last_good_state(
    cli: Cli, tmp_path: Path
) -> None:
    few = ("--train-size", 100, "--test-size", 20, "--epochs", 3, "--runs-dir", tmp_path)
    done = cli("train", *few, "--name", "nan", "--learning-rate", "1e30")
    assert done.code == 1
    assert "Training stopped in epoch" in done.err
    assert "--resume --learning-rate" in done.err
    assert not (tmp_path / "nan").exists()
    done = cli("train", "--resume", "--learning-rate", "0.0001", "--runs-dir", tmp_path)
    assert done.code in (0, 1), "resuming is possible; a state that is ruined may diverge again"
    assert "Traceback" not in done.err


def test_an_existing_run_is_replaced_only_by_force(cli: Cli, tmp_path: Path) -> None:
    few = ("train", "--train-size", 50, "--test-size", 20, "--epochs", 1, "--runs-dir", tmp_path)
    assert cli(*few, "--name", "mine").code == 0
    before = (tmp_path / "mine" / "model.keras").read_bytes()
    refused = cli(*few, "--name", "mine", "--seed", 1)
    assert refused.code == 1
    assert "--force" in refused.err
    assert (tmp_path / "mine" / "model.keras").read_bytes() == before
    assert cli(*few, "--name", "mine", "--seed", 1, "--force").code == 0
    assert (tmp_path / "mine" / "model.keras").read_bytes() != before
    hidden = [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert hidden == []


def test_runs_without_a_name_are_numbered(cli: Cli, tmp_path: Path) -> None:
    few = ("train", "--train-size", 50, "--test-size", 20, "--epochs", 0, "--runs-dir", tmp_path)
    for number in (1, 2):
        assert cli(*few).code == 0
        assert (tmp_path / "latest").readlink() == Path(f"post-cnn-sample-{number}")


def killed(*arguments: Any, **options: Any) -> None:
    raise KeyboardInterrupt


# Where a training may be killed: before its run is in place, before `latest` points to it, or when
# only leftovers have to go.
MOMENTS = (
    "trainer.starting.save_keras",
    "trainer.ending.predict",
    "trainer.run.put_folder_in_place",
    "trainer.ending.mark_latest",
    "trainer.workplace.Workplace.finish",
    "trainer.workplace.sync",
)


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[object, ...]:
    """A training of half a second: nothing is drawn."""
    monkeypatch.setattr("trainer.figures.run_figures", lambda *run, **seed: {})
    few = ("--train-size", 50, "--test-size", 20, "--epochs", 0)
    return ("train", *few, "--runs-dir", tmp_path)


@pytest.mark.parametrize(
    ("moment", "more"),
    list(zip(MOMENTS, [(), ("--name", "x"), ("--name", "x", "--force")] * 2, strict=True)),
)
def test_the_same_command_again_ends_where_a_killed_training_would_have(
    cli: Cli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quick: tuple[object, ...],
    moment: str,
    more: tuple[str, ...],
) -> None:
    (tmp_path / "older").mkdir()
    (tmp_path / "latest").symlink_to("older")
    with monkeypatch.context() as patch:
        patch.setattr(moment, killed)
        assert cli(*quick, *more).code == 130
    again = cli(*quick, *more)
    assert again.code == 0, again.err
    name = "x" if more else "post-cnn-sample-1"
    assert (tmp_path / "latest").readlink() == Path(name)
    assert {path.name for path in tmp_path.iterdir()} == {"latest", "older", name}
    files = {path.name for path in (tmp_path / name).iterdir()}
    assert files == {
        *("config.json", "figures", "full.predictions.npz", "history.json", "metrics.json"),
        "model.keras",
    }


@pytest.mark.parametrize("moment", MOMENTS[2::3])
def test_a_killed_training_can_be_resumed_at_every_moment(
    cli: Cli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quick: tuple[object, ...],
    moment: str,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(moment, killed)
        assert cli(*quick, "--name", "x").code == 130
    assert cli("train", "--resume", "--runs-dir", tmp_path).code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"latest", "x"}
    assert cli("train", "--resume", "--runs-dir", tmp_path).code == 1


def test_an_interrupted_training_of_another_kind_is_neither_taken_up_nor_replaced(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: tuple[object, ...]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("trainer.ending.predict", killed)
        assert cli(*quick).code == 130
    assert cli(*quick, "--seed", 1).code == 0
    assert (tmp_path / "latest").readlink() == Path("post-cnn-sample-2")
    refused = cli(*quick, "--seed", 1, "--name", "post-cnn-sample-1")
    assert refused.code == 1
    assert "continue it with --resume" in refused.err


@pytest.mark.parametrize("more", [("--name", "x"), ("--name", "x", "--force"), ("--resume",)])
def test_the_second_of_two_trainings_of_a_run_gets_a_sentence(
    cli: Cli, tmp_path: Path, quick: tuple[object, ...], more: tuple[str, ...]
) -> None:
    partial = tmp_path / ".x.partial"
    partial.mkdir()
    (partial / "config.json").write_text("{}")
    living = os.open(partial, os.O_RDONLY)
    fcntl.flock(living, fcntl.LOCK_EX)
    line = ("train", *more, "--runs-dir", tmp_path) if more == ("--resume",) else (*quick, *more)
    done = cli(*line)
    os.close(living)
    assert done.code == 1
    assert "x is being trained by another process" in done.err
    assert [path.name for path in partial.iterdir()] == ["config.json"]


def test_a_run_that_is_replaced_is_there_until_the_new_one_is(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: tuple[object, ...]
) -> None:
    assert cli(*quick, "--name", "x").code == 0
    before = (tmp_path / "x" / "model.keras").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("trainer.run.put_folder_in_place", killed)
        assert cli(*quick, "--name", "x", "--seed", 1, "--force").code == 130
    assert (tmp_path / "x" / "model.keras").read_bytes() == before
    assert cli(*quick, "--name", "x", "--seed", 1, "--force").code == 0
    assert (tmp_path / "x" / "model.keras").read_bytes() != before


def test_a_change_that_a_training_is_resumed_with_is_kept(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: tuple[object, ...]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("trainer.ending.predict", killed)
        assert cli(*quick, "--name", "x").code == 130
        resumed = ("train", "--resume", "--runs-dir", tmp_path)
        assert cli(*resumed, "--epochs", 1).code == 130
    assert cli(*resumed).code == 0
    assert json.loads((tmp_path / "x" / "config.json").read_text())["training"]["epochs"] == 1
    assert len(json.loads((tmp_path / "x" / "history.json").read_text())["epochs"]) == 1


def test_resuming_refuses_to_change_what_would_change_the_weights(cli: Cli, tmp_path: Path) -> None:
    done = cli("train", "--resume", "--seed", 3, "--runs-dir", tmp_path)
    assert done.code == 2
    assert "--seed cannot change" in done.err


def test_a_model_with_an_unseeded_dropout_resumes_to_the_same_bytes_without_a_checkpoint(
    cli: Cli, tmp_path: Path, keras: Any
) -> None:
    layers = keras.layers
    head = [keras.Input((28, 28, 1)), layers.Rescaling(1 / 255), layers.Flatten()]
    tail = [layers.Dropout(0.5), layers.Dense(10, activation="softmax")]
    keras.Sequential([*head, *tail]).save(tmp_path / "own.keras")
    options = ("--model", str(tmp_path / "own.keras"), "--epochs", "4")
    with training(tmp_path, "whole", *options) as whole:
        whole.communicate(timeout=120)
    with training(tmp_path, "stopped", *options) as process:
        wait_for_checkpoint(tmp_path, "stopped", process)
    if not (tmp_path / "stopped").exists():
        (tmp_path / ".stopped.partial" / "checkpoint.npz").unlink()
        assert cli("train", "--resume", "--runs-dir", tmp_path).code == 0
    pair = [(tmp_path / run / "model.keras").read_bytes() for run in ("whole", "stopped")]
    assert pair[0] == pair[1]
