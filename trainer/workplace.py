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
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Workplace:
    """Where a run is trained that will be at ``target``."""

    target: Path

    @property
    def partial(self) -> Path:
        """The folder in which a training works until its run is in place."""
        return self.target.with_name(f".{self.target.name}{_PARTIAL}")

    @property
    def finished(self) -> Path:
        """What that folder is called from then on."""
        return self.target.with_name(f".{self.target.name}{_FINISHED}")

    @property
    def is_resumable(self) -> bool:
        """Whether a training can go on here."""
        return (self.partial / CONFIG).is_file()

    @property
    def is_in_use(self) -> bool:
        """Whether a process that is alive trains the run."""
        return is_locked(self.partial) or is_locked(self.finished)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes from training the same run; the partial folder is made if need be.

        What a killed process left beside it is put right. A folder in which no training can go on
        is deleted in the end.

        Raises:
            RunError: another process is training it.
            OSError: the folder cannot be made.
        """
        in_use = RunError(
            f"{self.target} is being trained by another process; wait until it has ended, or "
            "choose another --name."
        )
        if self.is_in_use:
            raise in_use
        self.partial.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.partial, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if not lock(descriptor, wait=False) or not is_at(descriptor, self.partial):
                raise in_use
            recover_folder(self.target)
            try:
                yield
            finally:
                is_ours = self.partial.exists() and is_at(descriptor, self.partial)
                if is_ours and not self.is_resumable:
                    shutil.rmtree(self.partial, ignore_errors=True)
        finally:
            os.close(descriptor)

    def clear(self) -> None:
        """Delete all that is left here, the configuration first."""
        (self.partial / CONFIG).unlink(missing_ok=True)
        for entry in (*self.partial.iterdir(), self.finished):
            remove(entry)

    def finish(self) -> None:
        """Delete the partial folder, as the run is in place, so that it is never taken up again."""
        remove(self.finished)
        self.partial.rename(self.finished)
        sync(self.target.parent)
        remove(self.finished)


def workplaces(runs_dir: Path) -> list[Workplace]:
    """Return where trainings work or have left something."""
    folders = [*runs_dir.glob(f".*{_PARTIAL}"), *runs_dir.glob(f".*{_FINISHED}")]
    names = [folder.name.removesuffix(_PARTIAL).removesuffix(_FINISHED) for folder in folders]
    return [Workplace(runs_dir / name.removeprefix(".")) for name in names]


def find_interrupted(runs_dir: Path, name: str | None) -> Workplace:
    """Return where the run of that name did not end, or the one worked on last.

    Raises:
        RunError: there is none.
    """
    left = [
        work
        for work in workplaces(runs_dir)
        if work.is_resumable or work.finished.exists()
        if name is None or work.target == runs_dir / name
    ]
    if not left:
        what = f"interrupted run '{name}'" if name else "interrupted run"
        raise RunError(f"There is no {what} in '{runs_dir}'; start one with: fmnist-edge train")

    def worked_on(work: Workplace) -> int:
        return (work.partial if work.is_resumable else work.finished).stat().st_mtime_ns

    return max(left, key=worked_on)


def read_config(folder: Path) -> dict[str, Any]:
    """Return what was asked for in a partial folder, or what a run was trained with.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no JSON object.
    """
    return parse_object(read_capped(folder / CONFIG, limit_bytes=MEBIBYTE))


@contextlib.contextmanager
def interrupts_kept(
    work: Workplace | None, say: Callable[[str], object]
) -> Iterator[Callable[[], None]]:
    """Yield a check that raises KeyboardInterrupt when one was lost; say how to go on after it.

    Python drops an exception that a signal raises within a destructor or a callback from C, and
    TensorFlow has many of both; so the signal is remembered, and asked for after each epoch.
    ``work`` is where the state after the last epoch is kept; None where nothing is.
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
        if work is not None:
            runs_dir = work.target.parent
            where = "" if str(runs_dir) == "runs" else f" --runs-dir {runs_dir}"
            say("")
            say(
                "The last whole epoch is kept; go on with: fmnist-edge train --resume --name "
                f"{work.target.name}{where}"
            )
        raise
    finally:
        if listens:
            signal.signal(signal.SIGINT, before)
