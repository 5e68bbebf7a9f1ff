"""What every script in `scripts/` does with its command line; none of them is let measure."""

import json
import os
import re
import subprocess
import sys

import pytest
from conftest import ROOT

# Not held yet to say how long they take and what is wrong in one sentence.
WITHOUT_TIME = {"emulated-pi", "fuzz-loading", "fuzz-readers"}
SCRIPTS = sorted(
    path.name
    for path in (ROOT / "scripts").iterdir()
    if path.is_file() and os.access(path, os.X_OK)
)
PYTHON = [name for name in SCRIPTS if "python3" in (ROOT / "scripts" / name).open().readline()]

# Runs scripts as if each were started by itself, in forks of a process that has loaded what most of
# them import: a fresh Python for each would take half a second. A hook tells what a script writes
# and starts, and that it imports TensorFlow.
RUNNER = """
import json, os, pathlib, runpy, sys
import edge_runtime.benchmarks, edge_runtime.cli, edge_runtime.commands.parity, trainer.recipe
import multiprocessing, subprocess, tempfile, traceback

def hook(event, arguments):
    writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & writes:
        told(event, arguments[0])
    elif event in ("os.mkdir", "os.rename", "os.remove", "subprocess.Popen"):
        told(event, arguments[0])
    elif event == "import" and arguments[0] in ("tensorflow", "keras"):
        told(event, arguments[0])

def told(event, what):
    os.write(2, f"SPY {event} {what}\\n".encode())

place, scripts = pathlib.Path(sys.argv[1]), sys.argv[2]
codes = []
for number, (name, argument) in enumerate(json.loads(sys.argv[3])):
    (place / f"{number}").mkdir()
    child = os.fork()
    if child == 0:
        code = 1
        for stream, suffix in ((1, "out"), (2, "err")):
            os.dup2(os.open(place / f"{number}.{suffix}", os.O_WRONLY | os.O_CREAT), stream)
        os.chdir(place / f"{number}")
        sys.path[0], sys.argv = scripts, [f"{scripts}/{name}", argument]
        sys.addaudithook(hook)
        try:
            runpy.run_path(sys.argv[0], run_name="__main__")
        except SystemExit as end:
            code = end.code or 0
            if isinstance(code, str):
                code = sys.stderr.write(code) and 1
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(json.dumps(codes))
"""


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """How each script ended: exit code, output, errors and new files, by (name, argument)."""
    place = tmp_path_factory.mktemp("scripts")
    pairs = [(name, argument) for name in PYTHON for argument in ("--help", "--nonsense")]
    command = [sys.executable, "-B", "-c", RUNNER, place, ROOT / "scripts", json.dumps(pairs)]
    variables = {**os.environ, "COLUMNS": "100"}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    return {
        pair: (
            code,
            (place / f"{number}.out").read_text(),
            (place / f"{number}.err").read_text(),
            sorted(path.name for path in (place / f"{number}").rglob("*")),
        )
        for number, (pair, code) in enumerate(zip(pairs, json.loads(done.stdout), strict=True))
    }


@pytest.mark.parametrize("name", PYTHON)
def test_help_says_what_a_script_does_and_writes_nothing(name, ended):
    code, out, err, files = ended[name, "--help"]
    err = err if name not in WITHOUT_TIME else ""
    assert (code, err, files) == (0, "", [])
    assert re.match(rf"usage: (scripts/)?{name}", out)
    # Every option says what it is, on its line or on the next.
    for line, after in zip(out.splitlines(), [*out.splitlines()[1:], ""], strict=True):
        if re.match(r"  (-\w, )?--\w", line) and name not in WITHOUT_TIME:
            assert re.search(r"\S  +\w", line) or after.startswith(" " * 10), line


@pytest.mark.parametrize("name", [name for name in SCRIPTS if name not in WITHOUT_TIME])
def test_help_says_how_long_a_script_takes(name, ended, tmp_path):
    if name in PYTHON:
        out = ended[name, "--help"][1]
    else:
        command = [ROOT / "scripts" / name, "--help"]
        out = subprocess.check_output(command, cwd=tmp_path, text=True)
        assert not list(tmp_path.iterdir())
    assert re.search(r"takes?\s.*?(second|minute|hour)", out, re.IGNORECASE | re.DOTALL)


@pytest.mark.parametrize("name", PYTHON)
def test_an_unknown_option_is_refused_before_anything_is_done(name, ended):
    code, out, err, files = ended[name, "--nonsense"]
    said = "".join(line for line in err.splitlines(keepends=True) if not line.startswith("SPY"))
    assert (code, out, files) == (2, "", [])
    assert "--nonsense" in said or "required" in said
    assert "Traceback" not in said
    if name not in WITHOUT_TIME:
        assert said.startswith("Error: ")
        assert err.count("\n") == 1
