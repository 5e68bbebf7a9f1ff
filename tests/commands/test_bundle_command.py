"""`bundle`, as it is typed, and the commands that take what it makes."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundles import CLASSES, edited, rehashed
from conftest import ROOT, Finished
from PIL import Image

from edge_runtime.data.datasets import Dataset
from edge_runtime.data.predictions import Predictions
from edge_runtime.files.reading import sha256
from edge_runtime.models.bundle.contents import read_bundle

Cli = Callable[..., Finished]
TinyModel = Callable[[str], Path]


@pytest.fixture
def model(here: Path, tiny_model: TinyModel) -> Path:
    """A lone .tflite in the current folder."""
    return Path(shutil.copy(tiny_model("int8"), here / "shoes.tflite"))


@pytest.fixture
def bundle(cli: Cli, model: Path, pictures: Path) -> Callable[..., Finished]:
    """`bundle("--force")` bundles the lone model with the pictures."""
    return lambda *options: cli("bundle", model, "--dataset", f"folder:{pictures}", *options)


@pytest.fixture(scope="module")
def runs(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs folder of the trained run, a copy; its int8 model is bundled."""
    folder = tmp_path_factory.mktemp("bundled") / "runs"
    shutil.copytree(run_folder.parent, folder, symlinks=True)
    command = [sys.executable, "-m", "edge_runtime.cli", "bundle", "--runs-dir", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


# What it makes.


def test_the_latest_run_is_bundled_with_its_int8_model(runs: Path, sample: Dataset) -> None:
    path = runs / "article" / "int8.edge.zip"
    made = read_bundle(path.read_bytes())
    assert made.version == 1
    assert made.model == (runs / "article" / "int8.tflite").read_bytes()
    details = made.manifest.details
    assert made.manifest.class_names == sample.class_names
    assert details["recipe"] == "int8"
    assert details["dataset"] == {"name": "sample", "fingerprint": sample.fingerprint}
    assert details["metrics"]["accuracy"]["total"] == 1000
    assert details["metrics"]["agreement_with_full_model"]["value"] > 0.98
    assert sorted(details["metrics"]["recall"]) == sorted(sample.class_names)
    assert set(made.golden.labels.tolist()) == set(range(10))
    training = {image.tobytes() for image in sample.train.images}
    assert all(image.tobytes() in training for image in made.golden.images)
    assert "epochs 100" in made.card
    assert "same answer as the full model" in made.card


def test_the_same_run_gives_the_same_bytes_in_another_process_and_place(
    runs: Path, tmp_path: Path
) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "4711", "TZ": "Asia/Tokyo"}
    target = tmp_path / "other name.edge.zip"
    command = [sys.executable, "-m", "edge_runtime.cli", "bundle", "--runs-dir", str(runs)]
    subprocess.run(
        [*command, "--out", str(target)], check=True, capture_output=True, env=environment
    )
    assert target.read_bytes() == (runs / "article" / "int8.edge.zip").read_bytes()


def test_the_summary_says_what_is_in_it(bundle: Callable[..., Finished], here: Path) -> None:
    done = bundle()
    assert done.code == 0, done.err
    data = (here / "shoes.edge.zip").read_bytes()
    lines = done.out.splitlines()
    assert lines[0] == f"bundle    {here / 'shoes.edge.zip'}"
    assert lines[1] == "version   1"
    assert lines[2] == f"size      {len(data):,} bytes, SHA-256 {sha256(data)}"
    assert lines[3].startswith("accuracy  ")
    assert lines[3].endswith(", 30 test images)")
    assert lines[4].startswith("golden    20 vectors, reproduced by ai-edge-litert ")
    assert lines[5] == "runs on   ai-edge-litert ≥ 2.0, tflite-runtime ≥ 2.14.0"
    assert {entry.name for entry in here.iterdir()} == {"shoes.tflite", "shoes.edge.zip"}


def test_json_has_the_whole_manifest(bundle: Callable[..., Finished], here: Path) -> None:
    document = json.loads(bundle("--json", "--out", "x.edge.zip").out)
    made = read_bundle((here / "x.edge.zip").read_bytes())
    assert document == {
        "bundle": "x.edge.zip",
        "sha256": made.sha256,
        "size_bytes": len(made.data),
        "signed_by": None,
        "manifest": made.manifest.to_dict(),
    }
    assert document["manifest"]["class_names"] == list(CLASSES)


