"""A short run of `scripts/fuzz-readers`, whose long runs are in docs/explanation/bundle.md."""

import re
import subprocess
import sys

import pytest
from conftest import ROOT

pytest.importorskip("ai_edge_litert")


def test_no_hostile_file_takes_much_memory_or_raises_another_error():
    command = [sys.executable, str(ROOT / "scripts" / "fuzz-readers"), "--seed", "3", "--jobs", "2"]
    # The crafted files of hundreds of megabytes take a minute to make.
    command += ["--damaged-only", "--pictures", "60", "--bundles", "20", "--predictions", "30"]
    command += ["--images", "5", "--idx", "15"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("\n130 files, seed 3: 0 broken promises\n")
    rows = re.findall(
        r"^\| (\w+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|", done.stdout, re.MULTILINE
    )
    assert [(kind, int(files)) for kind, files, *_ in rows] == [
        ("picture", 60),
        ("bundle", 20),
        ("predictions", 30),
        ("images", 5),
        ("idx", 15),
    ]
    assert all(int(refused) + int(accepted) == int(files) for _, files, refused, accepted in rows)
