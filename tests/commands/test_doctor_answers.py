"""What `fmnist-edge doctor` says of its environment, and of what it cannot use."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.data.datasets import Dataset, Split


def test_the_environment_alone_is_checked_without_a_model(cli: Any) -> None:
    result = cli("doctor", "--json")
    document = json.loads(result.out)
    assert document["diagnosis"] is None
    assert result.code == (0 if all(one["ok"] for one in document["environment"]) else 1)
    assert {"Python", "system", "NumPy", "Pillow", "click"} <= {
        one["name"] for one in document["environment"]
    }


def test_the_dataset_is_that_of_the_run_that_the_model_lies_in(run_folder: Path, cli: Any) -> None:
    result = cli("doctor", run_folder / "float32.tflite", "--images", "100")
    assert result.code == 0, result.err
    assert "100 training images of sample" in result.out
    assert "No mistake found" in result.out


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("missing.tflite", None, "there is no such model file"),
        ("damaged.tflite", b"\x1c\0\0\0TFL3 and nothing", "damaged"),
        ("model.keras", b"PK", "fmnist-edge convert"),
    ],
)
def test_a_bad_model_file_gets_one_sentence(
    name: str, content: bytes | None, said: str, tmp_path: Path, cli: Any
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    result = cli("doctor", tmp_path / name, "--dataset", "sample")
    assert result.code == 1
    assert said in result.err
    assert "Traceback" not in result.err


def test_a_folder_is_not_called_a_model(tmp_path: Path, cli: Any) -> None:
    result = cli("doctor", tmp_path, "--dataset", "sample")
    assert (result.code, result.out) == (1, "")
    assert result.err == f"Error: {tmp_path}: expected a .tflite file, got a folder.\n"
    (tmp_path / "int8.tflite").touch()
    assert f"such as {tmp_path / 'int8.tflite'}." in cli("doctor", tmp_path).err


def test_a_keras_model_that_is_not_there_is_not_offered_for_conversion(
    tmp_path: Path, cli: Any
) -> None:
    result = cli("doctor", tmp_path / "model.keras")
    assert result.err == f"Error: {tmp_path / 'model.keras'}: there is no such model file.\n"


@pytest.mark.parametrize(
    "option", [("--images", "3"), ("--seed", "1"), ("--tried",), ("--dataset", "sample")]
)
def test_options_about_a_model_are_refused_without_one(option: tuple[str, ...], cli: Any) -> None:
    result = cli("doctor", *option)
    assert (result.code, result.out) == (2, "")
    assert "Name the MODEL" in result.err


def test_without_a_dataset_the_doctor_says_how_to_name_one(
    tiny_model: Callable[[str], Path], tmp_path: Path, cli: Any
) -> None:
    result = cli("doctor", tiny_model("int8"), "--runs-dir", tmp_path / "none")
    assert result.code == 1
    assert result.err.endswith(
        " needs images, and no run provides them; name some with --dataset, as in --dataset "
        f"sample. There is no finished run in '{tmp_path / 'none'}'; train one first with: "
        "fmnist-edge train\n"
    )


def test_images_of_another_size_are_refused(tiny_model: Callable[[str], Path], cli: Any) -> None:
    result = cli("doctor", tiny_model("int8"), "--dataset", "sample")
    assert result.code == 1
    assert "takes images of (8, 8, 1)" in result.err


def test_an_untrained_model_is_called_that(tiny_model: Callable[[str], Path]) -> None:
    from edge_runtime.doctor import examine, open_record
    from edge_runtime.runtimes.backends import choose_backend

    rng = np.random.default_rng(0)
    split = Split(rng.integers(0, 256, (300, 8, 8, 1), np.uint8), np.arange(300) % 10)
    dataset = Dataset("noise", tuple("abcdefghij"), split, split)
    record = open_record(tiny_model("int8"))
    diagnosis = examine("tiny", record, dataset, backend=choose_backend())
    assert [cause.kind for cause in diagnosis.causes] in (["untrained"], ["constant-output"])
    named = replace(record, class_names=tuple("qrstuvwxyz"))
    diagnosis = examine("tiny", named, dataset, backend=choose_backend())
    assert [cause.kind for cause in diagnosis.causes] in (["other-images"], ["constant-output"])
    fewer = Dataset("noise", tuple("abcdefghijk"), split, split)
    diagnosis = examine("tiny", record, fewer, backend=choose_backend())
    assert [cause.kind for cause in diagnosis.causes] == ["class-count"]


def test_a_model_that_kills_the_runtime_is_told_and_the_doctor_lives(
    cli: Callable[..., Any], run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_runtime.inference.loading import probe

    command = (sys.executable, "-c", "import os; os.kill(os.getpid(), 11)")
    monkeypatch.setattr(probe, "command_of", lambda *arguments, **options: command)
    result = cli("doctor", run_folder / "int8.tflite", "-q")
    assert result.code == 1
    assert result.err == (
        f"Error: {run_folder / 'int8.tflite'}: the runtime dies of this model (signal 11).\n"
    )