# Its version.


def test_the_version_stays_while_nothing_else_changes_and_rises_when_something_does(
    cli: Cli, here: Path, tiny_model: TinyModel, pictures: Path
) -> None:
    def version(name: str, *options: object) -> int:
        arguments = ("bundle", tiny_model(name), "--dataset", f"folder:{pictures}", "--json")
        done = cli(*arguments, "--runs-dir", here, "--out", here / "run", *options)
        assert done.code == 0, done.err
        return int(json.loads(done.out)["manifest"]["bundle"]["version"])

    (here / "run").mkdir()
    assert version("int8") == 1
    assert version("int8") == 1
    assert version("float32") == 2
    assert version("int16x8", "--bundle-version", 9) == 9
    assert version("float16") == 10
    assert version("float32") == 2


def test_a_damaged_bundle_has_no_say_in_the_version(
    bundle: Callable[..., Finished], here: Path
) -> None:
    (here / "run").mkdir()
    (here / "run" / "other.edge.zip").write_text("damaged")
    assert "version   1\n" in bundle("--runs-dir", here).out


@pytest.mark.parametrize("version", ["0", "-1", "1.5", "x"])
def test_an_impossible_version_is_misuse(bundle: Callable[..., Finished], version: str) -> None:
    assert bundle("--bundle-version", version).code == 2


# Where it goes.


def test_a_bundle_of_other_content_is_kept_unless_forced(
    bundle: Callable[..., Finished], here: Path
) -> None:
    target = here / "shoes.edge.zip"
    target.write_text("mine")
    done = bundle()
    assert (done.code, done.out) == (1, "")
    assert done.err.endswith(
        f"Error: {target} exists with another content; replace it with --force.\n"
    )
    assert target.read_text() == "mine"
    assert bundle("--force").code == 0
    assert read_bundle(target.read_bytes()).version == 1


@pytest.mark.parametrize(
    ("out", "code", "words"),
    [
        ("x.zip", 2, "Expected --out to be a folder that is there, or to end in .edge.zip"),
        ("none/", 2, "Expected --out to be a folder that is there, or to end in .edge.zip"),
        ("shoes.tflite/x.edge.zip", 1, "Not a directory"),
        ("/proc/x.edge.zip", 1, "/proc"),
    ],
)
def test_an_impossible_place_is_refused(
    bundle: Callable[..., Finished], here: Path, out: str, code: int, words: str
) -> None:
    done = bundle("--out", out)
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert [entry.name for entry in here.iterdir()] == ["shoes.tflite"]


# What cannot be bundled.


def test_a_bundle_of_a_bundle_is_refused(cli: Cli, bundle: Callable[..., Finished]) -> None:
    bundle()
    done = cli("bundle", "shoes.edge.zip", "--dataset", "sample", "--out", "again.edge.zip")
    assert done.code == 1
    assert "is a bundle already; give the .tflite that it was made of." in done.err


def test_a_damaged_model_is_refused_and_nothing_written(
    bundle: Callable[..., Finished], model: Path, here: Path
) -> None:
    model.write_bytes(model.read_bytes()[:1000])
    done = bundle()
    assert (done.code, done.out) == (1, "")
    assert "the model file is damaged" in done.err
    assert [entry.name for entry in here.iterdir()] == ["shoes.tflite"]


def test_images_of_another_size_are_refused(cli: Cli, model: Path) -> None:
    done = cli("bundle", model, "--dataset", "sample")
    assert done.code == 1
    assert "takes images of (8, 8, 1), the dataset 'sample' has (28, 28, 1)" in done.err


def test_without_images_the_way_to_name_them_is_shown(cli: Cli, model: Path) -> None:
    done = cli("bundle", model)
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"Error: {model} needs images, and no run provides them; name some with --dataset, as in "
        "--dataset sample. There is no finished run in 'runs'; train one first with: fmnist-edge "
        "train\n"
    )


