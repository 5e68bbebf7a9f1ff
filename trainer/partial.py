"""The folder in which a training works, hidden beside the run that it makes.

    runs/.NAME.partial/config.json       what was asked for; written when all below is there
    runs/.NAME.partial/initial.keras     the untrained model
    runs/.NAME.partial/checkpoint.npz    the state after the last whole epoch
    runs/.NAME.partial/run/              what becomes runs/NAME
    runs/.NAME.finished/                 the same folder while it is deleted, at the very end

Whoever trains holds a lock on the folder, which the system releases when the process is killed. As
long as the folder has its first name the training can go on from it; when it has the second the run
is in place and `latest` points to it. So the same command, repeated, ends where it would have.
"""

import contextlib
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from edge_runtime.errors import RunError
from edge_runtime.files.documents import parse_object
from edge_runtime.files.folders import recover_folder, remove
from edge_runtime.files.locks import is_at, is_locked, lock
from edge_runtime.files.reading import MEBIBYTE, read_capped
from edge_runtime.files.writing import sync

CONFIG = "config.json"
CHECKPOINT = "checkpoint.npz"
INITIAL_MODEL = "initial.keras"
RESULT = "run"

_PARTIAL, _FINISHED = ".partial", ".finished"


def partial_folder(target: Path) -> Path:
    """Return where a training works until its run is finished."""
    return target.with_name(f".{target.name}{_PARTIAL}")


def finished_folder(target: Path) -> Path:
    """Return what `partial_folder` is called when its run is in place."""
    return target.with_name(f".{target.name}{_FINISHED}")


def target_of(folder: Path) -> Path:
    """Return which run a partial or finished folder belongs to."""
    stem = folder.name.removesuffix(_PARTIAL).removesuffix(_FINISHED)
    return folder.with_name(stem.removeprefix("."))


def is_resumable(folder: Path) -> bool:
    """Return whether a training can go on in a partial folder."""
    return (folder / CONFIG).is_file()


def targets_in(runs_dir: Path) -> list[Path]:
    """Return the runs that have a partial or a finished folder beside them."""
    return [target_of(one) for one in _working_folders(runs_dir)]


def find_interrupted(runs_dir: Path, name: str | None) -> Path:
    """Return the run of that name whose training did not end, or the one worked on last.

    Raises:
        RunError: there is none.
    """
    left = [
        folder
        for folder in _working_folders(runs_dir)
        if folder.name.endswith(_FINISHED) or is_resumable(folder)
        if name is None or target_of(folder) == runs_dir / name
    ]
    if not left:
        what = f"interrupted run '{name}'" if name else "interrupted run"
        raise RunError(f"There is no {what} in '{runs_dir}'; start one with: fmnist-edge train")
    return target_of(max(left, key=lambda folder: folder.stat().st_mtime_ns))


def _working_folders(runs_dir: Path) -> list[Path]:
    return [*runs_dir.glob(f".*{_PARTIAL}"), *runs_dir.glob(f".*{_FINISHED}")]


def is_in_use(target: Path) -> bool:
    """Return whether a process that is alive trains a run."""
    return is_locked(partial_folder(target)) or is_locked(finished_folder(target))


def read_config(folder: Path) -> dict[str, Any]:
    """Return what was asked for in a partial folder, or what a run was trained with.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no JSON object.
    """
    return parse_object(read_capped(folder / CONFIG, limit_bytes=MEBIBYTE))


@contextlib.contextmanager
def working_on(target: Path) -> Iterator[Path]:
    """Keep other processes from training the same run; yield its partial folder, made if need be.

    What a killed process left beside it is put right. A folder in which no training can go on is
    deleted in the end.

    Raises:
        RunError: another process is training it.
        OSError: the folder cannot be made.
    """
    folder = partial_folder(target)
    if is_in_use(target):
        raise _in_use(target)
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if not lock(descriptor, wait=False) or not is_at(descriptor, folder):
            raise _in_use(target)
        recover_folder(target)
        try:
            yield folder
        finally:
            if folder.exists() and is_at(descriptor, folder) and not is_resumable(folder):
                shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def interrupts_kept(
    partial: Path | None, say: Callable[[str], object]
) -> Iterator[Callable[[], None]]:
    """Yield a check that raises KeyboardInterrupt when one was lost; say how to go on after it.

    Python drops an exception that a signal raises within a destructor or a callback from C, and
    TensorFlow has many of both; so the signal is remembered, and asked for after each epoch.
    ``partial`` is where the state after the last epoch is kept; None where nothing is.
    """
    lost = False

    def interrupt(number: int, frame: object) -> None:
        nonlocal lost
        lost = True
        raise KeyboardInterrupt

    def check() -> None:
        if lost:
            raise KeyboardInterrupt

    # A shell that starts a job in the background lets it ignore the signal; so it shall stay.
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    listens = threading.current_thread() is threading.main_thread() and not ignored
    before = signal.signal(signal.SIGINT, interrupt) if listens else None
    try:
        yield check
    except KeyboardInterrupt:
        if partial is not None:
            where = "" if str(partial.parent) == "runs" else f" --runs-dir {partial.parent}"
            say("")
            say(
                "The last whole epoch is kept; go on with: fmnist-edge train --resume --name "
                f"{target_of(partial).name}{where}"
            )
        raise
    finally:
        if listens:
            signal.signal(signal.SIGINT, before)


def clear(folder: Path) -> None:
    """Delete all that is in a folder, its configuration first."""
    (folder / CONFIG).unlink(missing_ok=True)
    for entry in folder.iterdir():
        remove(entry)


def finish(target: Path) -> None:
    """Delete the partial folder of a run that is in place, so that it is never taken up again."""
    remove(finished_folder(target))
    partial_folder(target).rename(finished_folder(target))
    sync(target.parent)
    remove(finished_folder(target))


def _in_use(target: Path) -> RunError:
    return RunError(
        f"{target} is being trained by another process; wait until it has ended, or choose another "
        "--name."
    )
