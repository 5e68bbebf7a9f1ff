"""File events of this process: counted, and one of them replaced by a fault.

Python reports what it is about to do with files to audit hooks (PEP 578). What it does not report,
writing, flushing and exchanging two names, is wrapped here.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_runtime.files import folders

# An audit event, where in its arguments the path stands that changes, and where its folder does.
_REPORTED = {
    "os.rename": (1, 3),
    "os.remove": (0, 1),
    "os.mkdir": (0, 2),
    "os.rmdir": (0, 1),
    "os.symlink": (1, 2),
    "os.link": (1, 3),
    "os.truncate": (0, None),
    "os.chmod": (0, 2),
    "os.utime": (0, 3),
}
_CHANGING = os.O_CREAT | os.O_TRUNC

BeforeEvent = Callable[[int, str], None]


def watch(root: Path, before: BeforeEvent) -> None:
    """Call ``before`` with the number and the words of each event below a folder, from now on.

    The hook stays for the life of the process: watch in a forked child.
    """
    count, busy = 0, False

    def event(name: str, path: Any) -> None:
        nonlocal count, busy
        if busy or not _is_below(path, root):
            return
        busy = True  # what is done in between is no event
        try:
            count += 1
            before(count, f"{name} {os.path.relpath(path, root)}")
        finally:
            busy = False

    def hook(name: str, arguments: tuple[Any, ...]) -> None:
        if name == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & _CHANGING and not isinstance(path, int):
                event("open", _absolute(path, None))
        elif name in _REPORTED:
            at, folder = _REPORTED[name]
            within = arguments[folder] if folder is not None else None
            event(name.removeprefix("os."), _absolute(arguments[at], within))

    sys.addaudithook(hook)
    _wrap(os, "write", event, lambda descriptor, *_: _of_descriptor(descriptor))
    _wrap(os, "fsync", event, _of_descriptor)
    _wrap(folders, "exchange", event, lambda one, other: str(other.absolute()))


def failing(number: int, error: int | None) -> BeforeEvent:
    """Return what lets one event fail as the disk would; without an error, it kills the process."""

    def before(count: int, shown: str) -> None:
        if count == number and error is None:
            os.kill(os.getpid(), signal.SIGKILL)
        if count == number:
            raise OSError(error, os.strerror(error))

    return before


def _wrap(
    module: Any, name: str, event: Callable[[str, Any], None], path_of: Callable[..., Any]
) -> None:
    original = getattr(module, name)

    def wrapped(*arguments: Any) -> Any:
        event(name, path_of(*arguments))
        return original(*arguments)

    setattr(module, name, wrapped)


def _of_descriptor(descriptor: int) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115
    except OSError:
        return ""


def _absolute(path: Any, folder: int | None) -> str:
    name = os.fsdecode(path)
    if folder is not None and folder >= 0 and not os.path.isabs(name):  # noqa: PTH117
        return os.path.join(_of_descriptor(folder), name)  # noqa: PTH118
    return os.path.abspath(name)  # noqa: PTH100


def _is_below(path: str, root: Path) -> bool:
    return path == str(root) or path.startswith(f"{root}{os.sep}")