def test_a_model_that_is_not_there_is_said_before_images_are_missed(cli: Cli, here: Path) -> None:
    done = cli("bundle", "nothing.tflite")
    assert (done.code, done.out) == (1, "")
    assert done.err == "Error: nothing.tflite: there is no such model file.\n"


def test_a_lone_bundle_is_refused_before_images_are_missed(
    cli: Cli, bundle: Callable[..., Finished]
) -> None:
    bundle()
    done = cli("bundle", "shoes.edge.zip")
    assert done.err == (
        "Error: shoes.edge.zip is a bundle already; give the .tflite that it was made of.\n"
    )


def test_without_a_model_or_a_run_the_next_step_is_shown(cli: Cli, here: Path) -> None:
    done = cli("bundle")
    assert done.code == 1
    assert "There is no finished run in 'runs'; train one first with: fmnist-edge train" in done.err


def test_a_model_and_a_run_are_one_too_many(cli: Cli, model: Path) -> None:
    done = cli("bundle", model, "--run", "x")
    assert (done.code, "Give a MODEL or --run, not both." in done.err) == (2, True)


# Every command that takes a model takes a bundle.


@pytest.fixture
def boot(tmp_path: Path, sample: Dataset) -> Path:
    index = int(np.argmax(sample.test.labels == sample.class_names.index("Ankle boot")))
    path = tmp_path / "boot.png"
    Image.fromarray(sample.test.images[index, ..., 0]).save(path)
    return path


@pytest.fixture
def bundled(runs: Path, here: Path) -> Path:
    """The run's bundle, alone in the current folder."""
    return Path(shutil.copy(runs / "article" / "int8.edge.zip", here / "shoes.edge.zip"))


def test_a_bundle_classifies_like_its_model(
    cli: Cli, runs: Path, bundled: Path, boot: Path
) -> None:
    answers = [
        json.loads(cli("classify", path, boot, "--json").out)["results"]
        for path in (bundled, runs / "article" / "int8.tflite")
    ]
    assert answers[0] == answers[1]
    assert answers[0][0]["class"] == "Ankle boot"


def test_a_bundle_is_predicted_like_its_model(cli: Cli, runs: Path, bundled: Path) -> None:
    for path, name in ((bundled, "one"), (runs / "article" / "int8.tflite", "two")):
        done = cli("predict", path, "--name", name, "--runs-dir", runs)
        assert done.code == 0, done.err
    one, two = (Predictions.load(Path(f"{name}.predictions.npz")) for name in ("one", "two"))
    assert np.array_equal(one.probabilities, two.probabilities)
    assert one.details["model_sha256"] == two.details["model_sha256"]
    assert one.details["size_bytes"] == two.details["size_bytes"]


def test_a_bundle_is_judged_in_the_chain(cli: Cli, runs: Path, bundled: Path) -> None:
    done = cli("parity", bundled, "--runs-dir", runs, "--json", "--out", "reports")
    assert done.code in (0, 4), done.err
    models = [item["model"] for item in json.loads(done.out)["comparisons"]]
    assert models == ["float32", "shoes"]


def test_a_bundle_of_the_float_model_is_in_the_chain_once(cli: Cli, runs: Path, here: Path) -> None:
    article = runs / "article"
    done = cli("bundle", article / "float32.tflite", "--out", here / "float.edge.zip")
    assert done.code == 0, done.err
    done = cli("parity", "float.edge.zip", "--runs-dir", runs, "--json", "--out", "reports")
    assert done.code in (0, 4), done.err
    assert [item["model"] for item in json.loads(done.out)["comparisons"]] == ["float"]


def test_a_bundle_is_inspected(cli: Cli, bundled: Path, runs: Path) -> None:
    document = json.loads(cli("inspect", bundled, "--json").out)
    assert document["sha256"] == sha256((runs / "article" / "int8.tflite").read_bytes())
    assert document["manifest"]["bundle"]["version"] == 1
    assert document["manifest_error"] is None
    data = bundled.read_bytes()
    assert document["bundle"] == {
        "version": 1,
        "sha256": sha256(data),
        "size_bytes": len(data),
        "golden_vectors": 32,
        "minimum_runtime": {"ai-edge-litert": "2.0", "tflite-runtime": "2.14.0"},
    }
    printed = cli("inspect", bundled).out
    assert "classes     T-shirt/top, " in printed
    assert (
        f"bundle      version 1\n            {len(data):,} bytes, SHA-256 {sha256(data)}\n"
        "golden      32 vectors\n"
        "needs       ai-edge-litert ≥ 2.0 or tflite-runtime ≥ 2.14.0\n"
    ) in printed


