"""Many pictures: the same in several processes as in one, in their order."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edge_runtime.data.images import Picture, Preprocessing, read_picture, try_picture
from edge_runtime.errors import PictureError
from edge_runtime.inference import picture_reading
from edge_runtime.inference.picture_reading import read_pictures

GREY = Preprocessing(8, 8, 1, background="dark")
COUNT = 150


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Pictures dark and light, and among them some that cannot be read; one has an odd name."""
    folder = tmp_path_factory.mktemp("mixed")
    rng = np.random.default_rng(0)
    for number in range(COUNT):
        pixels = (rng.integers(0, 100, (8, 8)) + 155 * (number % 2)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:03}.png")
    (folder / "040.png").write_bytes(b"no picture")
    (folder / "041.png").unlink()
    (folder / "042.png").rename(folder / "042\udcff.png")
    return [*map(str, sorted(folder.iterdir())), str(folder / "041.png")]


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Three workers from the second picture on, whatever the machine; and their numbers."""
    started: list[int] = []

    class Counted(picture_reading.Worker):
        def __init__(self, make: Any) -> None:
            super().__init__(make)
            started.append(self._process)

    monkeypatch.setattr(picture_reading, "_ALONE_SECONDS", 0.0)
    monkeypatch.setattr(picture_reading, "_worker_count", lambda: 3)
    monkeypatch.setattr(picture_reading, "Worker", Counted)
    monkeypatch.setattr(picture_reading, "_CHUNK_SECONDS", 0.002)
    yield started
    for process in started:
        with pytest.raises(ChildProcessError):
            os.waitpid(process, os.WNOHANG)  # each was ended and waited for


def test_processes_give_what_one_gives_in_the_same_order(
    mixed: list[str], processes: list[int]
) -> None:
    reads = list(read_pictures(mixed, GREY))
    assert len(processes) == 3
    for path, read in zip(mixed, reads, strict=True):
        if isinstance(read, PictureError):
            with pytest.raises(PictureError, match=re.escape(str(read))):
                read_picture(path, GREY)
        else:
            alone = read_picture(path, GREY)
            assert read.inverted == alone.inverted
            assert np.array_equal(read.pixels, alone.pixels)
    assert sum(isinstance(read, PictureError) for read in reads) == 2


def test_a_picture_that_ends_a_process_is_named_and_the_others_are_read(
    mixed: list[str], processes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = os.getpid()

    def deadly(picture: str, *arguments: Any, **options: Any) -> Picture | PictureError:
        if picture.endswith("077.png") and os.getpid() != parent:
            os.kill(os.getpid(), 9)
        return try_picture(picture, *arguments, **options)

    monkeypatch.setattr(picture_reading, "try_picture", deadly)
    reads = list(read_pictures(mixed, GREY))
    failed = [str(read) for read in reads if isinstance(read, PictureError)]
    assert len(reads) == len(mixed)
    assert len(failed) == 3
    assert (
        "077.png: the process that decoded it has died; save it again, or remove it." in failed[1]
    )


def test_whoever_stops_early_leaves_no_process(mixed: list[str], processes: list[int]) -> None:
    reads = read_pictures(mixed, GREY)
    for _ in range(20):
        next(reads)
    reads.close()  # type: ignore[attr-defined]
    assert len(processes) == 3


def test_a_few_pictures_and_standard_input_start_no_process(
    mixed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_reading, "Worker", lambda make: pytest.fail("a process"))
    assert len(list(read_pictures(mixed[:3], GREY))) == 3
    monkeypatch.setattr(picture_reading, "_ALONE_SECONDS", 0.0)
    monkeypatch.setattr(picture_reading, "_worker_count", lambda: 3)
    reads = list(read_pictures([mixed[0], "-", mixed[1]], GREY))
    assert isinstance(reads[2], Picture)


def test_chunks_fit_into_half_a_pipe() -> None:
    names = ["x" * 4000] * 50 + ["y"] * 200
    chunks = list(picture_reading._chunks(names, 64))
    assert [name for chunk in chunks for name in chunk] == names
    assert max(len(chunk) for chunk in chunks) == 64
    assert max(len("\0".join(chunk)) for chunk in chunks) <= 24 * 1024 + 64


def test_little_memory_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_: "MemTotal: 9 kB\nMemAvailable: 300000 kB\n")
    assert picture_reading._worker_count() == 1
