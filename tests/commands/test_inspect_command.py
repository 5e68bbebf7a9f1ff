"""`inspect`, as it is typed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Finished

Cli = Callable[..., Finished]


@pytest.fixture
def model(tmp_path: Path, tiny_model: Callable[[str], Path]) -> Path:
    return Path(shutil.copy(tiny_model("int8"), tmp_path / "int8.tflite"))


def test_inspect_says_what_a_model_is(cli: Cli, run_folder: Path) -> None:
    done = cli("inspect", run_folder / "int8.tflite", "--tensors")
    assert done.code == 0
    assert "scheme      int8" in done.out
    assert "input       int8 1 × 28 × 28 × 1, scale 1, zero point -128" in done.out
    assert "CONV_2D v3 ×3" in done.out
    assert "runs on     tflite-runtime 2.14.0: yes" in done.out
    assert "well-formed yes" in done.out
    document = json.loads(cli("inspect", run_folder / "int8.tflite", "--json").out)
    assert document["scheme"] == "int8"
    assert document["manifest"]["class_names"][9] == "Ankle boot"


def test_inspect_names_the_runtime_that_cannot_run_a_model(
    cli: Cli, tiny_model: Callable[[str], Path]
) -> None:
    done = cli("inspect", tiny_model("dynamic"))
    assert "runs on     ai-edge-litert: yes" in done.out
    assert "runs on     tflite-runtime 2.14.0: no: FULLY_CONNECTED version 12" in done.out


def test_a_sound_model_is_shown_though_its_manifest_is_damaged(cli: Cli, model: Path) -> None:
    model.with_name("int8.manifest.json").write_text("{")
    done = cli("inspect", model)
    assert done.code == 0, done.err
    assert "scheme      int8\n" in done.out
    assert f"manifest    {model.with_suffix('.manifest.json')}: the manifest cannot be read (" in (
        done.out
    )
    document = json.loads(cli("inspect", model, "--json").out)
    assert document["manifest"] is None
    assert "the manifest cannot be read" in document["manifest_error"]


def test_without_a_manifest_there_is_no_error(cli: Cli, model: Path) -> None:
    assert "manifest    none beside it" in cli("inspect", model).out
    document = json.loads(cli("inspect", model, "--json").out)
    assert document["manifest_error"] is None
    assert document["bundle"] is None


def test_a_damaged_model_is_refused_whatever_lies_beside_it(cli: Cli, model: Path) -> None:
    model.with_name("int8.manifest.json").write_text("{")
    model.write_bytes(model.read_bytes()[:100])
    done = cli("inspect", model)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"Error: {model}: ")
