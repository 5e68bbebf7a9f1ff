import fcntl
import os

import pytest

from edge_runtime.errors import ConversionError
from edge_runtime.files.claims import claimed


@pytest.fixture
def claim(tmp_path):
    return tmp_path / ".made.unfinished"


@pytest.fixture
def claiming(claim, tmp_path):
    """`claiming("a", "b")` claims these files; the claim is held within a `with`."""

    def start(*names, replace=False):
        return claimed(
            claim,
            [tmp_path / name for name in names],
            replace=replace,
            error=ConversionError,
            advice="go away",
        )

    return start


def killed_while(claim, *names):
    """What a process leaves that was killed after it had claimed these files."""
    claim.write_bytes(b"".join(f"{name}\0".encode() for name in names))


def test_a_claim_is_gone_when_the_files_are_made(claim, claiming, tmp_path):
    with claiming("a", "b"):
        assert claim.read_bytes() == b"a\0b\0"
        (tmp_path / "a").write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_files_that_are_there_are_refused_unless_they_may_be_replaced(claiming, tmp_path):
    (tmp_path / "a").write_text("mine")
    with pytest.raises(ConversionError, match=r"a exists; go away\."), claiming("a", "b"):
        pass
    with claiming("a", "b", replace=True):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_a_killed_process_had_claimed_may_be_replaced_and_nothing_else(
    claim, claiming, tmp_path
):
    killed_while(claim, "a")
    (tmp_path / "a").write_text("made, or half of it")
    (tmp_path / "b").write_text("mine")
    with pytest.raises(ConversionError, match="b exists"), claiming("a", "b"):
        pass
    with claiming("a", "c"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_the_second_of_two_processes_gets_a_sentence(claim, claiming, tmp_path):
    descriptor = os.open(claim, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with (
        pytest.raises(ConversionError, match="Another fmnist-edge is making files in"),
        claiming("a"),
    ):
        pass
    assert claim.exists()
    os.close(descriptor)


def test_a_failure_before_anything_was_made_leaves_no_claim(claiming, tmp_path):
    with pytest.raises(KeyboardInterrupt), claiming("a"):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_failure_after_something_was_made_leaves_the_claim_for_the_repetition(claiming, tmp_path):
    def break_the_disk():
        with claiming("a", "b"):
            (tmp_path / "a").write_text("made")
            raise OSError("the disk broke")

    with pytest.raises(OSError, match="disk"):
        break_the_disk()
    with claiming("a", "b"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
