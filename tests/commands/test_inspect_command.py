"""`inspect`, as it is typed, over a model whose manifest is damaged."""

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
