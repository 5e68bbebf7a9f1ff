"""`parity` and `demo`, as they are typed."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import Finished

from edge_runtime.commands.outputs import predictions_files
from edge_runtime.data.datasets import Dataset
from edge_runtime.data.predictions import Predictions

Cli = Callable[..., Finished]


def test_the_report_of_a_run_compares_all_five_files(run_folder: Path) -> None:
    report = json.loads((run_folder / "parity" / "report.json").read_text())
    models = [item["model"] for item in report["comparisons"]]
    assert sorted(models) == ["dynamic", "float16", "float32", "int16x8", "int8"]
    assert report["image_count"] == 1000
    full = Predictions.load(run_folder / "full.predictions.npz")
    assert report["full"]["accuracy"]["value"] == np.mean(full.answers == full.labels)
    for item in report["comparisons"]:
        changed = np.subtract(item["confusion"], report["full"]["confusion"])
        assert item["confusion_difference"] == changed.tolist()
        assert len(item["flips"]) == 1000 - item["agreement"]["successes"]
    page = (run_folder / "parity" / "report.html").read_text()
    assert "Parity holds" in page
    assert not re.search(r"""(src|href)\s*=\s*["']?https?:""", page)


def test_predictions_that_are_stored_are_those_that_were_compared(run_folder: Path) -> None:
    stored = Predictions.load(run_folder / "parity" / "int8.predictions.npz")
    report = json.loads((run_folder / "parity" / "report.json").read_text())
    (int8,) = (item for item in report["comparisons"] if item["model"] == "int8")
    assert int8["accuracy"]["successes"] == int((stored.answers == stored.labels).sum())
    assert stored.details["backend"] == "ai-edge-litert"
    assert stored.details["latency_us"]["n"] == 1000


def test_the_comparison_runs_without_tensorflow(run_folder: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None\n"
        "from edge_runtime.cli import run; sys.exit(run(sys.argv[1:]))"
    )
    arguments = ["parity", str(run_folder / "int8.tflite"), "--runs-dir", str(run_folder.parent)]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments, "--out", str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Parity holds" in done.stdout
    assert (tmp_path / "report.html").exists()


@pytest.fixture
def wrong_labels(run_folder: Path, tmp_path: Path) -> Path:
    """Predictions of int8 whose answers were turned around for a fifth of the images."""
    good = Predictions.load(run_folder / "parity" / "int8.predictions.npz")
    probabilities = good.probabilities.copy()
    probabilities[:200] = probabilities[:200, ::-1]
    bad = Predictions(
        probabilities,
        good.labels,
        good.image_sha256,
        good.class_names,
        {**good.details, "model": "turned"},
    )
    bad.save(tmp_path / "turned.predictions.npz")
    return tmp_path / "turned.predictions.npz"


def test_a_larger_drop_than_allowed_exits_with_3(
    cli: Cli, run_folder: Path, wrong_labels: Path, tmp_path: Path
) -> None:
    options = ("--runs-dir", run_folder.parent, "--out", tmp_path)
    done = cli("parity", wrong_labels, *options)
    assert done.code == 3
    assert "Parity is broken: turned changes by" in done.out
    assert json.loads((tmp_path / "report.json").read_text())["holds"] is False
    assert (
        cli("parity", wrong_labels, *options, "--max-drop", "0.5", "--min-agreement", "0").code == 0
    )


