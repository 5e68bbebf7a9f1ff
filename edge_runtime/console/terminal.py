"""Where the words of this process go out: standard output and standard error, in one way.

Names of files, classes and models come from other people, and so do the texts of errors. `echo`
takes whole lines and lets none of them steer the terminal or the CI system that reads along, so a
command need not think of it. JSON goes out by `to_json`, which escapes without any loss.
"""

import contextlib
import io
import os
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any, TextIO

from edge_runtime.errors import OutputError
from edge_runtime.wording import printable


class ReaderLeftError(Exception):
    """Whoever read standard output has seen enough, as `head` in a pipe."""


def echo(*lines: object, err: bool = False) -> None:
    """Print lines, each without what could steer a terminal; a line break within one is shown as �.

    What cannot be said on standard error is left unsaid: the exit code still tells.

    Args:
        lines: what to print.
        err: whether it goes to standard error.

    Raises:
        ReaderLeftError: nobody reads standard output any more.
        OutputError: standard output cannot be written to.
    """
    stream = sys.stderr if err else sys.stdout
    if stream is None:
        if not err:
            refuse_closed_output()
        return
    try:
        stream.write("".join(f"{printable(line)}\n" for line in lines))
        stream.flush()
    except OSError as error:
        _discard(stream)
        if err:
            return
        if isinstance(error, BrokenPipeError):
            raise ReaderLeftError from error
        raise OutputError(
            f"Standard output cannot be written to ({error.strerror}), so the result is not "
            "complete; send it elsewhere and try again."
        ) from error


def echo_json(document: Mapping[str, Any]) -> None:
    r"""Print a result as `echo` does, as indented JSON: what could steer a terminal is \uXXXX."""
    from edge_runtime.files.writing import to_json  # only for --json

    echo_json_text(to_json(document))


def echo_json_text(text: str) -> None:
    """Print JSON text that is escaped already; what the output's encoding lacks is escaped, too."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        import json

        text = json.dumps(json.loads(text), indent=2)
    echo(*text.split("\n"))


class TerminalThatMayGo(io.TextIOBase):
    """A terminal for what is no result: work goes on when it is gone with a lost connection."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def isatty(self) -> bool:
        """Return whether it is, or was, a terminal."""
        return self._stream.isatty()

    def write(self, text: str) -> int:
        """Write if it is still there."""
        with contextlib.suppress(OSError):
            self._stream.write(text)
            self._stream.flush()
        return len(text)


def _discard(stream: TextIO) -> None:
    """Let what is left in the buffer go nowhere: Python would complain of it at its end."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        stream.flush()


def open_closed_streams() -> None:
    """Put the null device in the place of each standard stream that was closed at the start.

    Otherwise the next file that is opened, a model that is written perhaps, gets the number of the
    stream, and whatever a library prints ends up in it. `sys.stdin` and `sys.stdout` stay None;
    what would be said on standard error is lost, as whoever closed it wanted.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # It takes the lowest number that is free, this one; children shall have it, too.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)


def refuse_closed_output() -> None:
    """Raise `OutputError` if standard output was closed; asked before anything slow is done."""
    if sys.stdout is None:
        raise OutputError(
            "Standard output is closed, so the result would be lost; send it somewhere, as in "
            "> result.txt or > /dev/null."
        )


def print_traceback(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print what `--debug` asks for; takes the place of `sys.excepthook`."""
    import traceback  # only then

    text = "".join(traceback.format_exception(kind, error, trace))
    echo(*text.rstrip("\n").split("\n"), err=True)
