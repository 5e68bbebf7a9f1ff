"""`predict`, as it is typed, and `predict_file` behind it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundles import CLASSES
from conftest import Finished

from edge_runtime.data.datasets import Dataset, DatasetSpec, Split, load_dataset
from edge_runtime.data.predictions import Predictions, aligned
from edge_runtime.errors import DatasetError, InputError
from edge_runtime.files.reading import MEBIBYTE, sha256
from edge_runtime.inference import memory
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.confined import ConfinedClassifier
from edge_runtime.inference.evaluation import evaluate, predict_file
from edge_runtime.inference.memory import memory_growth, model_memory

Cli = Callable[..., Finished]
TinyModel = Callable[[str], Path]

DETAILS = [
    "model",
    "model_sha256",
    "source_sha256",
    "size_bytes",
    "scheme",
    "dataset",
    "dataset_fingerprint",
    "split",
    "backend",
    "backend_version",
    "kernels",
    "threads",
    "preprocessing",
    "latency_us",
    "memory_bytes",
    "cpu",
    "machine",
    "system",
    "python",
    "numpy",
    "pillow",
]


def test_what_a_model_says_about_the_test_images_is_stored(
    cli: Cli, here: Path, pictures: Path, tiny_model: TinyModel
) -> None:
    done = cli("predict", tiny_model("int8"), "--dataset", f"folder:{pictures}")
    assert done.code == 0, done.err
    stored = Predictions.load(here / "tiny-int8.predictions.npz")
    dataset = load_dataset(DatasetSpec(f"folder:{pictures}"))
    with Classifier(tiny_model("int8")) as classifier:
        assert np.array_equal(stored.probabilities, classifier.predict(dataset.test.images))
    assert stored.labels.tolist() == dataset.test.labels.tolist()
    assert stored.class_names == CLASSES
    files = {sha256(path.read_bytes()).encode() for path in pictures.glob("test/*/*.png")}
    assert set(stored.image_sha256.tolist()) == files
    assert stored.input_sha256[0].decode() == sha256(dataset.test.images[0].tobytes())
    assert [entry.name for entry in here.iterdir()] == ["tiny-int8.predictions.npz"]


def test_the_summary_says_what_was_measured_and_where_it_is(
    cli: Cli, here: Path, pictures: Path, tiny_model: TinyModel
) -> None:
    done = cli("predict", tiny_model("int8"), "--dataset", f"folder:{pictures}", "--name", "pi")
    stored = Predictions.load(here / "pi.predictions.npz")
    right = int((stored.answers == stored.labels).sum())
    size = tiny_model("int8").stat().st_size
    assert f"model     pi: int8, {size:,} bytes\n" in done.out
    assert f"images    30 test images of folder:{pictures}\n" in done.out
    assert f"right     {right}, {right / 30:.1%} (95 % interval " in done.out
    assert " µs median of one image, 80 % within " in done.out
    assert "kernels   XNNPACK, 4 of 5 operators\n" in done.out
    assert "1 thread\n" in done.out
    assert done.out.endswith("written   pi.predictions.npz\n")


def test_json_has_the_summary_and_every_detail(
    cli: Cli, here: Path, pictures: Path, tiny_model: TinyModel
) -> None:
    options = ("--dataset", f"folder:{pictures}", "--json", "--kernels", "built-in", "--threads", 2)
    done = cli("predict", tiny_model("float32"), *options)
    document = json.loads(done.out)
    stored = Predictions.load(here / "tiny-float32.predictions.npz")
    assert list(document) == ["predictions", "accuracy", "classes_without_images", *DETAILS]
    assert {key: document[key] for key in DETAILS} == stored.details
    assert document["predictions"] == "tiny-float32.predictions.npz"
    assert document["accuracy"]["total"] == document["latency_us"]["n"] == 30
    assert (document["kernels"], document["threads"]) == ("built-in", 2)
    assert document["model_sha256"] == sha256(tiny_model("float32").read_bytes())


def test_the_training_images_are_another_split(
    cli: Cli, here: Path, pictures: Path, tiny_model: TinyModel
) -> None:
    done = cli("predict", tiny_model("int8"), "--dataset", f"folder:{pictures}", "--split", "train")
    assert "images    20 training images of" in done.out
    stored = Predictions.load(here / "tiny-int8.predictions.npz")
    assert (len(stored), stored.details["split"]) == (20, "train")


def test_two_machines_that_resize_differently_still_compare(
    pictures: Path, tiny_model: TinyModel
) -> None:
    dataset = load_dataset(DatasetSpec(f"folder:{pictures}"))
    other = Dataset(
        dataset.name,
        dataset.class_names,
        train=dataset.train,
        test=Split(dataset.test.images ^ 1, dataset.test.labels, dataset.test.source_sha256).take(
            np.arange(30)[::-1]
        ),
    )
    here, there = (predict_file(tiny_model("int8"), each) for each in (dataset, other))
    there = aligned(here, there)
    assert np.array_equal(here.image_sha256, there.image_sha256)
    assert (here.input_sha256 != there.input_sha256).all()


def test_a_bundle_is_predicted_with_its_class_names(
    cli: Cli,
    here: Path,
    pictures: Path,
    tiny_model: TinyModel,
    bundle_of: Callable[[str], bytes],
) -> None:
    (here / "letters.edge.zip").write_bytes(bundle_of("int8"))
    done = cli("predict", "letters.edge.zip", "--dataset", f"folder:{pictures}")
    assert done.code == 0, done.err
    bundled = Predictions.load(here / "letters.predictions.npz")
    bare = predict_file(tiny_model("int8"), load_dataset(DatasetSpec(f"folder:{pictures}")))
    assert np.array_equal(bundled.probabilities, bare.probabilities)
    assert bundled.details["model_sha256"] == bare.details["model_sha256"]


# Where it is written.


def test_predictions_that_are_there_are_kept_unless_forced(
    cli: Cli, here: Path, pictures: Path, tiny_model: TinyModel
) -> None:
    arguments = ("predict", tiny_model("int8"), "--dataset", f"folder:{pictures}", "--name", "x")
    (here / "x.predictions.npz").write_text("mine")
    done = cli(*arguments)
    assert (done.code, done.out) == (1, "")
    assert done.err == ("Error: x.predictions.npz exists; choose another --out, or use --force.\n")
    assert (here / "x.predictions.npz").read_text() == "mine"
    assert cli(*arguments, "--force").code == 0
    assert len(Predictions.load(here / "x.predictions.npz")) == 30


def test_a_folder_takes_the_file_under_its_default_name(
    cli: Cli, here: Path, pictures: Path, tiny_model: TinyModel
) -> None:
    (here / "results").mkdir()
    arguments = ("predict", tiny_model("int8"), "--dataset", f"folder:{pictures}")
    assert cli(*arguments, "--name", "pi/zero", "--out", "results").code == 0
    assert (here / "results" / "pi-zero.predictions.npz").exists()


@pytest.mark.parametrize(
    ("out", "code", "sentence"),
    [
        ("x.npz", 2, "to end in .predictions.npz, as in x.predictions.npz;"),
        ("x", 2, "to end in .predictions.npz, as in x.predictions.npz;"),
        ("none/x.predictions.npz", 1, "There is no folder none; make it, or choose another --out."),
        ("full.predictions.npz/x.predictions.npz", 1, "There is no folder full.predictions.npz;"),
        ("x" * 229 + ".predictions.npz", 1, "cannot be written (File name too long)"),
        ("/proc/x.predictions.npz", 1, "/proc/x.predictions.npz cannot be written ("),
    ],
)
def test_an_impossible_place_is_refused_before_the_model_is_read(
    cli: Cli, here: Path, out: str, code: int, sentence: str
) -> None:
    (here / "full.predictions.npz").write_text("mine")
    done = cli("predict", "there-is-none.tflite", "--dataset", "sample", "--out", out)
    assert (done.code, done.out) == (code, "")
    assert sentence in done.err
    assert [entry.name for entry in here.iterdir()] == ["full.predictions.npz"]


def test_an_interruption_leaves_nothing_behind(
    cli: Cli, here: Path, pictures: Path, tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: Classifier, images: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(ConfinedClassifier, "predict_each", interrupted)
    done = cli("predict", tiny_model("int8"), "--dataset", f"folder:{pictures}")
    assert (done.code, done.err) == (130, "\nInterrupted.\n")
    assert list(here.iterdir()) == []


# What cannot be predicted.


def test_a_class_without_test_images_is_named(
    cli: Cli, here: Path, pictures: Path, tiny_model: TinyModel, tmp_path: Path
) -> None:
    shutil.copytree(pictures, tmp_path / "fewer")
    for name in "cj":
        shutil.rmtree(tmp_path / "fewer" / "test" / name)
    arguments = ("predict", tiny_model("int8"), "--dataset", f"folder:{tmp_path / 'fewer'}")
    done = cli(*arguments)
    assert done.code == 0, done.err
    assert "          none of them is: c, j\n" in done.out
    document = json.loads(cli(*arguments, "--json", "--force").out)
    assert document["classes_without_images"] == ["c", "j"]


def test_a_model_of_other_images_is_refused(cli: Cli, here: Path, tiny_model: TinyModel) -> None:
    done = cli("predict", tiny_model("int8"), "--dataset", "sample")
    assert done.code == 1
    assert "takes images of (8, 8, 1), the dataset 'sample' has (28, 28, 1)" in done.err
    assert list(here.iterdir()) == []


def test_a_model_of_other_classes_is_refused(pictures: Path, tiny_model: TinyModel) -> None:
    dataset = load_dataset(DatasetSpec(f"folder:{pictures}"))
    more = Dataset("more", (*CLASSES, "k"), train=dataset.train, test=dataset.test)
    with pytest.raises(DatasetError, match="knows 10 classes, the dataset 'more' has 11"):
        predict_file(tiny_model("int8"), more)
    with (
        Classifier(tiny_model("int8"), class_names=tuple("bacdefghij")) as classifier,
        pytest.raises(DatasetError, match=r"knows the classes b, a, c, d, e…, .* in this order"),
    ):
        evaluate(classifier, dataset, model="int8")


def test_a_model_that_answers_with_nan_leaves_no_file(
    cli: Cli, here: Path, pictures: Path, changed_model: Any
) -> None:
    def with_nan(model: Any) -> None:
        for buffer in model.buffers:
            if buffer.data is not None and len(buffer.data) >= 40:
                buffer.data = np.full(len(buffer.data) // 4, np.nan, np.float32).view(np.uint8)

    (here / "broken.tflite").write_bytes(changed_model("float32", with_nan))
    done = cli("predict", "broken.tflite", "--dataset", f"folder:{pictures}")
    assert done.code == 1
    assert done.err == "Error: broken.tflite: the model answers with NaN or infinity.\n"
    assert [entry.name for entry in here.iterdir()] == ["broken.tflite"]


def test_without_a_run_the_way_to_name_images_is_shown(
    cli: Cli, here: Path, tiny_model: TinyModel
) -> None:
    done = cli("predict", tiny_model("int8"))
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"Error: {tiny_model('int8')} needs images, and no run provides them; name some with "
        "--dataset, as in --dataset sample. There is no finished run in 'runs'; train one first "
        "with: fmnist-edge train\n"
    )


def test_a_run_that_is_named_and_not_there_is_the_mistake(
    cli: Cli, here: Path, tiny_model: TinyModel
) -> None:
    done = cli("predict", tiny_model("int8"), "--run", "x")
    assert (done.code, done.err) == (1, "Error: There is no run 'x' in 'runs'.\n")


def test_a_model_that_is_not_there_is_said_before_images_are_missed(cli: Cli, here: Path) -> None:
    done = cli("predict", "nothing.tflite")
    assert (done.code, done.err) == (1, "Error: nothing.tflite: there is no such model file.\n")


def test_threads_are_checked_by_the_library_too(pictures: Path, tiny_model: TinyModel) -> None:
    with pytest.raises(InputError, match="threads to be a whole number"):
        predict_file(tiny_model("int8"), load_dataset(DatasetSpec(f"folder:{pictures}")), threads=0)


# The full model.


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small run, trained in a process of its own."""
    pytest.importorskip("tensorflow")
    runs = tmp_path_factory.mktemp("trained") / "runs"
    few = ["--epochs", "1", "--train-size", "100", "--test-size", "300", "--name", "small"]
    command = [sys.executable, "-m", "edge_runtime.cli", "train", "--runs-dir", str(runs)]
    subprocess.run([*command, *few], check=True, capture_output=True)
    return runs / "small"


