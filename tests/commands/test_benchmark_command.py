"""`benchmark`, as it is typed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from conftest import ROOT, Finished, started
from PIL import Image

from edge_runtime.benchmarks.result import benchmark_schema

Cli = Callable[..., Finished]
TinyModel = Callable[[str], Path]

# As short as can be: two images, one process, no second worker.
SHORT = ("--quick", "--rounds", 2, "--images", 2, "--workers", 1)


def test_two_models_are_compared_and_one_is_recommended(
    cli: Cli, here: Path, tiny_model: TinyModel, pictures: Path
) -> None:
    done = cli(
        "benchmark",
        tiny_model("float32"),
        tiny_model("int8"),
        "--dataset",
        f"folder:{pictures}",
        *SHORT,
    )
    assert done.code == 0, done.err
    out = " ".join(done.out.split())  # a long path shifts where lines break
    assert "2 rounds of at most 2 images" in out
    assert f"test images of folder:{pictures}" in out
    for heading in ("median", "p99.9", "preter, %", "1 thread", "XNNPACK"):
        assert heading in done.out
    assert ": take tiny-" in done.out
    assert list(here.iterdir()) == []


def test_the_json_is_as_its_schema_says(
    cli: Cli, here: Path, tiny_model: TinyModel, pictures: Path
) -> None:
    models = [tiny_model(name) for name in ("float32", "int8")]
    (here / "parity.toml").write_text("[budgets]\nsize_bytes = 1_000_000\n")
    kernels = ("--kernels", "auto", "--kernels", "built-in")
    done = cli("benchmark", *models, *SHORT, *kernels, "--dataset", f"folder:{pictures}", "--json")
    assert done.code == 0, done.err
    document = json.loads(done.out)
    validator = jsonschema.Draft202012Validator(benchmark_schema())
    assert [error.message for error in validator.iter_errors(document)] == []
    assert [model["name"] for model in document["models"]] == [
        f"tiny-{name}, {kernel}" for name in ("float32", "int8") for kernel in ("auto", "built-in")
    ]
    # `classify` has no choice of kernels, so a process of its own cannot be measured.
    assert [model["start"] is None for model in document["models"]] == [False, True, False, True]
    assert [len(model["budgets"]) for model in document["models"]] == [0, 0, 1, 1]
    assert document["models"][0]["time_against_first"]["value"] == 1
    assert document["models"][0]["accuracy"]["total"] == 30
    assert document["settings"]["rounds"]["rounds"] == 2


def test_the_schema_is_sound_and_describes_every_key() -> None:
    schema = benchmark_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    shapes = [schema, *schema["$defs"].values()]
    for shape in shapes:
        assert shape["additionalProperties"] is False
        assert set(shape["required"]) == set(shape["properties"])


def test_a_broken_budget_is_exit_code_3(cli: Cli, here: Path, tiny_model: TinyModel) -> None:
    contract = here / "strict.toml"
    contract.write_text("[budgets]\nsize_bytes = 100\n")
    done = cli("benchmark", tiny_model("int8"), *SHORT, "--contract", contract)
    assert done.code == 3, done.err
    assert "of 100: broken" in done.out
    contract.write_text("[budgets]\nsize_bytes = 1_000_000\nlatency_us = 1e9\n")
    kept = cli("benchmark", tiny_model("int8"), *SHORT, "--contract", contract)
    assert kept.code == 0
    assert kept.out.count(": kept") == 2


def test_the_contract_in_the_current_folder_is_taken_unasked(
    cli: Cli, here: Path, tiny_model: TinyModel
) -> None:
    (here / "parity.toml").write_text("[budgets]\nsize_bytes = 100\n")
    assert cli("benchmark", tiny_model("int8"), *SHORT).code == 3


def test_a_bare_benchmark_takes_what_the_latest_run_has(cli: Cli, run_folder: Path) -> None:
    done = cli("benchmark", "--runs-dir", run_folder.parent, *SHORT, "--json")
    assert done.code == 0, done.err
    models = json.loads(done.out)["models"]
    assert [model["name"] for model in models] == [
        "float32",
        "float16",
        "int8",
        "int16x8",
        "dynamic",
    ]
    stored = run_folder / "parity" / "int8.predictions.npz"
    assert models[2]["accuracy"]["stored_predictions"] == str(stored)


def test_without_a_run_and_a_model_there_is_one_sentence(cli: Cli, here: Path) -> None:
    done = cli("benchmark")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Error: There is no finished run in 'runs'; train one first")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("missing.tflite", None, "there is no such model file"),
        ("empty.tflite", b"", "the model file is empty"),
        ("text.tflite", b"x" * 100, "not a .tflite file"),
        ("broken.edge.zip", b"PK", "this bundle cannot be used"),
    ],
)
def test_a_bad_file_is_one_sentence(
    cli: Cli, here: Path, name: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (here / name).write_bytes(content)
    done = cli("benchmark", name, *SHORT)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"Error: {name}: ")
    assert said in done.err
    assert done.err.count("\n") == 1


def test_a_dataset_that_is_asked_for_must_fit(cli: Cli, here: Path, tiny_model: TinyModel) -> None:
    done = cli("benchmark", tiny_model("int8"), "--dataset", "sample", *SHORT)
    assert (done.code, done.out) == (1, "")
    assert "takes images of (8, 8, 1), the dataset 'sample' has (28, 28, 1)" in done.err


def test_images_of_the_latest_run_that_do_not_fit_are_said_not_to(
    cli: Cli, tiny_model: TinyModel, run_folder: Path
) -> None:
    done = cli("benchmark", tiny_model("int8"), "--runs-dir", run_folder.parent, *SHORT)
    assert done.code == 0, done.err
    assert done.err == (
        "The accuracy of tiny-int8 is not measured, since the images of 'sample' do not fit it; "
        "name others with --dataset.\n"
    )
    assert "random pixels" in done.out


def test_impossible_options_are_refused_before_anything_is_measured(
    cli: Cli, here: Path, tiny_model: TinyModel
) -> None:
    model = tiny_model("int8")
    (here / "there.png").write_bytes(b"")
    for arguments, code, said in (
        (("--plot", "x.jpg"), 2, "to end in .png"),
        (("--plot", "there.png"), 1, "there.png exists"),
        (("--plot", "nowhere/x.png"), 1, "There is no folder nowhere"),
        (("--plot", "x.png"), 1, "--plot needs test images"),
        (("--backend", "litter"), 1, "Did you mean 'litert'?"),
        (("--contract", "none.toml"), 1, "There is no contract none.toml"),
        (("--test-size", 5), 2, "--test-size is for a --dataset"),
        (("--rounds", 0), 2, "--rounds"),
    ):
        done = cli("benchmark", model, *arguments)
        assert (done.code, done.out) == (code, ""), arguments
        assert said in done.err


def test_a_plot_is_a_picture(cli: Cli, here: Path, tiny_model: TinyModel, pictures: Path) -> None:
    pytest.importorskip("matplotlib")
    arguments = [tiny_model(name) for name in ("float32", "int8", "dynamic")]
    long = here / ("pictures-of-" + "W" * 80)
    long.symlink_to(pictures)
    plot = ("--plot", "plot.png", "--dataset", f"folder:{long}")
    done = cli("benchmark", *arguments, *SHORT, *plot)
    assert done.code == 0, done.err
    assert done.out.endswith("plot  plot.png\n")
    with Image.open("plot.png") as picture:
        assert picture.size == (800, 528)
        margins = np.asarray(picture.convert("L"))[:, [*range(20), *range(780, 800)]]
    assert (margins == 255).all()  # no text is cut off, however long names are


def test_a_missing_matplotlib_is_said_with_its_pip_line(
    tiny_model: TinyModel, pictures: Path, here: Path
) -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from edge_runtime.cli import run; sys.exit(run(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "benchmark", str(tiny_model("int8"))]
    command += ["--plot", "x.png", "--dataset", f"folder:{pictures}"]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: --plot needs Matplotlib")
    assert "pip install 'matplotlib>=3.8'" in done.stderr


def test_a_benchmark_loads_neither_tensorflow_nor_matplotlib(
    tiny_model: TinyModel, here: Path
) -> None:
    code = (
        "import sys; from edge_runtime.cli import run; code = run(sys.argv[1:]); "
        "print(code, {'tensorflow', 'keras', 'matplotlib', 'trainer', 'converter'} & "
        "set(sys.modules))"
    )
    command = [sys.executable, "-c", code, "benchmark", str(tiny_model("int8"))]
    done = subprocess.run(
        [*command, *map(str, SHORT)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.splitlines()[-1] == "0 set()", done.stderr


def test_an_interrupted_benchmark_ends_at_once_and_leaves_nothing(
    tiny_model: TinyModel, tmp_path: Path, pictures: Path
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    shutil.copy(tiny_model("int8"), tmp_path / "int8.tflite")
    command = [sys.executable, "-m", "edge_runtime.cli", "benchmark", "int8.tflite"]
    command += ["--rounds", "10000", "--plot", "x.png", "--dataset", f"folder:{pictures}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}
    with started(command, cwd=tmp_path, env=environment) as running:
        while not list(folder.glob("fmnist-edge-*/*/*.png")):  # then the rounds begin
            assert running.poll() is None
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (130, "")
    assert err.strip() == "Interrupted."
    assert list(folder.iterdir()) == []
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["int8.tflite", "temporary"]


def test_the_processes_are_gone_when_the_benchmark_is_done(
    cli: Cli, here: Path, tiny_model: TinyModel
) -> None:
    def children() -> set[str]:
        listed = subprocess.run(
            ["ps", "--ppid", str(os.getpid()), "-o", "args="], capture_output=True, text=True
        )
        return {line for line in listed.stdout.splitlines() if "benchmark.workers" in line}

    if shutil.which("ps") is None:
        pytest.skip("there is no ps")
    done = cli("benchmark", tiny_model("int8"), *SHORT[:-1], 2)
    assert done.code == 0, done.err
    assert "2 processes" in done.out
    assert children() == set()


def details(document: Any) -> Any:
    """Everything but what depends on the moment."""
    return {key: document[key] for key in ("schema_version", "machine", "settings", "dataset")}


def test_a_bundle_and_what_is_installed_can_be_measured(
    cli: Cli,
    here: Path,
    bundle_of: Callable[[str], bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FMNIST_EDGE_HOME", str(here / "device"))
    (here / "int8.edge.zip").write_bytes(bundle_of("int8"))
    assert cli("install", "int8.edge.zip").code == 0
    packed = json.loads(cli("benchmark", "int8.edge.zip", *SHORT, "--json").out)
    installed = json.loads(cli("benchmark", "installed", *SHORT, "--json").out)
    assert details(packed) == details(installed)
    assert packed["models"][0]["model_sha256"] == installed["models"][0]["model_sha256"]
    assert packed["dataset"] is None