def test_a_bundle_that_names_no_runtime_is_inspected(cli: Cli, bundled: Path) -> None:
    def forget(manifest: dict[str, Any]) -> None:
        manifest["minimum_runtime"] = {}

    bundled.write_bytes(edited(bundled.read_bytes(), forget))
    done = cli("inspect", bundled)
    assert done.code == 0, done.err
    assert "needs       no runtime that its manifest names\n" in done.out
    assert json.loads(cli("inspect", bundled, "--json").out)["bundle"]["minimum_runtime"] == {}


def test_a_bundle_is_examined_by_the_doctor(cli: Cli, bundled: Path, runs: Path) -> None:
    done = cli("doctor", bundled, "--runs-dir", runs, "--images", 200, "--json")
    document: dict[str, Any] = json.loads(done.out)
    assert done.code == 0, done.err
    assert document["diagnosis"]["causes"] == []


def test_a_bundle_cannot_be_converted(cli: Cli, bundled: Path) -> None:
    done = cli("convert", bundled, "--quantize", "float32")
    assert done.code == 1
    assert done.err.splitlines()[-1] == (
        f"Error: {bundled}: this is a bundle of a converted model; give the .keras file or the "
        "SavedModel that it was converted from."
    )
    assert [entry.name for entry in Path().iterdir()] == ["shoes.edge.zip"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("classify", "shoes.edge.zip", "boot.png"),
        ("predict", "shoes.edge.zip", "--dataset", "sample"),
        ("parity", "shoes.edge.zip", "--dataset", "sample"),
        ("inspect", "shoes.edge.zip"),
        ("doctor", "shoes.edge.zip", "--dataset", "sample"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_damaged_bundle_is_one_sentence_from_every_command(
    cli: Cli, bundled: Path, runs: Path, arguments: tuple[str, ...]
) -> None:
    data = bytearray(bundled.read_bytes())
    data[len(data) // 2] ^= 1
    bundled.write_bytes(data)
    if arguments[0] == "parity":
        arguments = (*arguments, "--runs-dir", str(runs))
    done = cli(*arguments)
    assert (done.code, done.out) == (1, "")
    assert done.err.count("Error: ") == 1
    assert done.err.splitlines()[-1] == (
        "Error: shoes.edge.zip: this bundle cannot be used: its bytes do not have the SHA-256 that "
        "it ends with: it is damaged, incomplete, or was not made by `fmnist-edge bundle`; copy it "
        "again, or make it again with `fmnist-edge bundle`."
    )


def test_a_bundle_of_another_schema_is_told_apart(cli: Cli, bundled: Path, boot: Path) -> None:
    newer = edited(bundled.read_bytes(), lambda d: d["bundle"].update(schema_version=2))
    bundled.write_bytes(newer)
    done = cli("classify", bundled, boot)
    assert done.code == 1
    assert "its manifest is not one of a bundle of version 1" in done.err


def test_a_bundle_whose_weights_were_changed_with_all_hashes_is_refused(
    cli: Cli, bundled: Path, boot: Path
) -> None:
    from bundles import weights_span

    model = bytearray(read_bundle(bundled.read_bytes()).model)
    start, length = weights_span(bytes(model))
    model[start + length // 2] ^= 0x40
    bundled.write_bytes(rehashed(bundled.read_bytes(), model=bytes(model)))
    done = cli("classify", bundled, boot)
    assert (done.code, done.out) == (1, "")
    assert "golden vectors are not reproduced by ai-edge-litert" in done.err
    assert done.err.endswith("; do not use it here.\n")


def test_a_bundle_runs_on_the_other_runtime(
    bundled: Path, boot: Path, tflite_runtime_python: Path
) -> None:
    child = subprocess.run(
        [str(tflite_runtime_python), "-m", "edge_runtime.cli", "classify", bundled, boot],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert child.returncode == 0, child.stderr
    assert child.stdout.strip().endswith("Ankle boot")