def test_the_full_model_says_what_its_run_has_stored(cli: Cli, here: Path, trained: Path) -> None:
    done = cli("predict", trained / "model.keras")
    assert done.code == 0, done.err
    assert "latency   not measured: images went in batches" in done.out
    made = Predictions.load(here / "model.predictions.npz")
    stored = Predictions.load(trained / "full.predictions.npz")
    assert made.probabilities.tobytes() == stored.probabilities.tobytes()
    assert np.array_equal(made.input_sha256, stored.input_sha256)
    # All but the name, and the memory, which training would have filled.
    changed = {key for key in DETAILS if made.details[key] != stored.details[key]}
    assert changed == {"model", "memory_bytes"}
    assert list(made.details) == list(stored.details) == DETAILS
    assert stored.details["scheme"] == "keras"
    assert stored.details["memory_bytes"] is None


def test_the_images_are_those_of_the_run_that_the_model_lies_in(
    cli: Cli, here: Path, trained: Path
) -> None:
    assert cli("predict", trained / "model.keras", "--json").code == 0
    elsewhere = shutil.copy(trained / "model.keras", here / "copied.keras")
    assert cli("predict", elsewhere, "--runs-dir", trained.parent).code == 0
    first, second = (
        Predictions.load(here / f"{name}.predictions.npz") for name in ("model", "copied")
    )
    assert len(first) == 300
    assert np.array_equal(first.image_sha256, second.image_sha256)


