"""The command line as a whole: help, errors, exit codes, what is imported."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, Finished

from edge_runtime import cli as cli_module
from edge_runtime.cli import COMMANDS

Cli = Callable[..., Finished]


def python(code: str, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, **options
    )


def test_help_imports_neither_tensorflow_nor_numpy() -> None:
    code = (
        "import sys; from edge_runtime.cli import run; run(['--help']); "
        "print(sorted({'numpy', 'tensorflow', 'PIL', 'trainer', 'converter'} & set(sys.modules)))"
    )
    assert python(code).stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_needs_no_tensorflow(command: str) -> None:
    code = (
        "import sys; from edge_runtime.cli import run; code = run([sys.argv[1], '--help']); "
        "print(code, 'tensorflow' in sys.modules)"
    )
    done = python(code, command)
    assert done.stdout.splitlines()[-1] == "0 False"
    assert "Usage: fmnist-edge" in done.stdout


def test_classifying_imports_no_tensorflow(run_folder: Path) -> None:
    code = (
        "import sys; from edge_runtime.cli import run; code = run(sys.argv[1:]); "
        "print(code, {'tensorflow', 'keras', 'trainer', 'converter'} & set(sys.modules))"
    )
    picture = next((run_folder / "figures").glob("*.png"))
    done = python(code, "classify", str(run_folder / "int8.tflite"), str(picture))
    assert done.stdout.splitlines()[-1] == "0 set()"


def test_a_current_folder_that_was_deleted_is_said(tmp_path: Path, run_folder: Path) -> None:
    code = (
        "import os, sys; os.rmdir(os.getcwd())\n"
        "from edge_runtime.cli import run; sys.exit(run(sys.argv[1:]))"
    )
    files = (run_folder / "full.predictions.npz", run_folder / "parity" / "int8.predictions.npz")
    for number, arguments in enumerate((("parity", *map(str, files)), ("parity", "--init"))):
        (tmp_path / str(number)).mkdir()
        done = python(
            code,
            *arguments,
            cwd=tmp_path / str(number),
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert done.returncode == 1
        assert done.stderr == (
            "Error: The current folder was deleted; change to one that is there and try again.\n"
        )


@pytest.mark.parametrize("command", ["train", "convert"])
def test_a_missing_extra_is_named_with_its_pip_line(command: str) -> None:
    code = (
        "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None\n"
        "from edge_runtime.cli import run; sys.exit(run(sys.argv[1:]))"
    )
    done = python(code, command, *(["x.keras"] if command == "convert" else []))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"Error: `fmnist-edge {command}` needs TensorFlow")
    assert "pip install '.[train]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_command_is_misuse_and_the_nearest_is_offered(cli: Cli) -> None:
    done = cli("clasify")
    assert done.code == 2
    assert "Did you mean 'classify'?" in done.err


def test_the_version_is_the_package_s(cli: Cli) -> None:
    assert cli("--version").out == "fmnist-edge, version 0.6.0\n"


def test_an_unforeseen_error_is_one_sentence_and_a_traceback_only_on_request(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path) -> None:
        raise ZeroDivisionError("surprise")

    monkeypatch.setattr("edge_runtime.commands.inspect.read_model", broken)
    done = cli("inspect", "x.tflite")
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert "ZeroDivisionError: surprise" in done.err
    with pytest.raises(ZeroDivisionError):
        cli_module.run(["inspect", "x.tflite", "--debug"])


def test_a_full_disk_is_a_sentence(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path) -> None:
        raise OSError(28, os.strerror(28), "/somewhere/report.html")

    monkeypatch.setattr("edge_runtime.commands.inspect.read_model", full)
    done = cli("inspect", "x.tflite")
    assert (done.code, done.err) == (
        1,
        "Error: /somewhere/report.html: No space left on device; free some space and try again.\n",
    )


def test_a_reader_that_leaves_early_causes_no_traceback(run_folder: Path) -> None:
    command = f"{sys.executable} -m edge_runtime.cli inspect --json {run_folder}/int8.tflite"
    done = subprocess.run(["bash", "-c", f"{command} | true"], capture_output=True, text=True)
    assert done.stderr == ""


def test_quiet_leaves_results_and_errors_only(cli: Cli, tmp_path: Path) -> None:
    done = cli("-q", "train", "--epochs", "0", "--runs-dir", tmp_path)
    assert done.code == 0
    assert done.err == ""
    assert done.out.startswith("run ")


def test_the_documented_command_line_is_the_real_one() -> None:
    written = (ROOT / "docs" / "reference" / "cli.md").read_text("utf-8")
    script = [sys.executable, str(ROOT / "scripts" / "write-cli-docs"), "--stdout"]
    now = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    assert written == now, "run scripts/write-cli-docs"


@pytest.mark.parametrize(
    ("asked", "code", "out", "err"),
    [
        ("bash_complete", 0, "plain,classify\n", ""),
        (
            "csh_source",
            1,
            "",
            "Error: _FMNIST_EDGE_COMPLETE is for shell completion; expected bash_source, "
            "zsh_source or fish_source, got 'csh_source'.\n",
        ),
    ],
)
def test_shell_completion_has_an_exit_code_of_its_own(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, asked: str, code: int, out: str, err: str
) -> None:
    monkeypatch.setenv("_FMNIST_EDGE_COMPLETE", asked)
    monkeypatch.setenv("COMP_WORDS", "fmnist-edge cl")
    monkeypatch.setenv("COMP_CWORD", "1")
    done = cli()
    assert (done.code, done.out, done.err) == (code, out, err)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("fmnist-edge ins", ["install", "inspect"]),
        ("fmnist-edge convert --quantize int", ["int8", "int16x8"]),
        ("fmnist-edge convert --io u", ["uint8"]),
        ("fmnist-edge train --model fa", ["fast-cnn"]),
        ("fmnist-edge train --dataset fo", ["folder:"]),
        ("fmnist-edge classify --backend tf", ["tflite-runtime"]),
        ("fmnist-edge parity --backend l", ["litert"]),
        ("fmnist-edge parity --run sh", ["shirts", "shoes"]),
        ("fmnist-edge parity --runs-dir elsewhere --run sh", []),
    ],
)
def test_a_shell_completes_commands_choices_and_names_of_runs(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, here: Path, typed: str, words: list[str]
) -> None:
    for name in ("shoes", "shirts", "bags", ".shelved.partial"):
        (here / "runs" / name).mkdir(parents=True)
        (here / "runs" / name / "config.json").touch()
    (here / "runs" / "shop").mkdir()
    monkeypatch.setenv("_FMNIST_EDGE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(typed.count(" ")))
    assert cli().out.split() == [f"plain,{word}" for word in words]


def test_an_import_that_ctrl_c_ends_is_not_a_broken_installation(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written in C turns a KeyboardInterrupt while it starts into an ImportError."""

    def interrupted(name: str) -> None:
        raise ImportError("initialization failed") from KeyboardInterrupt()

    monkeypatch.setattr("edge_runtime.runtimes.backends.importlib.import_module", interrupted)
    done = cli("classify", ROOT / "tests" / "fixtures" / "tiny-int8.tflite", "x.png")
    assert (done.code, done.err.splitlines()[-1]) == (130, "Interrupted.")


def test_an_error_that_is_its_own_cause_is_told_all_the_same(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(name: str) -> None:
        error = ImportError("no such symbol")
        raise error from error

    monkeypatch.setattr("edge_runtime.runtimes.backends.importlib.import_module", broken)
    done = cli("classify", ROOT / "tests" / "fixtures" / "tiny-int8.tflite", "x.png")
    assert (done.code, "no such symbol" in done.err) == (1, True)
