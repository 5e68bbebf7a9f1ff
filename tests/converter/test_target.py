"""The runtime that files are made for."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Finished

from edge_runtime.errors import ModelError
from edge_runtime.inference.loading.probe import ProbeResult, probe
from edge_runtime.models.model_file import ModelFile, read_model

Cli = Callable[..., Finished]


RECIPES = ("float32", "float16", "dynamic", "int8", "int16x8")


@pytest.fixture(scope="module")
def softplus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose integer files need LOG version 2, which tflite-runtime 2.14.0 has not."""
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(7)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 5, strides=3, activation="softplus"),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    path: Path = tmp_path_factory.mktemp("softplus") / "softplus.keras"
    model.save(path)
    return path


TFLITE = ("--runtime", "tflite-runtime-2.14")


LOG = "tflite-runtime 2.14.0 cannot run it (LOG version 2: at most 1 there)"


def made_for(path: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads(path.read_text())["made_for"]
    return found


def test_what_the_other_runtime_lacks_is_left_out_with_the_reason(
    cli: Cli, softplus: Path, tmp_path: Path
) -> None:
    options = ("--quantize", "all", "--dataset", "sample", "--out", tmp_path, "--json", "--quiet")
    done = cli("convert", softplus, *options, *TFLITE)
    assert done.code == 0
    *warnings, int8, int16x8 = done.err.splitlines()
    assert [int8, int16x8] == [f"left out int8: {LOG}", f"left out int16x8: {LOG}"]
    # Nobody has trained it.
    assert len(warnings) == 3
    assert all("answers at chance: 13.0 % of 100" in warning for warning in warnings)
    found = json.loads(done.out)
    assert [item["recipe"] for item in found["models"]] == ["float32", "float16", "dynamic"]
    assert found["runtime"] == {"name": "tflite-runtime-2.14", "proved": False}
    assert found["left_out"] == [
        {"recipe": "int8", "reason": LOG},
        {"recipe": "int16x8", "reason": LOG},
    ]
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        f"softplus.{recipe}{suffix}"
        for recipe in ("float32", "float16", "dynamic")
        for suffix in (".tflite", ".manifest.json")
    }


def test_the_table_of_operators_is_what_the_runtime_itself_says(
    cli: Cli, softplus: Path, tflite_runtime_python: Path, tmp_path: Path
) -> None:
    options = ("--quantize", "int8", "--dataset", "sample", "--out", tmp_path)
    done = cli("convert", softplus, *options, "--runtime", "litert")
    assert done.code == 0, done.err
    assert "Made for ai-edge-litert; each file was loaded and run in ai-edge-litert" in done.out
    with pytest.raises(ModelError, match=r"tflite-runtime 2\.14\.0 .*'LOG' version '2'"):
        probe(read_model(tmp_path / "softplus.int8.tflite"), python=str(tflite_runtime_python))


def test_nothing_made_is_one_sentence_and_exit_code_1(
    cli: Cli, softplus: Path, tmp_path: Path
) -> None:
    done = cli("convert", softplus, "--dataset", "sample", "--out", tmp_path, *TFLITE)
    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines()[-2:] == [
        f"left out int8: {LOG}",
        "Error: Nothing was made: tflite-runtime 2.14.0 does not run int8 of this model; try "
        "another --quantize or --runtime.",
    ]
    assert list(tmp_path.iterdir()) == []


def test_without_the_runtime_files_are_judged_by_operators_and_say_so(
    cli: Cli, softplus: Path, tmp_path: Path
) -> None:
    done = cli("convert", softplus, "--quantize", "float32", "--out", tmp_path, *TFLITE)
    assert done.code == 0, done.err
    assert "judged by operator versions and tensor types only" in done.out.splitlines()[-1]
    assert "--runtime-python" in done.out.splitlines()[-1]
    found = made_for(tmp_path / "softplus.float32.manifest.json")
    assert found["runtime"] == "tflite-runtime-2.14"
    assert found["proof"] == "operator versions and tensor types"
    assert found["ran_in"].startswith("ai-edge-litert ")


def test_with_the_runtime_each_file_is_run_in_it_before_it_is_written(
    cli: Cli, softplus: Path, tflite_runtime_python: Path, tmp_path: Path
) -> None:
    options = ("--quantize", "all", "--dataset", "sample", "--out", tmp_path)
    done = cli("convert", softplus, *options, *TFLITE, "--runtime-python", tflite_runtime_python)
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1] == (
        "Made for tflite-runtime 2.14.0; each file was loaded and run in tflite-runtime 2.14.0."
    )
    document = json.loads((tmp_path / "softplus.dynamic.manifest.json").read_text())
    assert document["made_for"] == {
        "runtime": "tflite-runtime-2.14",
        "proof": "run",
        "ran_in": "tflite-runtime 2.14.0",
    }
    assert document["probe"]["backend"] == "tflite-runtime"


def test_a_file_that_the_other_runtime_dies_of_is_left_out(
    cli: Cli, softplus: Path, tflite_runtime_python: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def dies_elsewhere(
        file: ModelFile, *, backend: str = "litert", python: str = ""
    ) -> ProbeResult:
        if python:
            raise ModelError("The runtime died of this model (signal 11).")
        return ProbeResult("ai-edge-litert", "2.3.0", (), 5)

    monkeypatch.setattr("converter.target.probe", dies_elsewhere)
    options = ("--quantize", "float32", "--out", tmp_path, "--runtime-python")
    done = cli("convert", softplus, *TFLITE, *options, tflite_runtime_python)
    assert done.code == 1
    assert "left out float32: The runtime died of this model (signal 11)." in done.err
    assert list(tmp_path.iterdir()) == []


def test_by_default_the_manifest_names_the_runtime_that_is_here(run_folder: Path) -> None:
    for recipe in RECIPES:
        found = made_for(run_folder / f"{recipe}.manifest.json")
        assert (found["runtime"], found["proof"]) == ("litert", "run")
        assert found["ran_in"].startswith("ai-edge-litert ")


@pytest.mark.parametrize(
    ("python", "words"),
    [
        ("no-such-python", "no-such-python cannot be started (No such file or directory)"),
        ("/bin/true", "/bin/true: it does not answer like a Python"),
        (sys.executable, "The backend tflite-runtime needs tflite-runtime, which is not installed"),
    ],
)
def test_a_python_without_the_runtime_is_refused_before_anything_is_converted(
    cli: Cli, softplus: Path, tmp_path: Path, python: str, words: str
) -> None:
    done = cli("convert", softplus, "--out", tmp_path / "o", *TFLITE, "--runtime-python", python)
    assert done.code == 1
    assert words in done.err
    assert not (tmp_path / "o").exists()


def test_another_release_of_the_runtime_is_refused(
    cli: Cli, softplus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("converter.target.version_in", lambda python, backend: "2.13.0")
    done = cli("convert", softplus, "--out", tmp_path / "o", *TFLITE, "--runtime-python", "py")
    assert done.code == 1
    assert "py has tflite-runtime 2.13.0, expected tflite-runtime 2.14.0; install that" in done.err


def test_a_python_alone_is_no_runtime(cli: Cli, softplus: Path) -> None:
    done = cli("convert", softplus, "--runtime-python", "py")
    assert done.code == 2
    assert "--runtime-python is for --runtime" in done.err


# Without the softmax.
