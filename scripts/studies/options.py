"""One way to read a script's options, and to end it with a sentence instead of a traceback."""

import argparse
import os
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NoReturn

from edge_runtime.errors import EdgeError

Read = Callable[[str], Any]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"Error: {message}; see {self.prog} --help\n")


def read_options(doc: str | None, **wanted: dict[str, Any]) -> argparse.Namespace:
    """Return what the command line says; `--help` prints the docstring and every option.

    A mistake in the command line ends the process with one sentence and exit code 2.

    Args:
        doc: the script's docstring.
        wanted: by name, what `option` returns, or for a positional argument what
            `ArgumentParser.add_argument` takes.
    """
    parser = _Parser(
        prog=f"scripts/{Path(sys.argv[0]).name}",
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for name, settings in wanted.items():
        flag = f"--{name.replace('_', '-')}" if "default" in settings else name
        parser.add_argument(flag, **settings)
    options, unknown = parser.parse_known_args()
    if unknown:
        parser.error(f"unknown argument {unknown[0]!r}")
    return options


def option(
    default: Any,
    words: str | None,
    *,
    kind: Read = str,
    choices: Collection[str] = (),
    least: int = 1,
) -> dict[str, Any]:
    """Return an option for `read_options`; its type is that of its default.

    Args:
        default: False makes a flag, a list takes values separated by commas.
        words: what it is, for `--help`; None hides it.
        kind: reads the value where the default is None.
        choices: the values that are allowed; any if empty.
        least: the smallest whole number that is allowed.
    """
    shown = argparse.SUPPRESS if words is None else words
    if default is False:
        return {"default": False, "action": "store_true", "help": shown}
    is_list = isinstance(default, list)
    first = default[0] if is_list else default
    read = _reader(kind if first is None else type(first), choices, least)
    if words is not None and default is not None:
        given = ",".join(map(str, default)) if is_list else str(default)
        shown += f" (default: {given.replace('%', '%%')})"
    return {
        "default": default,
        "type": (lambda text: [read(part) for part in text.split(",")]) if is_list else read,
        "help": shown,
        "metavar": "VALUE[,...]" if is_list else "VALUE",
    }


def _reader(kind: Read, choices: Collection[str], least: int) -> Read:
    expected = f"a whole number of at least {least}" if kind is int else "a number"
    if choices:
        expected = f"one of {', '.join(choices)}"

    def read(text: str) -> Any:
        try:
            value = kind(text)
            refused = value < least if kind is int else choices and value not in choices
        except ValueError:
            refused = True
        if refused:
            raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")
        return value

    return read


SEED = option(0, "seed of all random numbers", least=0)
RUNS_DIR = option(Path("runs"), "folder of runs")
DATASET = option("sample", "images: sample, idx:DIR, folder:DIR, images:FILE or tfds:NAME")


def run(main: Callable[[], int | None]) -> NoReturn:
    """Run a script to its end; what a user can cause ends it with one sentence and exit code 1."""
    try:
        sys.exit(main())
    except EdgeError as error:
        sys.exit(f"Error: {error}")
    except BrokenPipeError:
        os._exit(141)  # whoever read it has left
    except OSError as error:
        sys.exit(
            f"Error: {error.filename}: {error.strerror}." if error.filename else f"Error: {error}"
        )
    except ModuleNotFoundError as error:
        sys.exit(f"Error: {error.name} is missing; install it with: pip install -e '.[train,dev]'")
    except KeyboardInterrupt:
        sys.exit(130)
