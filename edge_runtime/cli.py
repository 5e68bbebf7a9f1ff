"""The command `fmnist-edge`: names all commands, loads one when it is called.

The names of the trainer's and the converter's commands stand here as text. It is the only place
where the device's package knows of the other two.
"""

import contextlib
import errno
import gc
import importlib
import io
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from edge_runtime.console.talk import Console, talk_options
from edge_runtime.console.terminal import (
    ReaderLeftError,
    echo,
    open_closed_streams,
    print_traceback,
    refuse_closed_output,
)
from edge_runtime.errors import EdgeError, extra_missing, nearest_name

# name: (module, what `--help` says of it)
COMMANDS = {
    "demo": ("edge_runtime.commands.demo", "Show the whole chain on the embedded sample."),
    "train": ("trainer.cli", "Train an image classifier."),
    "convert": ("converter.cli", "Make .tflite files of a trained model."),
    "classify": ("edge_runtime.commands.classify", "Say what pictures show."),
    "predict": ("edge_runtime.commands.predict", "Store what a model says about test images."),
    "parity": ("edge_runtime.commands.parity", "Prove that converted models answer the same."),
    "benchmark": ("edge_runtime.commands.benchmark", "Measure how fast models are."),
    "bundle": ("edge_runtime.commands.bundle", "Pack a model and its proof into one file."),
    "keys": ("edge_runtime.commands.keys", "Make and show the keys that sign bundles."),
    "deploy": ("edge_runtime.commands.deploy", "Set up a Raspberry Pi over ssh."),
    "install": ("edge_runtime.commands.releases", "Put a bundle in place on this device."),
    "trust": ("edge_runtime.commands.keys", "Say whose signatures this device demands."),
    "rollback": ("edge_runtime.commands.releases", "Go back to the bundle before."),
    "status": ("edge_runtime.commands.releases", "Say what is installed on this device."),
    "selftest": ("edge_runtime.commands.releases", "Ask whether this device answers rightly."),
    "inspect": ("edge_runtime.commands.inspect", "Say what a .tflite file is."),
    "doctor": ("edge_runtime.commands.doctor", "Find the mistake when a model answers badly."),
}

CANNOT = 1
INTERRUPTED = 130  # as shells count a death by SIGINT
READER_LEFT = 141  # as they count one by SIGPIPE: `fmnist-edge ... | head -1`


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, so that `--help` is fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        try:
            with _collection_paused():
                module = importlib.import_module(COMMANDS[cmd_name][0])
        except ImportError as error:
            raise extra_missing(f"`fmnist-edge {cmd_name}`", error) from error
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, and offer the nearest name for one that does not exist."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            ctx.fail(f"There is no command '{name}'.{nearest_name(name, COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@contextlib.contextmanager
def _collection_paused() -> Iterator[None]:
    """Collect no garbage while modules are imported: they make none, and it costs a tenth."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # nor is what stays looked through the next time
        gc.enable()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fmnist-edge")
@talk_options
@click.pass_context
def cli(context: click.Context) -> None:
    """Train a small image classifier, shrink it for a Raspberry Pi, and prove that what runs there
    still answers like the model that was trained.

    Bare commands follow each other: train, convert, parity. Each takes up the latest run.
    """  # noqa: D205
    context.ensure_object(Console)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code; no traceback reaches the user unasked.

    Args:
        arguments: what stands after `fmnist-edge`; by default the process's own.

    Returns:
        0 done; 1 could not be done; 2 misused; 3 parity is broken; 4 inconclusive; 130 interrupted;
        141 nobody reads standard output any more.
    """
    console = Console()
    try:
        refuse_closed_output()
        result: Any = cli.main(
            args=None if arguments is None else list(arguments),
            prog_name="fmnist-edge",
            standalone_mode=False,
            obj=console,
        )
    except click.ClickException as error:
        _say_misuse(error)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        echo("Interrupted.", err=True)
        return INTERRUPTED
    except ReaderLeftError:
        return READER_LEFT
    except SystemExit as end:
        return _click_exit_code(end)
    except Exception as error:
        if _was_interrupted(error):
            echo("Interrupted.", err=True)
            return INTERRUPTED
        if console.debug:
            raise
        echo(f"Error: {_one_line(_sentence(error))}", err=True)
        return CANNOT
    return result if isinstance(result, int) else 0


def _click_exit_code(end: SystemExit) -> int:
    """Return the exit code when click itself exits: a shell completes, or nobody reads the help."""
    asked = os.environ.get("_FMNIST_EDGE_COMPLETE")
    if not asked:
        return READER_LEFT
    if not end.code:
        return 0
    echo(
        "Error: _FMNIST_EDGE_COMPLETE is for shell completion; expected bash_source, zsh_source or "
        f"fish_source, got '{asked}'.",
        err=True,
    )
    return CANNOT


def _was_interrupted(error: BaseException | None) -> bool:
    """Whether an error comes of Ctrl-C: a module that is interrupted in C raises ImportError."""
    causes: list[BaseException] = []
    while error is not None and error not in causes:  # an error may be named as its own cause
        causes.append(error)
        error = error.__cause__
    return any(isinstance(cause, KeyboardInterrupt) for cause in causes)


def _say_misuse(error: click.ClickException) -> None:
    """Say what click has to complain of; it would print what was typed as it is."""
    if isinstance(error, click.UsageError) and error.ctx is not None:
        echo(*error.ctx.get_usage().split("\n"), err=True)
        echo(f"Try '{error.ctx.command_path} --help' for help.", "", err=True)
    echo(f"Error: {_one_line(error.format_message())}", err=True)


def _one_line(text: str) -> str:
    """Return the text of an error, which may come from a library, without its line breaks."""
    return " ".join(line.strip() for line in text.splitlines() if line.strip())


def _sentence(error: Exception) -> str:
    if isinstance(error, EdgeError):
        return str(error)
    if isinstance(error, FileNotFoundError) and _is_nowhere():
        return "The current folder was deleted; change to one that is there and try again."
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        advice = "; free some space and try again" if error.errno == errno.ENOSPC else ""
        return f"{where}{error.strerror}{advice}."
    if isinstance(error, MemoryError):
        return "There is not enough memory for this; use fewer images or a smaller model."
    return (
        f"This should not have happened ({type(error).__name__}: {error}). Run it again with "
        "--debug and report what it prints."
    )


def _is_nowhere() -> bool:
    """Whether the folder that relative names start from is gone."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


def main() -> None:
    """Run the process's command line."""
    open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal need not know every sign of ours
    sys.excepthook = print_traceback
    sys.exit(run())


if __name__ == "__main__":
    main()