def test_a_full_model_that_does_not_fit_is_refused(
    cli: Cli, here: Path, trained: Path, pictures: Path
) -> None:
    done = cli("predict", trained / "model.keras", "--dataset", f"folder:{pictures}")
    assert done.code == 1
    assert "the model's input is (28, 28, 1), the images of" in done.err
    assert list(here.iterdir()) == []


def test_what_is_for_tflite_files_is_refused_for_a_full_model(
    cli: Cli, here: Path, trained: Path
) -> None:
    for option in (("--backend", "litert"), ("--kernels", "reference"), ("--threads", 2)):
        done = cli("predict", trained / "model.keras", *option)
        assert done.code == 2
        assert "are for .tflite files; TensorFlow runs the others." in done.err


def test_without_tensorflow_the_pip_line_is_shown(here: Path, trained: Path) -> None:
    code = (
        "import sys; sys.modules['tensorflow'] = None\n"
        "from edge_runtime.cli import run; sys.exit(run(sys.argv[1:]))"
    )
    model = trained / "model.keras"
    child = subprocess.run(
        [sys.executable, "-c", code, "predict", model], capture_output=True, text=True
    )
    assert child.returncode == 1
    assert child.stderr == (
        f"Error: {model}: a .keras model needs TensorFlow and its companions (tensorflow is not "
        "installed); install them from the folder of fmnist-edge with: pip install '.[train]'\n"
    )


