"""The parts of `scripts/bench-peers` that need no peer's package, and a short run on LiteRT."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from peers.contestants import CONTESTANTS, choose
from peers.results import Result, ratio_in_rounds, spread, table

SCRIPTS = ROOT / "scripts"


def _result(key: str, median: float, precision: str = "int8") -> Result:
    return Result(
        key, key.title(), precision, "1.0", median, median, median, median, 0.5, 0.8, 1.0, 0.0
    )


def test_keys_are_unique_and_only_chooses_by_their_start() -> None:
    keys = [item.key for item in CONTESTANTS]
    assert len(set(keys)) == len(keys)
    assert [item.key for item in choose("ncnn,torch-int8")] == ["ncnn-float32", "torch-int8"]
    assert choose(None) == CONTESTANTS


@pytest.mark.parametrize("names", ["tensorrt", "", "ncnn,,torch"])
def test_an_unknown_name_is_refused_with_the_names_there_are(names: str) -> None:
    with pytest.raises(ValueError, match=r"Expected --only .* onnxruntime-int8"):
        choose(names)


def test_spread_is_the_median_between_the_10th_and_90th_percentile() -> None:
    assert spread([float(value) for value in range(11)]) == (1.0, 5.0, 9.0)


def test_ratio_is_taken_within_a_round_so_that_drift_cancels() -> None:
    assert ratio_in_rounds([10.0, 20.0, 40.0], [20.0, 40.0, 80.0]) == 0.5
    assert ratio_in_rounds([10.0], None) is None


def test_table_has_int8_first_and_the_fastest_first_within() -> None:
    rows = table([_result("a", 9, "float32"), _result("b", 8), _result("c", 7)]).splitlines()[2:]
    assert [row.split("|")[1].strip() for row in rows] == ["C", "B", "A"]


def test_a_short_run_on_litert_answers_as_keras_does(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", "import sys; from edge_runtime.cli import main; main()", "train",
         "--epochs", "1", "--runs-dir", str(tmp_path), "--name", "short"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    out = tmp_path / "out.json"
    done = subprocess.run(
        [sys.executable, "-m", "peers", "--rounds", "2", "--images", "5", "--only",
         "litert-static-float32,fmnist-edge-float32", "--model", str(tmp_path / "short"),
         "--json", str(out)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (SCRIPTS, ROOT)))},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads(out.read_text())
    assert document["missing"] == {}
    assert len(document["results"]) == 2
    for result in document["results"]:
        assert result["same_as_keras"] == 1.0
        assert result["difference"] < 1e-4
        assert result["low"] <= result["median"] <= result["high"]
