import errno
import fcntl
import hashlib
import json
import math
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edge_runtime.files import folders, writing
from edge_runtime.files.folders import put_folder_in_place, recover_folder
from edge_runtime.files.reading import MEBIBYTE, read_capped, resolved, sha256
from edge_runtime.files.writing import (
    refuse_unwritable_folder,
    switch_link,
    temporary_path,
    write_atomically,
    write_json_atomically,
    write_together,
)


def content(folder):
    """Every file below a folder, hidden ones too, with its bytes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def full_disk(*arguments):
    raise OSError(errno.ENOSPC, "No space left on device")


def interrupted(*arguments):
    raise KeyboardInterrupt


def test_sha256_is_the_known_hash():
    # FIPS 180-2, appendix B.1.
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(b"abc") == sha256(memoryview(b"abc")) == known


def test_a_file_is_read_up_to_the_limit_and_refused_above_it(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(2 * MEBIBYTE))
    assert len(read_capped(path, limit_bytes=2 * MEBIBYTE)) == 2 * MEBIBYTE
    path.write_bytes(bytes(2 * MEBIBYTE + 1))
    with pytest.raises(ValueError, match="it is larger than 2 MiB"):
        read_capped(path, limit_bytes=2 * MEBIBYTE)


def test_a_limit_beyond_the_size_of_a_pointer_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(b"small")
    # Predictions may have 4 GiB; a 32-bit Python cannot ask for that at once.
    assert read_capped(tmp_path / "small", limit_bytes=2**80) == b"small"


@pytest.mark.parametrize("data", [b"", b"\x00\xff" * 1000, "Größe: 28 × 28\n"])
def test_a_file_is_written_and_replaced_whole_and_nothing_else_is_left(tmp_path, data):
    path = tmp_path / "out.bin"
    for _ in range(2):
        write_atomically(path, data)
        expected = data.encode() if isinstance(data, str) else data
        assert content(tmp_path) == {"out.bin": expected}


def test_a_new_file_has_the_permissions_of_any_other(tmp_path):
    write_atomically(tmp_path / "ours", b"1")
    (tmp_path / "usual").write_bytes(b"1")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ours", "usual")}
    assert len(modes) == 1


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("fail", [full_disk, interrupted])
def test_an_interrupted_write_leaves_the_old_content_and_no_temporary_file(
    tmp_path, monkeypatch, step, fail
):
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    monkeypatch.setattr(writing.os, step, fail)
    with pytest.raises((OSError, KeyboardInterrupt)):
        write_atomically(path, b"new")
    assert content(tmp_path) == {"out.bin": b"old"}


@pytest.mark.parametrize("fail", [full_disk, interrupted])
def test_of_several_files_none_is_replaced_when_one_cannot_be_written(tmp_path, monkeypatch, fail):
    (tmp_path / "b").mkdir()
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(IsADirectoryError) as caught:
        write_together({tmp_path / "a": b"new", tmp_path / "b": b"new"})
    assert caught.value.filename == str(tmp_path / "b")
    assert content(tmp_path) == {"a": b"old"}
    calls = iter([os.fsync, fail])
    monkeypatch.setattr(writing.os, "fsync", lambda descriptor: next(calls)(descriptor))
    with pytest.raises((OSError, KeyboardInterrupt)):
        write_together({tmp_path / "a": b"new", tmp_path / "c": b"new"})
    assert content(tmp_path) == {"a": b"old"}


def test_a_folder_that_only_seems_writable_is_refused(tmp_path):
    refuse_unwritable_folder(tmp_path / "not" / "there" / "yet")
    assert content(tmp_path) == {}
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    for folder in (
        Path("/proc/reports"),
        tmp_path / "nowhere",
        tmp_path / "nowhere" / "out",
        tmp_path / ("x" * 300),
    ):
        with pytest.raises(OSError):  # noqa: PT011
            refuse_unwritable_folder(folder)


# A limit on the size of files is a full disk without a disk: the kernel refuses the rest.
AT_THE_LIMIT = """
import resource, signal, sys
from pathlib import Path
from edge_runtime.files.writing import write_atomically
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    write_atomically(Path(sys.argv[1]), bytes(1_000_000))
except OSError as error:
    print(error.errno, error.filename)