# Memory.

on_linux = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="the system does not tell"
)


@on_linux
def test_memory_that_was_given_back_counts_at_its_peak() -> None:
    with memory_growth() as growth:
        assert growth.peak_bytes is None
        np.ones(64 * MEBIBYTE, np.uint8).sum()
    assert growth.peak_bytes is not None
    # A page more or less here and there.
    assert 63 * MEBIBYTE < growth.peak_bytes < 70 * MEBIBYTE


@on_linux
def test_a_model_s_memory_does_not_depend_on_what_ran_before(tiny_model: TinyModel) -> None:
    model = tiny_model("int8").read_bytes()
    first = model_memory(model, backend="litert")
    with Classifier(tiny_model("int8")) as classifier:
        classifier.predict(np.zeros((10, 8, 8, 1), np.uint8))
    second = model_memory(model, backend="litert")
    assert first is not None
    assert second is not None
    assert abs(first - second) < 2 * MEBIBYTE


def test_where_the_system_does_not_tell_memory_is_unknown(
    cli: Cli,
    here: Path,
    pictures: Path,
    tiny_model: TinyModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "_CLEAR_REFS", here / "no" / "clear_refs")
    with memory_growth() as growth:
        pass
    assert growth.peak_bytes is None
    done = cli("predict", tiny_model("int8"), "--dataset", f"folder:{pictures}")
    assert "memory    not measured\n" in done.out


def test_a_broken_tensorflow_is_told_from_a_missing_one() -> None:
    from edge_runtime.errors import extra_missing

    missing = str(extra_missing("This", ModuleNotFoundError("no", name="tensorflow")))
    assert "tensorflow is not installed" in missing
    broken = str(extra_missing("This", ImportError("libfoo.so:\n no such file")))
    assert "cannot be imported (libfoo.so: no such file)" in broken
    assert "--force-reinstall" in broken


def test_a_missing_base_package_is_not_called_tensorflow() -> None:
    from edge_runtime.errors import extra_missing

    said = str(extra_missing("This", ModuleNotFoundError("no", name="PIL")))
    assert said == "This needs pillow, which is not installed; install it with: pip install pillow"


def test_a_name_that_could_steer_a_terminal_is_refused(cli: Cli, tmp_path: Path) -> None:
    done = cli("predict", tmp_path / "int8.tflite", "--name", "int8\x1b[2J")
    assert done.code == 2
    assert "--name must be printable" in done.err
