"""What convert leaves on the disk: all or nothing, and never half of it."""

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Finished

from converter.converted import Converted, put_in_place
from edge_runtime.data.images import Preprocessing
from edge_runtime.errors import ModelError
from edge_runtime.files.reading import sha256
from edge_runtime.models.inspection import ModelSummary, inspect_model
from edge_runtime.models.manifest import Manifest
from edge_runtime.models.model_file import ModelFile, read_model

Cli = Callable[..., Finished]


def summary_of(path: Path) -> ModelSummary:
    return inspect_model(path.read_bytes())


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


def some_conversion() -> Converted:
    """A conversion as far as `put_in_place` asks for it."""
    data = b"model"
    preprocessing = Preprocessing(8, 8, 1, "dark")
    manifest = Manifest(sha256(data), ("a", "b"), preprocessing, "logits")
    rest: Any = None
    return Converted("int8", data, manifest, rest, rest)


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
        put_in_place({target: some_conversion()})
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"int8.manifest.json"} | ({"int8.tflite"} if replaced else set())
    with pytest.raises(ModelError, match="describes another file" if replaced else "no such model"):
        read_model(target)


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