"""


def test_a_write_that_the_system_cuts_off_leaves_the_old_content(tmp_path):
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    child = subprocess.run(
        [sys.executable, "-c", AT_THE_LIMIT, str(path)], capture_output=True, text=True, check=True
    )
    assert child.stdout == f"{errno.EFBIG} {path}\n"
    assert content(tmp_path) == {"out.bin": b"old"}


def test_the_error_names_the_file_that_was_asked_for_and_not_the_temporary_one(tmp_path):
    for path in (tmp_path / "none" / "out.bin", tmp_path / "file" / "out.bin"):
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(OSError, match=r"out\.bin") as caught:
            write_atomically(path, b"new")
        assert caught.value.filename == str(path)
        assert ".tmp" not in str(caught.value)


def test_a_folder_is_not_replaced_by_a_file(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path / "out", b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_json_is_readable_and_keeps_letters_of_all_languages(tmp_path):
    path = tmp_path / "out.json"
    write_json_atomically(path, {"classes": ["Stiefelette für Füße", "靴"]})
    text = path.read_text("utf-8")
    assert json.loads(text) == {"classes": ["Stiefelette für Füße", "靴"]}
    assert "靴" in text
    assert text.endswith("}\n")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_json_with_what_other_parsers_refuse_is_not_written(tmp_path, value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json_atomically(tmp_path / "out.json", {"loss": value})
    assert content(tmp_path) == {}


# Folders.


def in_the_way(tmp_path, kind):
    target = tmp_path / "target"
    if kind == "folder":
        target.mkdir()
        (target / "old").write_bytes(b"old")
    elif kind == "file":
        target.write_bytes(b"old")
    elif kind == "link":
        (tmp_path / "elsewhere").mkdir()
        target.symlink_to(tmp_path / "elsewhere")
    return target


@pytest.fixture
def source(tmp_path):
    """A folder that is to be put in place."""
    source = tmp_path / ".source"
    source.mkdir()
    (source / "new").write_bytes(b"new")
    return source


@pytest.mark.parametrize("kind", ["nothing", "folder", "file", "link"])
def test_a_folder_takes_the_place_of_whatever_was_there_and_leaves_nothing_aside(
    tmp_path, source, kind
):
    target = in_the_way(tmp_path, kind)
    put_folder_in_place(source, target)
    assert content(tmp_path) == {"target/new": b"new"}
    left = {entry.name for entry in tmp_path.iterdir()}
    assert left == ({"target", "elsewhere"} if kind == "link" else {"target"})


def cannot_exchange(one, other):
    return False


@pytest.mark.parametrize("exchange", [full_disk, cannot_exchange])
def test_when_the_new_folder_cannot_be_put_in_place_the_old_one_comes_back(
    tmp_path, source, monkeypatch, exchange
):
    target = in_the_way(tmp_path, "folder")
    rename = writing.Path.rename

    def refuse_the_new(path, to):
        return full_disk() if path == source else rename(path, to)

    monkeypatch.setattr(folders, "exchange", exchange)
    monkeypatch.setattr(writing.Path, "rename", refuse_the_new)
    with pytest.raises(OSError, match="No space left"):
        put_folder_in_place(source, target)
    assert content(tmp_path) == {".source/new": b"new", "target/old": b"old"}


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_a_folder_is_replaced_where_the_file_system_cannot_exchange_names(
    tmp_path, source, monkeypatch, kind
):
    monkeypatch.setattr(folders, "exchange", cannot_exchange)
    target = in_the_way(tmp_path, kind)
    put_folder_in_place(source, target)
    assert content(tmp_path) == {"target/new": b"new"}


def test_at_no_moment_of_an_exchange_is_the_target_missing(tmp_path, source, monkeypatch):
    target = in_the_way(tmp_path, "folder")
    renamed = []
    monkeypatch.setattr(writing.Path, "rename", lambda *names: renamed.append(names))
    put_folder_in_place(source, target)
    assert renamed == []
    assert content(tmp_path) == {"target/new": b"new"}


def test_a_folder_that_was_set_aside_comes_back_or_goes(tmp_path):
    (tmp_path / ".target.old").mkdir()
    recover_folder(tmp_path / "target")
    assert [entry.name for entry in tmp_path.iterdir()] == ["target"]
    (tmp_path / ".target.old").mkdir()
    recover_folder(tmp_path / "target")
    assert [entry.name for entry in tmp_path.iterdir()] == ["target"]


# What killed processes left.


def test_what_a_killed_writer_left_goes_with_the_next_write(tmp_path):
    temporary_path(tmp_path / "out").write_bytes(b"half")
    write_atomically(tmp_path / "out", b"new")
    assert content(tmp_path) == {"out": b"new"}
    temporary_path(tmp_path / "latest").symlink_to("half")
    switch_link(tmp_path / "latest", Path("out"))
    refuse_unwritable_folder(tmp_path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["latest", "out"]


def test_the_temporary_file_of_a_living_writer_is_waited_for(tmp_path):
    temporary = temporary_path(tmp_path / "out")
    living = os.open(temporary, os.O_WRONLY | os.O_CREAT)
    fcntl.flock(living, fcntl.LOCK_EX)
    waiting = threading.Thread(
        target=write_atomically, args=(tmp_path / "out", b"second"), daemon=True
    )
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive()
    assert content(tmp_path) == {".out.tmp": b""}
    os.write(living, b"first")
    temporary.rename(tmp_path / "out")
    os.close(living)
    waiting.join(20)
    assert content(tmp_path) == {"out": b"second"}


def test_every_file_and_folder_is_flushed_before_the_folder_is_put_in_place(tmp_path, monkeypatch):
    source = tmp_path / "source"
    (source / "figures").mkdir(parents=True)
    (source / "figures" / "a.png").write_bytes(b"a")
    flushed = []
    monkeypatch.setattr(
        writing.os,
        "fsync",
        lambda descriptor: flushed.append(str(Path(f"/proc/self/fd/{descriptor}").readlink())),
    )
    put_folder_in_place(source, tmp_path / "target")
    assert set(flushed) == {
        str(path) for path in (source, source / "figures", source / "figures" / "a.png", tmp_path)
    }


def test_two_writers_at_once_do_not_disturb_each_other(tmp_path):
    path = tmp_path / "out"
    code = (
        "import sys; from pathlib import Path\n"
        "from edge_runtime.files.writing import write_atomically\n"
        "for _ in range(50): write_atomically(Path(sys.argv[1]), sys.argv[2].encode() * 50_000)"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path), letter]) for letter in "ab"]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        if path.exists():
            seen.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert [writer.returncode for writer in writers] == [0, 0]
    assert seen <= {hashlib.sha256(letter * 50_000).hexdigest() for letter in (b"a", b"b")}
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_a_path_that_leads_in_a_circle_or_to_nobody_is_left_for_who_opens_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("circle").symlink_to("circle")
    assert resolved("circle") == tmp_path / "circle"
    assert resolved("~nobody-of-this-name/x") == tmp_path / "~nobody-of-this-name" / "x"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert resolved("~/runs/../x") == tmp_path / "home" / "x"