def test_predictions_alone_are_compared_without_any_run(
    cli: Cli, run_folder: Path, wrong_labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = cli("parity", "--reference", run_folder / "full.predictions.npz", wrong_labels, "--json")
    assert done.code == 3
    assert json.loads(done.out)["comparisons"][0]["model"] == "turned"
    assert (tmp_path / "parity" / "report.html").exists()


def test_predictions_of_other_images_are_refused_and_no_report_is_written(
    cli: Cli, run_folder: Path, tmp_path: Path, sample: Dataset
) -> None:
    good = Predictions.load(run_folder / "parity" / "int8.predictions.npz")
    replace(good, image_sha256=np.roll(good.input_sha256, 1), input_sha256=good.input_sha256).save(
        tmp_path / "rolled.predictions.npz"
    )
    other = good.image_sha256.copy()
    other[7] = b"0" * 64
    replace(good, image_sha256=other).save(tmp_path / "other.predictions.npz")
    options = ("--runs-dir", run_folder.parent, "--out", tmp_path / "out")
    done = cli("parity", tmp_path / "other.predictions.npz", *options)
    assert done.code == 1
    assert "number 7" in done.err
    done = cli("parity", tmp_path / "rolled.predictions.npz", *options)
    assert done.code == 1
    assert "different true labels" in done.err
    assert not (tmp_path / "out").exists()


def test_the_same_images_in_another_order_are_compared(
    cli: Cli, run_folder: Path, tmp_path: Path
) -> None:
    good = Predictions.load(run_folder / "parity" / "int8.predictions.npz")
    order = np.random.default_rng(0).permutation(len(good))
    replace(
        good,
        probabilities=good.probabilities[order],
        labels=good.labels[order],
        image_sha256=good.image_sha256[order],
        input_sha256=good.input_sha256[order],
    ).save(tmp_path / "shuffled.predictions.npz")
    options = ("--runs-dir", run_folder.parent, "--out", tmp_path)
    done = cli("parity", tmp_path / "shuffled.predictions.npz", *options, "--json")
    assert done.code == 0, done.err
    _, host, device = json.loads(done.out)["comparisons"]
    assert device["flips"] == [{**flip, "step": flip["step"]} for flip in host["flips"]]


def test_a_run_without_converted_models_says_what_to_do(
    cli: Cli, run_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(
        run_folder, tmp_path / "bare", ignore=shutil.ignore_patterns("*.tflite", "parity")
    )
    done = cli("parity", "--run", tmp_path / "bare")
    assert done.code == 1
    assert "make one first with: fmnist-edge convert" in done.err
    missing = cli("parity", "--runs-dir", tmp_path / "nowhere")
    assert "train one first with: fmnist-edge train" in missing.err


def test_images_that_changed_since_training_are_refused(
    cli: Cli, run_folder: Path, tmp_path: Path
) -> None:
    copied = tmp_path / "changed"
    shutil.copytree(run_folder, copied)
    config = json.loads((copied / "config.json").read_text())
    config["dataset"]["test_size"] = 500
    (copied / "config.json").write_text(json.dumps(config))
    done = cli("parity", "--run", copied)
    assert done.code == 1
    assert "no longer those that changed was trained and tested on" in done.err


def test_models_of_the_same_name_are_told_apart(
    cli: Cli, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, recipe in (("a", "int8"), ("b", "float32")):
        (tmp_path / folder).mkdir()
        for suffix in (".tflite", ".manifest.json"):
            shutil.copy(run_folder / f"{recipe}{suffix}", tmp_path / folder / f"m{suffix}")
    monkeypatch.chdir(tmp_path)
    options = ("--runs-dir", run_folder.parent, "--out", "out", "--json")
    done = cli("parity", "a/m.tflite", "b/m.tflite", *options)
    assert done.code == 0, done.err
    # b/m is the run's float32.tflite under another name, so that is not put before them; it comes
    # before the quantized model, though it was named after it.
    assert [item["model"] for item in json.loads(done.out)["comparisons"]] == ["b/m", "a/m"]
    stored = sorted(path.name for path in (tmp_path / "out").glob("*.npz"))
    assert stored == ["a-m.predictions.npz", "b-m.predictions.npz"]


def test_a_model_of_other_class_names_is_refused(
    cli: Cli, run_folder: Path, tmp_path: Path
) -> None:
    shutil.copy(run_folder / "int8.tflite", tmp_path / "int8.tflite")
    manifest = json.loads((run_folder / "int8.manifest.json").read_text())
    manifest["class_names"].reverse()
    (tmp_path / "int8.manifest.json").write_text(json.dumps(manifest))
    done = cli("parity", tmp_path / "int8.tflite", "--runs-dir", run_folder.parent)
    assert done.code == 1
    assert "in this order; use the dataset that it was made for" in done.err


# The chain.


@pytest.fixture(scope="module")
def on_device(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the run's int8 file said on a device, stored under the same name as on the host."""
    host = Predictions.load(run_folder / "parity" / "int8.predictions.npz")
    path = tmp_path_factory.mktemp("device") / "pi.predictions.npz"
    replace(host, details={**host.details, "machine": "aarch64", "cpu": "Cortex-A72"}).save(path)
    return path


def chain_of(done: Finished) -> list[tuple[str, str, str]]:
    steps = json.loads(done.out)["steps"]
    return [(step["before_model"], step["name"], step["after_model"]) for step in steps]


def test_what_a_device_said_is_put_at_the_end_of_the_runs_chain(
    cli: Cli, run_folder: Path, on_device: Path, tmp_path: Path
) -> None:
    done = cli("parity", on_device, "--runs-dir", run_folder.parent, "--out", tmp_path, "--json")
    assert done.code == 0, done.err
    assert chain_of(done) == [
        ("full (Keras)", "conversion", "float32"),
        ("float32", "quantization", "int8"),
        ("int8", "runtime or CPU", "int8 (pi)"),
    ]


def test_a_chain_of_predictions_needs_no_run(
    cli: Cli, run_folder: Path, on_device: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stored = [run_folder / "parity" / f"{name}.predictions.npz" for name in ("float32", "int8")]
    done = cli("parity", run_folder / "full.predictions.npz", *stored, on_device, "--json")
    assert done.code == 0, done.err
    assert [name for _, name, _ in chain_of(done)] == [
        "conversion",
        "quantization",
        "runtime or CPU",
    ]
    page = (tmp_path / "parity" / "report.html").read_text()
    assert "data:image/png" in page  # the sample's pictures are at hand without a run


def test_the_full_model_begins_the_chain_wherever_it_is_named(
    cli: Cli, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stored = [run_folder / "parity" / f"{name}.predictions.npz" for name in ("int8", "float32")]
    done = cli("parity", *stored, run_folder / "full.predictions.npz", "--json")
    assert [name for _, name, _ in chain_of(done)] == ["conversion", "quantization"]


def test_a_file_that_is_named_twice_is_refused(
    cli: Cli, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    full = run_folder / "full.predictions.npz"
    done = cli("parity", full, run_folder / ".." / run_folder.name / full.name)
    assert done.code == 1
    assert "is named twice; a model compared with itself proves nothing" in done.err
    assert not any(tmp_path.iterdir())


def test_a_hash_that_is_no_text_is_no_hash_of_the_run(
    cli: Cli, run_folder: Path, on_device: Path, tmp_path: Path
) -> None:
    odd = tmp_path / "odd.predictions.npz"
    Predictions.load(on_device).with_details(model_sha256=["a", {}]).save(odd)
    done = cli("parity", odd, "--runs-dir", run_folder.parent, "--out", tmp_path, "--json")
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    "source",
    [lambda run: ("--dataset", "sample"), lambda run: ("--runs-dir", run.parent)],
    ids=["dataset", "images of the run"],
)
def test_the_keras_model_itself_can_begin_the_chain(
    cli: Cli, run_folder: Path, tmp_path: Path, source: Callable[[Path], tuple[object, ...]]
) -> None:
    models = [run_folder / name for name in ("model.keras", "float32.tflite", "int8.tflite")]
    images = source(run_folder)
    done = cli("parity", *models, *images, "--out", tmp_path, "--json")
    assert done.code == 0, done.err
    assert [name for _, name, _ in chain_of(done)] == ["conversion", "quantization"]
    assert json.loads(done.out)["steps"][0]["flip_count"] == 0


def test_a_converted_model_is_what_others_are_held_to_only_as_reference(
    cli: Cli, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("float32", "int8"):
        shutil.copy(run_folder / "parity" / f"{name}.predictions.npz", tmp_path)
    stored = [f"{name}.predictions.npz" for name in ("float32", "int8")]
    refused = cli("parity", *stored)
    assert refused.code == 1
    assert "was not found in any run in 'runs'; name it with --reference" in refused.err
    done = cli("parity", "--reference", *stored, "--json")
    assert done.code == 0, done.err
    assert chain_of(done) == [("float32", "quantization", "int8")]
    assert json.loads(done.out)["reference"]["found"] == "--reference"


def test_predictions_that_were_given_are_not_replaced(run_folder: Path, tmp_path: Path) -> None:
    """They may lie where those of a model would be kept; and two models may want one name."""
    said = Predictions.load(run_folder / "parity" / "int8.predictions.npz")
    made = [said.with_details(model=name) for name in ("a/int8", "a-int8", "b")]
    given = (tmp_path / "a-int8.predictions.npz", run_folder / "int8.tflite")
    found = predictions_files(tmp_path / "." / "", made, given)
    names = ["a-int8.2.predictions.npz", "a-int8.3.predictions.npz", "b.predictions.npz"]
    assert [path.name for path in found] == names
    assert [item.model for item in found.values()] == ["a/int8", "a-int8", "b"]


@pytest.mark.parametrize("command", ["parity", "convert"])
def test_options_that_would_be_ignored_are_misuse(cli: Cli, run_folder: Path, command: str) -> None:
    done = cli(command, "--test-size", 5, "--runs-dir", run_folder.parent)
    assert done.code == 2
    assert "--test-size is for a --dataset" in done.err


def test_the_demo_shows_the_whole_chain(cli: Cli, tmp_path: Path) -> None:
    done = cli("demo", "--epochs", 2, "--runs-dir", tmp_path)
    assert done.code in (0, 3, 4), done.err
    run = tmp_path / "post-cnn-sample-1"
    assert len(list(run.glob("*.tflite"))) == 5
    assert "trouser-on-white.png" in done.out
    for name in ("float32", "float16", "dynamic", "int8", "int16x8", "full (Keras)"):
        assert name in done.out
    assert f"report  {run / 'parity' / 'report.html'}" in done.out
    assert f"figures {run / 'figures'}" in done.out
    assert f"bundle    {run / 'int8.edge.zip'}\nversion   1\n" in done.out
    assert "\nyes: all 32 golden vectors are reproduced by ai-edge-litert " in done.out
    assert [f"\n{number}/5 " in done.err for number in range(1, 6)] == [True] * 5


def test_missing_jinja_is_said_before_a_model_is_run(cli, run_folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.setattr(
        "edge_runtime.commands.parity.predict_file", lambda *a, **k: pytest.fail("too late")
    )
    done = cli("parity", run_folder / "int8.tflite", "--out", tmp_path / "out")
    assert done.code == 1
    assert "need Jinja2" in done.err
    assert not (tmp_path / "out").exists()
