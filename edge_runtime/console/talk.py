"""What the commands share: how much is said, how progress is shown, how wide a table may be.

Results go to standard output; talk and progress to standard error, progress only on a terminal.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TextIO, TypeVar, cast

import click

from edge_runtime.console.terminal import TerminalThatMayGo, echo
from edge_runtime.wording import printable

Function = TypeVar("Function", bound=Callable[..., Any])

# Below that figures have no room, and above it lines are long.
_NARROWEST, _WIDEST = 72, 100


@dataclass
class Console:
    """How much is said; the object of click's context."""

    quiet: bool = False
    debug: bool = False

    def say(self, *lines: str) -> None:
        """Tell what is going on, on standard error."""
        if not self.quiet:
            echo(*lines, err=True)

    @contextlib.contextmanager
    def progress(
        self, length: int, label: str, describe: Callable[[object], str] | None = None
    ) -> Iterator[Callable[[int], None]]:
        """Show a bar on a terminal; yield the function that moves it by so many steps.

        ``describe`` says what to show behind it, and is asked at each move.
        """
        if self.quiet or length == 0 or not sys.stderr.isatty():
            yield lambda done: None
            return
        with click.progressbar(
            length=length,
            label=printable(label),
            file=cast(TextIO, TerminalThatMayGo(sys.stderr)),
            item_show_func=describe,
        ) as bar:
            # Without an item click would not ask what to show.
            yield lambda done: bar.update(done, object())


pass_console = click.make_pass_decorator(Console, ensure=True)


class Decorator(Protocol):
    """What adds options to a command's function."""

    def __call__(self, function: Function, /) -> Function:
        """Return the function with them."""


def together(*options: Decorator) -> Decorator:
    """Return one decorator that adds all of these, in the order of `--help`."""

    def decorate(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def _set(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        setattr(context.ensure_object(Console), str(parameter.name), True)


json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
# They are understood before and after the command's name.
talk_options = together(
    click.option(
        *("-q", "--quiet"),
        is_flag=True,
        expose_value=False,
        callback=_set,
        help="Say nothing but results and errors.",
    ),
    click.option(
        "--debug",
        is_flag=True,
        expose_value=False,
        callback=_set,
        help="Show the traceback of an error.",
    ),
)
result_options = together(json_option, talk_options)


def text_width() -> int:
    """Return how many columns a table may take: those of the terminal, 100 in a file or a pipe."""
    if not sys.stdout.isatty():
        return _WIDEST
    import shutil  # only for tables

    return max(_NARROWEST, min(_WIDEST, shutil.get_terminal_size().columns))
