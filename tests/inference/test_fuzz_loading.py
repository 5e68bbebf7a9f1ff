"""A short run of `scripts/fuzz-loading`, whose long runs are in docs/explanation/bundle.md."""

import re
import subprocess
import sys

import pytest
from conftest import ROOT

pytest.importorskip("ai_edge_litert.schema_py_generated")
pytest.importorskip("flatbuffers")


def fuzz(*arguments):
    command = [sys.executable, str(ROOT / "scripts" / "fuzz-loading"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_no_damaged_file_is_accepted_or_ends_the_process():
    done = fuzz("--count", 300, "--seed", 5, "--jobs", 2)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("\n300 verdicts, seed 5: 0 broken promises\n")
    totals = re.search(
        r"^\| all \|  \| 300 \| (\d+) \| (\d+) \| (\d+) \|", done.stdout, re.MULTILINE
    )
    assert totals is not None
    refused, accepted, in_child = map(int, totals.groups())
    assert refused + accepted == 300
    assert in_child > 5


def test_a_bundle_is_refused_with_any_byte_changed(tmp_path, bundle_of):
    path = tmp_path / "tiny.edge.zip"
    path.write_bytes(bundle_of("int8"))
    size = len(bundle_of("int8"))
    done = fuzz("--exhaustive", "--one-value", "--jobs", 2, path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(
        f"tiny.edge.zip: {size:,} bytes, {size:,} changed bundles, 0 not refused;"
    )


def test_only_bundles_are_damaged(tmp_path, bundle_of):
    path = tmp_path / "x.zip"
    path.write_bytes(bundle_of("int8"))
    done = fuzz("--count", 1, path)
    assert done.returncode == 2
    assert "expected bundles (.edge.zip)" in done.stderr
