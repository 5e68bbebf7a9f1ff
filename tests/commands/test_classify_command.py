"""`classify`, as it is typed."""

import csv
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Finished
from PIL import Image, ImageOps

from edge_runtime.data.datasets import Dataset
from edge_runtime.inference.classifier import Classifier

Cli = Callable[..., Finished]


@pytest.fixture(scope="module")
def model(run_folder: Path) -> Path:
    return run_folder / "int8.tflite"


@pytest.fixture
def boot(tmp_path: Path, sample: Dataset) -> Path:
    index = int(np.argmax(sample.test.labels == sample.class_names.index("Ankle boot")))
    path = tmp_path / "boot.png"
    Image.fromarray(sample.test.images[index, ..., 0]).save(path)
    return path


def test_a_picture_gets_the_answer_of_its_pixels(cli: Cli, model: Path, boot: Path) -> None:
    with Classifier(model) as classifier:
        expected = classifier.classify(np.asarray(Image.open(boot)))
    done = cli("classify", model, boot)
    assert done.code == 0
    assert done.out == f"{boot}  {expected.confidence:>6.1%}  {expected.label}\n"
    assert expected.label == "Ankle boot"


def test_json_has_the_best_classes_in_order(cli: Cli, model: Path, boot: Path) -> None:
    document = json.loads(cli("classify", model, boot, "--top", 3, "--json").out)
    (result,) = document["results"]
    confidences = [item["confidence"] for item in result["top"]]
    assert len(confidences) == 3
    assert confidences == sorted(confidences, reverse=True)
    assert (result["class"], result["index"]) == ("Ankle boot", 9)
    assert document["backend"].startswith("ai-edge-litert ")


def test_csv_has_a_row_for_each_answer_and_quotes_names(
    cli: Cli, model: Path, boot: Path, tmp_path: Path
) -> None:
    odd = tmp_path / 'odd, "name".png'
    shutil.copy(boot, odd)
    rows = list(csv.DictReader(io.StringIO(cli("classify", model, odd, "--top", 2, "--csv").out)))
    assert [row["rank"] for row in rows] == ["1", "2"]
    assert rows[0]["picture"] == str(odd)
    assert rows[0]["class"] == "Ankle boot"


def test_a_picture_on_white_is_inverted_unless_told_otherwise(
    cli: Cli, model: Path, boot: Path, tmp_path: Path
) -> None:
    white = tmp_path / "white.png"
    ImageOps.invert(Image.open(boot)).save(white)
    plain = json.loads(cli("classify", model, boot, "--json").out)["results"][0]
    turned = json.loads(cli("classify", model, white, "--json").out)["results"][0]
    assert turned["inverted"]
    assert turned["confidence"] == plain["confidence"]
    kept = json.loads(cli("classify", model, white, "--invert", "no", "--json").out)["results"][0]
    assert not kept["inverted"]
    assert kept["confidence"] != plain["confidence"] or kept["class"] != plain["class"]


