"""What `parity` demands: its contract and its margins, and what is refused before any work."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Finished

from edge_runtime.data.predictions import Predictions
from edge_runtime.wording import about

Cli = Callable[..., Finished]


@pytest.fixture
def few_images(run_folder: Path, tmp_path: Path) -> list[Path]:
    """The full model's and the int8 file's predictions of the first 150 images."""
    paths = []
    for name in ("full", "parity/int8"):
        whole = Predictions.load(run_folder / f"{name}.predictions.npz")
        part = replace(
            whole,
            **{
                field: getattr(whole, field)[:150]
                for field in ("probabilities", "labels", "image_sha256", "input_sha256")
            },
        )
        paths.append(tmp_path / f"{Path(name).name}.predictions.npz")
        part.save(paths[-1])
    return paths


def test_too_few_images_exit_with_4_and_say_how_many_would_do(
    cli: Cli, few_images: list[Path], tmp_path: Path
) -> None:
    done = cli("parity", *few_images, "--out", tmp_path / "out")
    assert done.code == 4, done.err
    assert "Inconclusive" in done.out
    found = json.loads((tmp_path / "out" / "report.json").read_text())
    needed, least = found["images_needed"], found["images_at_least"]
    wanted = about(needed) if needed else f"at least {least:,}"
    assert wanted in " ".join(done.out.split())


def test_init_writes_a_contract_that_the_run_keeps(
    cli: Cli, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli("parity", "--init").code == 0
    refused = cli("parity", "--init")
    assert refused.code == 1
    assert "--force" in refused.err
    options = ("--contract", "parity.toml", "--runs-dir", run_folder.parent, "--out", "out")
    formats = [
        part for name in ("html", "json", "junit", "markdown") for part in ("--format", name)
    ]
    done = cli("parity", run_folder / "int8.tflite", *options, *formats)
    assert done.code == 0, done.out + done.err
    assert sorted(path.name for path in (tmp_path / "out").glob("report.*")) == [
        "report.html",
        "report.json",
        "report.md",
        "report.xml",
    ]


def test_a_contract_that_is_not_kept_exits_with_3(
    cli: Cli, run_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "parity.toml").write_text("[budgets]\nsize_bytes = 1000\n")
    options = ("--contract", tmp_path / "parity.toml", "--runs-dir", run_folder.parent)
    done = cli("parity", run_folder / "int8.tflite", *options, "--out", tmp_path)
    assert done.code == 3
    assert "above the budget of 1,000" in done.out
    assert "To blame" not in done.out  # no answer is at fault


def test_a_contract_with_a_typo_is_refused_with_its_line_before_any_work(
    cli: Cli, run_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "parity.toml").write_text("[margins]\naccurracy = 0.01\n")
    options = ("--contract", tmp_path / "parity.toml", "--runs-dir", run_folder.parent)
    done = cli("parity", *options, "--out", tmp_path / "out")
    assert done.code == 1
    assert "parity.toml:2" in done.err
    assert "accuracy" in done.err
    assert not (tmp_path / "out").exists()


def test_a_contract_and_a_drop_are_two_answers_to_one_question(cli: Cli, tmp_path: Path) -> None:
    done = cli("parity", "--contract", tmp_path / "parity.toml", "--max-drop", "0.1")
    assert done.code == 2


def test_a_place_that_cannot_be_written_is_refused_before_any_work(
    cli: Cli, run_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("precious")
    options = ("--runs-dir", run_folder.parent, "--out", tmp_path / "file" / "out")
    done = cli("parity", *options)
    assert done.code == 1
    assert "file" in done.err
    assert (tmp_path / "file").read_text() == "precious"
    (tmp_path / "out" / "report.json").mkdir(parents=True)
    (tmp_path / "out" / "report.html").write_text("precious")
    done = cli("parity", "--runs-dir", run_folder.parent, "--out", tmp_path / "out")
    assert done.code == 1
    assert "report.json is a folder; choose another --out." in done.err
    assert (tmp_path / "out" / "report.html").read_text() == "precious"
