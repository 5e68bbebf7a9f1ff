"""A short run of `scripts/plant-faults`, whose full run is in docs/numbers.md."""

import subprocess
import sys

from conftest import ROOT

SCRIPT = ROOT / "scripts" / "plant-faults"
KINDS = ("inverted", "labels-reversed", "calibration", "bits-flipped", "batch-norm", "healthy")
OF_WEIGHTS = ("bits-flipped", "batch-norm")


def test_planted_faults_are_named_and_a_healthy_model_is_left_alone() -> None:
    """Without a full model, and with one: faults of weights show only with it."""
    done = subprocess.run(
        [sys.executable, SCRIPT, "--count", "1", "--seed", "1", "--kinds", ",".join(KINDS)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row for row in rows if row and row[0] in KINDS] == [
        [kind, *(["0", "0"] if kind in OF_WEIGHTS else ["1", "1"]), "1", "1"] for kind in KINDS
    ]
