"""What the commands share: where words go, how progress is shown, common options.

Results go to standard output; talk and progress to standard error, progress only on a terminal.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar, cast

import click

from edge_runtime.numeric import Whole
from edge_runtime.terminal import TerminalThatMayGo, echo
from edge_runtime.wording import printable

if TYPE_CHECKING:
    from edge_runtime.datasets import DatasetSpec

INSTALLED = "installed"

Function = TypeVar("Function", bound=Callable[..., Any])

# Below that figures have no room, and above it lines are long.
_NARROWEST, _WIDEST = 72, 100


@dataclass
class Console:
    """How much is said; the object of click's context.

    Attributes:
        quiet: say nothing but results and errors.
        debug: show tracebacks.
    """

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

        Args:
            length: the number of steps.
            label: what stands before the bar.
            describe: what to show behind it, asked for at each move.
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


def _set(name: str) -> Callable[[click.Context, click.Parameter, bool], None]:
    def callback(context: click.Context, parameter: click.Parameter, value: bool) -> None:
        if value:
            setattr(context.ensure_object(Console), name, True)

    return callback


def talk_options(function: Function) -> Function:
    """Add -q and --debug; they are understood before and after the command's name."""
    for decorator in (
        click.option(
            "--debug",
            is_flag=True,
            expose_value=False,
            callback=_set("debug"),
            help="Show the traceback of an error.",
        ),
        click.option(
            "-q",
            "--quiet",
            is_flag=True,
            expose_value=False,
            callback=_set("quiet"),
            help="Say nothing but results and errors.",
        ),
    ):
        function = decorator(function)
    return function


def json_option(function: Function) -> Function:
    """Add --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(
        function
    )


def is_word_installed(path: Path) -> bool:
    """Return whether a model's path is the word `installed`, and no file of that name is here."""
    return str(path) == INSTALLED and not path.exists()


class ModelPath(click.Path):
    """The path of a model; the word `installed` is the bundle that is installed on this device."""

    name = "model"

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, that of the current release for `installed`."""
        path: Any = super().convert(value, param, ctx)
        if not is_word_installed(path):
            return path
        from edge_runtime.releases import Releases, device_home

        return Releases(device_home()).installed_path()


def run_options(function: Function) -> Function:
    """Add --run and --runs-dir, which name a run that was trained before."""
    for decorator in (
        runs_dir_option,
        click.option("--run", "run_name", metavar="NAME", help="The run.  [default: the latest]"),
    ):
        function = decorator(function)
    return function


def runs_dir_option(function: Function) -> Function:
    """Add --runs-dir."""
    return click.option(
        "--runs-dir",
        default="runs",
        show_default=True,
        metavar="DIR",
        type=click.Path(file_okay=False),
        help="Where runs are kept.",
    )(function)


def dataset_options(default: str | None) -> Callable[[Function], Function]:
    """Add the options that choose a dataset; `spec_from_options` reads them."""

    def decorate(function: Function) -> Function:
        for decorator in reversed(_dataset_options(default)):
            function = decorator(function)
        return function

    return decorate


def _dataset_options(default: str | None) -> Sequence[Callable[[Function], Function]]:
    positive = Whole(min=1)
    return (
        click.option(
            "--dataset",
            default=default,
            show_default=default is not None,
            metavar="SOURCE",
            help="sample (embedded), fashion_mnist, tfds:NAME, idx:DIR, folder:DIR or images:FILE."
            + ("" if default else "  [default: the run's]"),
        ),
        click.option("--train-size", type=positive, help="Use only the first so many to train on."),
        click.option("--test-size", type=positive, help="Use only the first so many to test on."),
        click.option(
            "--image-size",
            metavar="HxW",
            callback=_parse_size,
            help="Fit the pictures of folder: and tfds: to this size, as in 64x64.",
        ),
        click.option(
            "--channels",
            type=click.Choice(["1", "3"]),
            help="Make the pictures of folder: and tfds: grey (1) or RGB (3).",
        ),
        click.option("--data-dir", metavar="DIR", help="Where TFDS keeps its datasets."),
    )


def text_width() -> int:
    """Return how many columns a table may take: those of the terminal, 100 in a file or a pipe."""
    if not sys.stdout.isatty():
        return _WIDEST
    import shutil  # only for tables

    return max(_NARROWEST, min(_WIDEST, shutil.get_terminal_size().columns))


def refuse_options_without_dataset(options: dict[str, Any]) -> None:
    """Raise if values of `dataset_options` are given that say nothing without --dataset."""
    given = [name for name, value in options.items() if value is not None]
    if options["dataset"] is None and given:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise click.UsageError(f"{names} is for a --dataset; the run's own stays what it was.")


def spec_from_options(options: dict[str, Any], *, seed: int) -> "DatasetSpec":
    """Take the values of `dataset_options` out of a command's options, as what to load."""
    from edge_runtime.datasets import DatasetSpec

    channels = options.pop("channels")
    return DatasetSpec(
        source=_absolute_source(options.pop("dataset")),
        seed=seed,
        channels=int(channels) if channels else None,
        data_dir=_absolute_folder(options.pop("data_dir")),
        **{key: options.pop(key) for key in ("train_size", "test_size", "image_size")},
    )


def _absolute_source(source: str) -> str:
    """Make the path of idx:, folder: and images: absolute: later commands may run elsewhere."""
    prefix, colon, argument = source.partition(":")
    if prefix in ("idx", "folder", "images") and argument:
        return f"{prefix}{colon}{_absolute_folder(argument)}"
    return source


def _absolute_folder(folder: str | None) -> str | None:
    if folder is None or "://" in folder:  # TFDS reads buckets too
        return folder
    return str(Path(folder).expanduser().resolve())


def _parse_size(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[int, int] | None:
    if value is None:
        return None
    height, _, width = value.lower().partition("x")
    try:
        size = int(height), int(width or height)
    except ValueError:
        raise click.BadParameter(f"expected HEIGHTxWIDTH, as in 64x64, got '{value}'.") from None
    if not (1 <= size[0] <= 4096 and 1 <= size[1] <= 4096):
        raise click.BadParameter(f"both sides must be 1 to 4096, got '{value}'.")
    return size
