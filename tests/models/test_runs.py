import json
import os
import shutil
from pathlib import Path

import pytest

from edge_runtime.data.datasets import DatasetSpec
from edge_runtime.errors import RunError
from edge_runtime.files import writing
from edge_runtime.models.runs import Run, find_run, mark_latest, next_run_name, open_run


@pytest.fixture
def runs_dir(tmp_path):
    return tmp_path / "runs"


def make_run(runs_dir, name, **changes):
    """A finished run's folder with what `open_run` needs."""
    config = {
        "dataset": DatasetSpec("sample", test_size=10).to_dict(),
        "dataset_fingerprint": "0" * 64,
        "model": "post-cnn",
        **changes,
    }
    folder = runs_dir / name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    return Run(folder, config)


# Finding a run.


def test_a_run_is_found_by_its_name_and_by_its_path(runs_dir, tmp_path, monkeypatch):
    run = make_run(runs_dir, "post-cnn-1")
    assert find_run(runs_dir, "post-cnn-1").folder == run.folder
    assert find_run(tmp_path / "elsewhere", str(run.folder)).folder == run.folder
    monkeypatch.chdir(tmp_path)
    assert find_run(tmp_path / "elsewhere", "runs/post-cnn-1").name == "post-cnn-1"


def test_without_a_name_the_latest_is_found_under_its_own_name(runs_dir):
    for name in ("post-cnn-1", "post-cnn-2"):
        mark_latest(make_run(runs_dir, name))
        found = find_run(runs_dir)
        assert (found.name, found.folder) == (name, runs_dir / name)
    assert find_run(runs_dir, "latest").name == "post-cnn-2"
    assert sorted(entry.name for entry in runs_dir.iterdir()) == [
        "latest",
        "post-cnn-1",
        "post-cnn-2",
    ]


def test_without_any_run_the_command_that_makes_one_is_named(runs_dir):
    for _ in range(2):
        with pytest.raises(RunError, match=r"no finished run in .*; train one first with: fmnist"):
            find_run(runs_dir)
        runs_dir.mkdir(exist_ok=True)


def test_a_latest_that_was_deleted_hides_no_other_run(runs_dir):
    runs = [make_run(runs_dir, name) for name in ("first", "second", "third")]
    for age, run in enumerate(reversed(runs)):
        os.utime(run.folder / "config.json", (1e9 - age, 1e9 - age))
    mark_latest(runs[2])
    (runs_dir / ".fourth.partial").mkdir()
    shutil.rmtree(runs[2].folder)
    assert find_run(runs_dir).name == "second"
    (runs_dir / "latest").unlink()
    assert find_run(runs_dir).name == "second"


def test_a_latest_that_was_deleted_counts_as_none_where_there_is_no_other_run(runs_dir):
    run = make_run(runs_dir, "post-cnn-1")
    mark_latest(run)
    shutil.rmtree(run.folder)
    with pytest.raises(RunError, match="There is no finished run in"):
        find_run(runs_dir)


def test_for_an_unknown_run_the_nearest_is_offered_and_never_a_hidden_folder(runs_dir):
    make_run(runs_dir, "post-cnn-1")
    (runs_dir / ".post-cnn-9.partial").mkdir()
    with pytest.raises(RunError, match=r"no run 'postcnn-1' in .* Did you mean 'post-cnn-1'\?"):
        find_run(runs_dir, "postcnn-1")
    with pytest.raises(RunError) as caught:
        find_run(runs_dir, "post-cnn-9.partial")
    assert "'.post" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"dataset": {}}',
        '{"dataset": "sample", "dataset_fingerprint": ""}',
        '{"dataset": null, "dataset_fingerprint": ""}',
        '{"dataset_fingerprint": ""}',
        "\udcff",
        "[" * 100_000,
        '{"dataset": ' + "[" * 5000,
        '{"dataset": {}, "dataset_fingerprint": ' + "9" * 5000 + "}",
    ],
)
def test_a_folder_without_a_readable_configuration_is_no_finished_run(runs_dir, text):
    folder = runs_dir / "post-cnn-1"
    folder.mkdir(parents=True)
    if text is not None:
        (folder / "config.json").write_text(text, "utf-8", "surrogateescape")
    with pytest.raises(
        RunError, match=r"post-cnn-1 is no finished run: its config\.json cannot be"
    ):
        open_run(folder)


# What a run knows.


def test_a_run_says_where_its_files_are(runs_dir):
    run = open_run(make_run(runs_dir, "first").folder)
    assert run.model_path == runs_dir / "first" / "model.keras"
    assert run.predictions_path == runs_dir / "first" / "full.predictions.npz"
    assert run.parity_folder == runs_dir / "first" / "parity"
    assert run.config["model"] == "post-cnn"
    assert run.dataset_spec == DatasetSpec("sample", test_size=10)


def test_the_converted_models_come_the_largest_first(runs_dir):
    run = make_run(runs_dir, "first")
    assert run.converted_models() == []
    for name, size in (("int8", 10), ("float32", 40), ("float16", 20)):
        (run.folder / f"{name}.tflite").write_bytes(bytes(size))
    (run.folder / "int8.manifest.json").write_text("{}")
    assert [path.stem for path in run.converted_models()] == ["float32", "float16", "int8"]


def test_a_run_loads_the_images_that_it_was_made_with(runs_dir, sample):
    spec = DatasetSpec("sample").to_dict()
    run = make_run(runs_dir, "first", dataset=spec, dataset_fingerprint=sample.fingerprint)
    assert open_run(run.folder).load_dataset().fingerprint == sample.fingerprint


def test_a_run_refuses_images_that_have_changed_since(runs_dir):
    run = open_run(make_run(runs_dir, "first").folder)
    with pytest.raises(RunError, match="'sample' are no longer those that first was trained"):
        run.load_dataset()


# Names.


def test_the_next_name_is_larger_than_any_in_use(runs_dir):
    assert next_run_name(runs_dir, "post-cnn") == "post-cnn-1"
    for name in ("post-cnn-2", "post-cnn-10", "post-cnn-x", "post-cnn-²", "post-cnn-tiny-99"):
        (runs_dir / name).mkdir(parents=True)
    assert next_run_name(runs_dir, "post-cnn") == "post-cnn-11"
    assert next_run_name(runs_dir, "other") == "other-1"


def test_a_folder_called_latest_is_kept_and_nothing_temporary_is_left(runs_dir):
    run = make_run(runs_dir, "first")
    (runs_dir / "latest").mkdir()
    with pytest.raises(OSError, match="directory"):
        mark_latest(run)
    assert sorted(entry.name for entry in runs_dir.iterdir()) == ["first", "latest"]


def test_the_link_survives_moving_the_whole_folder(runs_dir, tmp_path):
    mark_latest(make_run(runs_dir, "first"))
    runs_dir.rename(tmp_path / "moved")
    assert find_run(tmp_path / "moved").name == "first"


def test_the_link_is_flushed_to_the_disk(runs_dir, monkeypatch):
    run = make_run(runs_dir, "first")
    flushed = []
    monkeypatch.setattr(writing, "sync", flushed.append)
    mark_latest(run)
    assert flushed == [runs_dir]
    assert (runs_dir / "latest").readlink() == Path("first")


def test_an_unfinished_run_keeps_its_number(tmp_path):
    (tmp_path / "post-cnn-sample-1").mkdir()
    (tmp_path / ".post-cnn-sample-2.partial").mkdir()
    assert next_run_name(tmp_path, "post-cnn-sample") == "post-cnn-sample-3"