def test_folders_globs_and_files_are_answered_in_order(
    cli: Cli, model: Path, boot: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures" / "below"
    folder.mkdir(parents=True)
    for name in ("b.png", "a.PNG", ".hidden.png"):
        shutil.copy(boot, folder / name)
    (folder / "notes.txt").write_text("no picture")
    Image.open(boot).save(folder.parent / "c.bmp")
    done = cli("classify", model, folder.parent, str(tmp_path / "bo*.png"), boot, "--json")
    names = [item["picture"] for item in json.loads(done.out)["results"]]
    inside = [folder / "a.PNG", folder / "b.png", folder.parent / "c.bmp"]
    assert names == [str(path) for path in [*inside, boot, boot]]


def test_standard_input_is_read_for_a_dash(model: Path, boot: Path) -> None:
    command = [sys.executable, "-m", "edge_runtime.cli", "classify", str(model), "-", "--json"]
    done = subprocess.run(command, input=boot.read_bytes(), capture_output=True, check=True)
    assert json.loads(done.stdout)["results"][0]["class"] == "Ankle boot"
    empty = subprocess.run(command[:-1], input=b"", capture_output=True)
    assert empty.returncode == 1
    assert empty.stderr.startswith(b"Error: standard input: the file is empty")


def test_good_pictures_are_answered_and_bad_ones_named(
    cli: Cli, model: Path, boot: Path, tmp_path: Path
) -> None:
    bad = {"empty.png": b"", "text.png": b"hello", "cut.png": boot.read_bytes()[:200]}
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
    done = cli("classify", model, *(tmp_path / name for name in bad), "missing.png", boot)
    assert done.code == 1
    assert done.out.count("\n") == 1
    assert "Ankle boot" in done.out
    lines = done.err.splitlines()
    assert len(lines) == 4
    for name in [*bad, "missing.png"]:
        assert sum(name in line for line in lines) == 1
    document = json.loads(cli("classify", model, tmp_path, "--json").out)
    assert sum("error" in item for item in document["results"]) == 3


def test_a_folder_without_pictures_is_an_error(cli: Cli, model: Path, tmp_path: Path) -> None:
    done = cli("classify", model, tmp_path)
    assert (done.code, done.err) == (
        1,
        f"Error: {tmp_path}: there are no pictures in this folder\n",
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no such model file"),
        (b"", "the model file is empty"),
        (b"hello, I am no model at all", "not a .tflite file"),
        ("cut", "damaged"),
    ],
)
def test_a_bad_model_is_one_sentence(
    cli: Cli, model: Path, boot: Path, tmp_path: Path, content: bytes | str | None, words: str
) -> None:
    path = tmp_path / "model.tflite"
    if content is not None:
        path.write_bytes(model.read_bytes()[:20_000] if content == "cut" else bytes(content))
    done = cli("classify", path, boot)
    assert (done.code, done.out) == (1, "")
    assert words in done.err
    assert done.err.count("\n") == 1


def test_a_manifest_of_another_model_is_refused(
    cli: Cli, run_folder: Path, boot: Path, tmp_path: Path
) -> None:
    shutil.copy(run_folder / "int8.tflite", tmp_path / "m.tflite")
    shutil.copy(run_folder / "float32.manifest.json", tmp_path / "m.manifest.json")
    done = cli("classify", tmp_path / "m.tflite", boot)
    assert done.code == 1
    assert "describes another file than m.tflite" in done.err


def test_a_model_alone_numbers_its_classes_and_takes_labels(
    cli: Cli, model: Path, boot: Path, tmp_path: Path, sample: Dataset
) -> None:
    # As of somebody else: one that was made here is refused without its manifest.
    foreign = model.read_bytes().replace(b"By fmnist-edge.", b"By another one.")
    (tmp_path / "alone.tflite").write_bytes(foreign)
    alone = cli("classify", tmp_path / "alone.tflite", boot)
    assert alone.code == 0
    assert alone.out.split()[-1] == "9"
    assert "see --labels" in alone.err
    # As Windows' Notepad writes it, with a byte order mark.
    (tmp_path / "labels.txt").write_text("\n".join(sample.class_names), "utf-8-sig")
    labelled = cli("classify", tmp_path / "alone.tflite", boot, "--labels", tmp_path / "labels.txt")
    assert labelled.out.strip().endswith("Ankle boot")
    (tmp_path / "labels.txt").write_text("one\ntwo\n")
    refused = cli("classify", tmp_path / "alone.tflite", boot, "--labels", tmp_path / "labels.txt")
    assert refused.code == 1
    assert "the model has 10 classes, but 2 class names were given" in refused.err


def test_backends_are_chosen_by_name(cli: Cli, model: Path, boot: Path) -> None:
    answers = {}
    for backend in ("litert", "tensorflow"):
        done = cli("classify", model, boot, "--backend", backend, "--json")
        assert done.code == 0, done.err
        answers[backend] = json.loads(done.out)
        assert "WARNING" not in done.err
    assert answers["tensorflow"]["backend"].startswith("tensorflow ")
    assert answers["litert"]["results"][0]["class"] == answers["tensorflow"]["results"][0]["class"]
    unknown = cli("classify", model, boot, "--backend", "lite")
    assert (unknown.code, "Did you mean 'litert'?" in unknown.err) == (1, True)


def test_an_impossible_file_name_does_not_lose_the_good_answers(
    cli: Cli, model: Path, boot: Path
) -> None:
    done = cli("classify", model, boot, "a" * 300 + ".png")
    assert done.code == 1
    assert "Ankle boot" in done.out
    assert "File name too long" in done.err
