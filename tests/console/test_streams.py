"""Standard streams that are closed, full or left; pipes, devices, sockets; folders that hide."""

import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import ROOT, Finished
from PIL import Image

from edge_runtime.commands.answers import Answer
from edge_runtime.commands.classify import find_pictures
from edge_runtime.console.talk import Console
from edge_runtime.data.datasets import DatasetSpec, load_dataset
from edge_runtime.data.images import Preprocessing
from edge_runtime.errors import DatasetError
from edge_runtime.files.listing import expand
from edge_runtime.files.reading import sha256
from edge_runtime.files.writing import to_json, write_atomically
from edge_runtime.models.manifest import Manifest
from trainer.workplace import Workplace, interrupts_kept

Cli = Callable[..., Finished]
TinyModel = Callable[[str], Path]


def shell(line: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a line of bash, in which `$edge` is the program and $1, $2 ... are the arguments."""
    script = f'edge() {{ "{sys.executable}" -m edge_runtime.cli "$@"; }}; {line}'
    return subprocess.run(
        ["bash", "-c", script, "bash", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )


def test_closed_standard_output_is_refused_at_once() -> None:
    done = shell("edge status >&-")
    assert (done.returncode, done.stderr) == (
        1,
        "Error: Standard output is closed, so the result would be lost; send it somewhere, as in "
        "> result.txt or > /dev/null.\n",
    )


@pytest.mark.parametrize("closed", ["2>&-", "<&- 2>&-"])
def test_closed_standard_error_loses_words_but_not_the_exit_code(
    closed: str, tiny_model: TinyModel
) -> None:
    done = shell(f'edge inspect missing.tflite {closed}; echo $?; edge inspect "$1" {closed}',
                 tiny_model("int8"))  # fmt: skip
    assert done.stdout.startswith("1\nmodel  ")
    assert (done.returncode, done.stderr) == (0, "")


def test_all_streams_closed_still_give_the_exit_code() -> None:
    done = shell("edge status <&- >&- 2>&-; code=$?; echo $code")
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_a_file_never_gets_the_number_of_a_closed_stream() -> None:
    code = (
        "import os, sys; from edge_runtime.console.terminal import open_closed_streams\n"
        "open_closed_streams(); first = os.open('/dev/null', os.O_RDONLY)\n"
        "sys.exit(10 * first + bool(os.system('[ -e /dev/fd/0 -a -e /dev/fd/1 -a -e /dev/fd/2 ]')))"
    )
    done = subprocess.run(["bash", "-c", '"$0" -c "$1" <&- >&- 2>&-', sys.executable, code])
    assert done.returncode == 30, "the first file gets number 3, and a child has all streams"


def test_closed_standard_input_is_said_when_a_picture_is_expected_there(
    tiny_model: TinyModel,
) -> None:
    done = shell('edge classify "$1" - <&-', tiny_model("int8"))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "Error: standard input: it is closed; send a picture, as in < picture.png."
    )


def test_a_full_output_is_an_error_and_python_does_not_complain_at_its_end(
    tiny_model: TinyModel,
) -> None:
    done = shell('edge inspect --json "$1" > /dev/full', tiny_model("int8"))
    assert (done.returncode, done.stderr) == (
        1,
        "Error: Standard output cannot be written to (No space left on device), so the result is "
        "not complete; send it elsewhere and try again.\n",
    )


def test_work_goes_on_when_the_terminal_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    controller, terminal = pty.openpty()
    with os.fdopen(terminal, "w") as stream:
        monkeypatch.setattr("sys.stderr", stream)
        with Console().progress(10, "training") as advance:
            advance(1)
            assert b"training" in os.read(controller, 1000)
            os.close(controller)
            time.sleep(0.2)  # click draws no oftener
            advance(9)
        Console().say("done")


def test_json_loses_no_letter_where_output_is_ascii(here: Path, tiny_model: TinyModel) -> None:
    data = tiny_model("int8").read_bytes()
    names = tuple(f"{number} Größe 大 🙂" for number in range(10))
    manifest = Manifest(sha256(data), names, Preprocessing(8, 8, 1), "probabilities")
    (here / "m.tflite").write_bytes(data)
    (here / "m.manifest.json").write_text(to_json(manifest.to_dict()), "utf-8")
    done = shell("PYTHONIOENCODING=ascii edge inspect --json m.tflite")
    assert done.returncode == 0, done.stderr
    assert tuple(json.loads(done.stdout)["manifest"]["class_names"]) == names


def test_a_full_standard_error_changes_no_exit_code() -> None:
    assert shell("edge inspect missing.tflite 2> /dev/full").returncode == 1
    assert shell("edge status --nonsense 2> /dev/full").returncode == 2


@pytest.mark.parametrize("arguments", ['inspect --tensors "$1"', "--help"])
def test_a_reader_that_leaves_ends_the_command_like_sigpipe(
    arguments: str, tiny_model: TinyModel
) -> None:
    # The sleep lets the reader go before the first line is written.
    done = shell(f"(sleep 0.1; edge {arguments}; echo $? >&2) | true", tiny_model("int8"))
    assert done.stderr == "141\n"


def test_the_traceback_of_debug_is_escaped_too() -> None:
    done = shell("edge inspect --debug $'\\e[31m\\n::error::x.tflite'")
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")
    assert "\x1b" not in done.stderr
    assert not any(line.startswith("::") for line in done.stderr.splitlines())


@pytest.fixture
def pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pipe that nobody ever writes to."""
    monkeypatch.setattr("edge_runtime.files.reading._PIPE_PATIENCE_S", 0.05)
    path = tmp_path / "pipe.tflite"
    os.mkfifo(path)
    return path


def test_a_pipe_that_nobody_fills_is_named_wherever_a_file_is_read(
    cli: Cli, pipe: Path, tiny_model: TinyModel, pictures: Path, tmp_path: Path
) -> None:
    model, picture = tiny_model("int8"), pictures / "test" / "a" / "0.png"
    shutil.copy(model, tmp_path / "own.tflite")
    os.mkfifo(tmp_path / "own.manifest.json")
    os.mkfifo(tmp_path / "own.edge.zip")
    os.mkfifo(tmp_path / "own.predictions.npz")
    os.mkfifo(tmp_path / "class_names.txt")
    unread = "it is a pipe, not a file"  # what is looked at in several places of the file
    unfilled = "nothing came out of this pipe for 0.05 s"
    for words, *arguments in (
        (unfilled, "classify", model, pipe),
        (unread, "classify", pipe, picture),
        (unfilled, "classify", tmp_path / "own.tflite", picture),
        (unfilled, "classify", model, picture, "--labels", pipe),
        (unread, "inspect", pipe),
        (unread, "install", tmp_path / "own.edge.zip"),
        (unread, "parity", tmp_path / "own.predictions.npz"),
        (unfilled, "parity", "--contract", pipe),
        (unread, "predict", model, "--dataset", f"images:{pipe}"),
    ):
        done = cli(*arguments)
        assert done.code == 1, arguments
        assert words in done.err, arguments


def test_devices_and_sockets_are_no_files(
    cli: Cli, tiny_model: TinyModel, here: Path, pictures: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.png")
        for name, reason in (
            ("/dev/null", "it is a device, not a file"),
            ("/dev/zero", "it is a device, not a file"),
            ("socket.png", "No such device or address"),
        ):
            done = cli("classify", tiny_model("int8"), name)
            assert done.code == 1
            assert done.err.endswith(f"Error: {name}: it cannot be read ({reason}).\n")


def test_a_device_a_pipe_and_a_socket_are_not_replaced_by_a_file(pipe: Path) -> None:
    with pytest.raises(OSError, match="it is a device, a pipe or a socket"):
        write_atomically(pipe, b"")
    assert pipe.is_fifo()


@pytest.fixture
def closed_folder() -> Iterator[Path]:
    """A folder with a picture, and one below that its user may not list."""
    with tempfile.TemporaryDirectory(prefix="fmnist-edge-tests-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for part in ("a", "b", "b/closed"):
            (folder / part).mkdir()
            Image.new("L", (8, 8)).save(folder / part / "x.png")
        (folder / "b" / "closed").chmod(0)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)  # root may list everything
        try:
            yield folder
        finally:
            os.seteuid(user)


@pytest.mark.parametrize("pattern", ["", "/**/*.png", "/b/*/*.png", "/b/*/x.png"])
def test_a_folder_that_cannot_be_listed_is_named(closed_folder: Path, pattern: str) -> None:
    answers = list(find_pictures((f"{closed_folder}{pattern}",)))
    found = [answer for answer in answers if isinstance(answer, str)]
    below = [f"{closed_folder}/{part}/x.png" for part in ("a", "b")]
    assert found == (below if pattern in ("", "/**/*.png") else [])
    (unlisted,) = [answer for answer in answers if isinstance(answer, Answer)]
    assert unlisted.picture.startswith(f"{closed_folder}/b/closed")
    assert unlisted.error == "it cannot be looked into (Permission denied)"


def test_a_dataset_with_a_folder_that_cannot_be_listed_is_refused(closed_folder: Path) -> None:
    with pytest.raises(DatasetError, match=r"b/closed: this folder cannot be listed \(Permission"):
        load_dataset(DatasetSpec(f"folder:{closed_folder}"))


def test_links_of_folders_to_themselves_end(here: Path) -> None:
    (here / "a" / "b").mkdir(parents=True)
    for name in ("a/x.png", "a/b/y.png", "a/.z.png"):
        (here / name).touch()
    for number in range(8):  # 8 to the power of 40 paths, until the system says that it is enough
        (here / "a" / f"again-{number}").symlink_to("../a")
    (here / "a" / "circle.png").symlink_to("circle.png")
    (here / "elsewhere").mkdir()
    (here / "elsewhere" / "w.png").touch()
    (here / "a" / "out").symlink_to("../elsewhere")
    expected = ["a/b/y.png", "a/circle.png", "a/out/w.png", "a/x.png"]
    assert expand("a/**/*.png", pytest.fail) == expected
    assert expand(f"{here}/a/**/*.png", pytest.fail) == [f"{here}/{name}" for name in expected]
    assert expand("a/**", pytest.fail) == expected
    assert expand("**/[xy].png", pytest.fail) == ["a/b/y.png", "a/x.png"]
    assert expand("a/b/../x.pn?", pytest.fail) == ["a/b/../x.png"]
    assert expand("a/.z*", pytest.fail) == ["a/.z.png"]
    found = list(find_pictures(("a",)))
    assert found == ["a/b/y.png", "a/circle.png", "a/x.png"], "links to folders are not followed"
    assert list(find_pictures((".",))) == [*found, "elsewhere/w.png"]


def test_a_signal_that_is_ignored_from_the_start_stays_ignored(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts_kept(Workplace(tmp_path), Console().say):
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999"])
def test_what_is_no_finite_number_is_misuse(cli: Cli, value: str) -> None:
    for arguments in (
        ("parity", "--max-drop", value),
        ("train", "--learning-rate", value),
        ("train", "--weight-decay", value),
        ("train", "--rescale", value),
        ("train", "--dropout", value),
    ):
        done = cli(*arguments)
        assert done.code == 2, arguments
        assert done.err.startswith("Usage: fmnist-edge ")


@pytest.mark.parametrize(
    "option",
    [("classify", "x.tflite", "x.png", "--top"), ("train", "--seed"), ("convert", "--seed")],
)
def test_a_number_beyond_all_libraries_is_misuse(cli: Cli, option: tuple[str, ...]) -> None:
    done = cli(*option, str(2**31))
    assert done.code == 2
    assert done.err.endswith("2147483648 is larger than 2,147,483,647.\n")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("'", "FMNIST_EDGE_SSH is no command line (No closing quotation)"),
        ("/", "'/' cannot be started (Permission denied)"),
        ("/missing/program", "There is no program '/missing/program' here"),
    ],
)
def test_an_odd_name_of_ssh_is_a_sentence(
    cli: Cli, here: Path, monkeypatch: pytest.MonkeyPatch, value: str, words: str
) -> None:
    monkeypatch.setenv("FMNIST_EDGE_SSH", value)
    done = cli("deploy", "--no-bundle", "pi@raspberrypi")
    assert done.code == 1
    assert words in done.err.splitlines()[-1]


def test_a_command_that_takes_too_long_is_killed_with_its_children(tmp_path: Path) -> None:
    script = (
        f'. "{ROOT}/scripts/environment"; '
        f"with_limit 0.3s bash -c 'sleep 60 & echo $! > {tmp_path}/child; wait'"
    )
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30,
    )  # fmt: skip
    assert done.returncode == 124
    assert done.stderr.startswith("Error: this took longer than 0.3s and was killed: bash -c sleep")
    status = Path(f"/proc/{(tmp_path / 'child').read_text().strip()}/status")
    assert not status.exists() or "\nState:\tZ" in status.read_text()


def test_odd_values_of_every_option_end_with_a_sentence() -> None:
    light = "classify,predict,parity,benchmark,bundle,deploy,install,rollback,status,selftest"
    command = [sys.executable, ROOT / "scripts" / "try-odd-inputs", "--count", "20", "--seed", "0"]
    done = subprocess.run(
        [*command, "--commands", f"{light},inspect,doctor"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("20 trials, 0 failed; ")
