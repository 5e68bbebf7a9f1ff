"""A short run of `scripts/plant-faults`, whose full run is in docs/numbers.md."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

SCRIPTS = ROOT / "scripts"
KINDS = ("inverted", "labels-reversed", "calibration", "bits-flipped", "batch-norm", "healthy")
OF_WEIGHTS = ("bits-flipped", "batch-norm")


def lines(name: str, *arguments: object) -> list[str]:
    command = [sys.executable, SCRIPTS / name, *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A folder of planted files, and what was printed of them."""
    folder = tmp_path_factory.mktemp("planted")
    chosen = ("--count", 1, "--seed", 1, "--kinds", ",".join(KINDS))
    return folder, lines("plant-faults", *chosen, "--keep", folder)


def test_planted_faults_are_named_and_a_healthy_model_is_left_alone(
    planted: tuple[Path, list[str]],
) -> None:
    """Without a full model, and with one: faults of weights show only with it."""
    rows = [line.split() for line in planted[1]]
    assert [row for row in rows if row and row[0] in KINDS] == [
        [kind, *(["0", "0"] if kind in OF_WEIGHTS else ["1", "1"]), "1", "1"] for kind in KINDS
    ]


def test_kept_files_are_judged_with_another_constant(planted: tuple[Path, list[str]]) -> None:
    """No correction takes off twice the loss, so that nothing but the healthy file is right."""
    chosen = ("--kept", planted[0], "--kinds", "inverted,healthy")
    table = lines("measure-constants", *chosen, "LEAST_CUT=2", "_LEAST_IMAGES=20")
    rows = [line.strip("| ").split() for line in table]
    assert ["LEAST_CUT", "|", "2", "|", "0", "|", "0"] in rows
    assert ["_LEAST_IMAGES", "|", "20", "|", "1", "|", "0"] in rows  # a whole number stays one
    assert any(line.startswith("LEAST_CUT = 2: inverted (255 - x)") for line in table)
