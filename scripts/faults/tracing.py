"""Ask strace which files a command changes, to see that no event is missed."""

import collections
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from faults.processes import environment
from faults.sweep import Prepared

# What events call it. What a process keeps in a `TemporaryDirectory` is written by others' code,
# whose single writes are no events; the folder goes with its parent.
_NAMES = {
    call: event
    for event, calls in {
        "open": "openat creat",
        "write": "write pwrite64 writev",
        "fsync": "fsync fdatasync",
        "rename": "rename renameat renameat2",
        "mkdir": "mkdir mkdirat",
        "symlink": "symlink symlinkat",
        "link": "link linkat",
        "remove": "unlink unlinkat",
        "rmdir": "rmdir",
        "chmod": "chmod fchmod fchmodat",
        "truncate": "truncate ftruncate fallocate",
        "utime": "utimensat",
    }.items()
    for call in calls.split()
}
_TEMPORARY = re.compile(r"/\.[a-z0-9_]{8}/")


def missed_events(prepared: Prepared) -> list[str]:
    """Return the changes of files that strace sees in a command and its events do not tell."""
    work = prepared.folder / "work"
    shutil.copytree(prepared.start, work, symlinks=True)
    log = prepared.folder / "strace.log"
    line = [sys.executable, "-m", "edge_runtime.cli", *prepared.scenario.line]
    tracing = ["strace", "-f", "-y", "-s", "0", "-e", f"trace={','.join(_NAMES)}", "-o", str(log)]
    done = subprocess.run(
        [*tracing, *line],
        cwd=work,
        env={**os.environ, **environment(work)},
        capture_output=True,
        text=True,
    )
    if done.returncode != prepared.code:
        return [f"under strace it ends with {done.returncode}: {done.stderr.strip()}"]
    seen = collections.Counter(_kinds(log.read_text(errors="replace"), work))
    told = collections.Counter(event.split()[0] for event in prepared.events)
    return [
        f"{kind}: {count} seen, {told[kind]} told"
        for kind, count in seen.items()
        if count > told[kind]
    ]


def _kinds(text: str, work: Path) -> list[str]:
    found = []
    for line in text.splitlines():
        call = re.match(r"\d+ +(\w+)\((.*)", line)
        if not call or "<... " in line or " = -1 " in line:
            continue
        name, rest = _NAMES.get(call[1]), call[2]
        if name is None or str(work) not in _with_folder(rest, work) or _TEMPORARY.search(rest):
            continue
        if name == "open" and "O_CREAT" not in rest and "O_TRUNC" not in rest:
            continue
        if call[1] == "unlinkat" and "AT_REMOVEDIR" in rest:
            name = "rmdir"
        if "RENAME_EXCHANGE" in rest:
            name = "exchange"
        found.append(name)
    return found


def _with_folder(arguments: str, work: Path) -> str:
    """Return the arguments of a call, with the current folder in front of a relative path."""
    arguments = re.sub(r'AT_FDCWD<[^>]*>, (?="/)', "", arguments)  # it does not matter then
    relative = re.match(r'"(?!/)', arguments)
    return f"{work}/{arguments}" if relative else arguments
