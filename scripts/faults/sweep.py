"""One scenario: its events, its undisturbed end, and what comes of a fault."""

import errno
import json
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import EdgeError
from faults.commands import Scenario
from faults.events import BeforeEvent, failing
from faults.processes import Outcome, run_command
from faults.trees import Tree, difference, is_hidden, mixed, tree

# Known to be between before and after while a command is under way, or after it failed: from the
# history what was about to be installed has no say, and the note lets `rollback` be finished.
_JOURNALS = ("home/history.json", "home/.rollback")

# What a command whose disk failed leaves for the repeated one.
_CONTINUED = re.compile(r"\.(partial|finished)(/|$)|\.unfinished$")

_KILLED = -9  # by SIGKILL, as `subprocess` has it

DISK_FAULTS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO}
KINDS = ("kill", *DISK_FAULTS)


@dataclass(frozen=True)
class Prepared:
    """A scenario that has been run without a fault."""

    scenario: Scenario
    folder: Path  # where its beginning lies, as `start`, and the files before each event, by number
    events: tuple[str, ...]  # in words, in their order
    states: tuple[int, ...]  # for each event, the first before which the files were the same
    code: int  # of the undisturbed command
    end: Tree  # what the undisturbed command leaves

    @property
    def start(self) -> Path:
        """What lies there before the command."""
        return self.folder / "start"


@dataclass(frozen=True)
class Fault:
    """What is done to a command."""

    scenario: str
    kind: str  # "kill", "ENOSPC" or "EIO"
    number: int  # at which event, counted from 1
    shown: str  # that event in words
    again: int = 0  # at which event of its repetition it is killed once more; 0 for none

    def __str__(self) -> str:
        second = f", then kill at event {self.again}" if self.again else ""
        return f"{self.scenario}: {self.kind} at event {self.number}, {self.shown}{second}"


def prepare(scenario: Scenario, folder: Path) -> Prepared:
    """Make the beginning of a scenario, and run it without a fault, twice."""
    folder.mkdir()
    start, work = folder / "start", folder / "work"
    work.mkdir()
    for line in scenario.before:
        is_last = line is scenario.before[-1]
        _prepare_line(line, work, scenario.killed if is_last else None)
    work.rename(start)
    ends = [_undisturbed(scenario, start, work, folder / name) for name in ("first", "second")]
    differs = difference(ends[0][1], ends[1][1])
    if differs:
        raise EdgeError(f"{scenario.name} does not end twice in the same way: {differs}")
    recorded = [json.loads(line) for line in (folder / "second").read_text().splitlines()]
    return Prepared(
        scenario,
        folder,
        tuple(event["shown"] for event in recorded),
        tuple(event["state"] for event in recorded),
        *ends[0],
    )


def _prepare_line(line: tuple[str, ...], work: Path, killed: str | None) -> None:
    seen = 0

    def kill(number: int, shown: str) -> None:
        nonlocal seen
        seen += killed is not None and shown == killed
        if seen == 2:  # the first checkpoint is kept
            os.kill(os.getpid(), 9)

    done = run_command(line, work, kill if killed else None)
    if done.code != 0 and not killed and line[0] != "parity":
        raise EdgeError(f"{' '.join(line)} fails undisturbed: {done.err}")


def _undisturbed(scenario: Scenario, start: Path, work: Path, log: Path) -> tuple[int, Tree]:
    shutil.copytree(start, work, symlinks=True)
    done = run_command(scenario.line, work, _recording(work, log))
    if done.code == 1 or done.code == 99:
        raise EdgeError(f"{scenario.name} fails undisturbed: {done.err}")
    end = tree(work)
    shutil.rmtree(work)
    return done.code, end


def _recording(work: Path, log: Path) -> BeforeEvent:
    """Return what notes each event, and keeps a copy of the files wherever they have changed."""
    last: tuple[int, Tree | None] = (0, None)

    def before(number: int, shown: str) -> None:
        nonlocal last
        now = tree(work)
        if now != last[1]:
            last = (number, now)
            shutil.copytree(work, log.parent / f"{log.name}-{number}", symlinks=True)
        with log.open("a") as file:
            file.write(json.dumps({"shown": shown, "state": last[0]}) + "\n")

    return before


def try_fault(fault: Fault, prepared: Prepared, *, from_copies: bool) -> str:
    """Inject a fault, then run the command again without; return what went wrong, or "".

    With ``from_copies``, what a kill leaves are the files as they were before the event.
    """
    with tempfile.TemporaryDirectory(prefix="faults-") as scratch:
        work = Path(scratch) / "work"
        if fault.kind == "kill" and from_copies:
            state = prepared.states[fault.number - 1]
            shutil.copytree(prepared.folder / f"second-{state}", work, symlinks=True)
        else:
            shutil.copytree(prepared.start, work, symlinks=True)
            injecting = failing(fault.number, DISK_FAULTS.get(fault.kind))
            done = run_command(prepared.scenario.line, work, injecting)
            if problem := _judge(done, fault, prepared, tree(work)):
                return problem
            if done.code == prepared.code:  # the fault did not matter, unless something stayed
                differs = difference(tree(work), prepared.end)
                if not differs or not _is_removal(fault):
                    return differs
        if fault.again:
            done = run_command(prepared.scenario.line, work, failing(fault.again, None))
            if done.code != _KILLED:  # it had fewer events than that, and has done its work
                return _judge_repeated(done, prepared, work)
        return _judge_repeated(run_command(prepared.scenario.line, work), prepared, work)


def _judge(done: Outcome, fault: Fault, prepared: Prepared, found: Tree) -> str:
    """Return what is wrong with how a disturbed command ended, or ""."""
    before = tree(prepared.start)
    found = {name: content for name, content in found.items() if name not in _JOURNALS}
    if halves := mixed(found, before, prepared.end):
        return f"neither as before nor as after: {', '.join(halves)}"
    if fault.kind == "kill":
        return "" if done.code == _KILLED else f"it was not killed: exit code {done.code}"
    if done.code not in (1, prepared.code):
        return f"exit code {done.code}: {done.err.strip()}"
    if "Traceback" in done.err or "should not have happened" in done.err:
        return f"an unexpected error: {done.err.strip().splitlines()[-1]}"
    if done.code == 1 and not done.err.strip().splitlines()[-1].startswith("Error: "):
        return f"no sentence: {done.err!r}"
    left = [name for name in found if is_hidden(name) and name not in before | prepared.end]
    # From these the repeated command goes on, and must leave none of them.
    left = [name for name in left if not _CONTINUED.search(name)]
    return f"it leaves {', '.join(left)}" if left and not _is_removal(fault) else ""


def _is_removal(fault: Fault) -> bool:
    return fault.shown.split()[0] in ("remove", "rmdir")


def _judge_repeated(done: Outcome, prepared: Prepared, work: Path) -> str:
    if done.code != prepared.code:
        last = (done.err.strip().splitlines() or [""])[-1]
        return f"repeated it ends with {done.code}: {last}"
    differs = difference(tree(work), prepared.end)
    return f"repeated it ends otherwise: {differs}" if differs else ""
