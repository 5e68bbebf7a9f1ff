"""Options that several commands have: models, runs, datasets."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_runtime.console.numeric import Whole
from edge_runtime.console.talk import Decorator, together
from edge_runtime.runtimes.backends import BACKENDS

if TYPE_CHECKING:  # not every command needs arrays
    from edge_runtime.data.datasets import DatasetSpec

Completion = Callable[[click.Context, click.Parameter, str], list[str]]

INSTALLED = "installed"
BACKEND_NAMES = [backend.name for backend in BACKENDS]


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
        from edge_runtime.devices.installed import Installed

        return Installed().installed_path()


def completed_by(*words: str) -> Completion:
    """Return what lets a shell complete a value to one of these words."""
    return lambda context, option, typed: [word for word in words if word.startswith(typed)]


def _names_of_runs(context: click.Context, option: click.Parameter, typed: str) -> list[str]:
    folders = Path(context.params.get("runs_dir") or "runs").glob("[!.]*/config.json")
    return sorted(path.parent.name for path in folders if path.parent.name.startswith(typed))


def file_option(name: str, help_text: str, *, to: str = "", metavar: str = "FILE") -> Decorator:
    """Add an option that names a file; its value is a `Path`, under the name of ``to`` if given."""
    names = (name, to) if to else (name,)
    return click.option(*names, type=click.Path(path_type=Path), metavar=metavar, help=help_text)


def seed_option(help_text: str) -> Decorator:
    """Add --seed."""
    return click.option("--seed", type=Whole(min=0), default=0, show_default=True, help=help_text)


backend_option = click.option(
    "--backend",
    metavar="NAME",
    shell_complete=completed_by(*BACKEND_NAMES),
    help="The runtime to use, as in `classify`.",
)
runs_dir_option = click.option(
    "--runs-dir",
    default="runs",
    show_default=True,
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Where runs are kept.",
)
# They name a run that was trained before.
run_options = together(
    click.option(
        *("--run", "run_name"),
        metavar="NAME",
        shell_complete=_names_of_runs,
        help="The run.  [default: the latest]",
    ),
    runs_dir_option,
)


def dataset_options(default: str | None) -> Decorator:
    """Add the options that choose a dataset; `spec_from_options` reads them."""
    positive = Whole(min=1)
    return together(
        click.option(
            "--dataset",
            default=default,
            show_default=default is not None,
            metavar="SOURCE",
            shell_complete=completed_by(
                "sample", "fashion_mnist", "tfds:", "idx:", "folder:", "images:"
            ),
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


def named_dataset(options: dict[str, Any]) -> "DatasetSpec | None":
    """Return what the values of `dataset_options` name; None stands for the run's own images.

    Raises UsageError if they say something that needs --dataset beside it.
    """
    refuse_options_without_dataset(options)
    return None if options["dataset"] is None else spec_from_options(options, seed=0)


def refuse_options_without_dataset(options: dict[str, Any]) -> None:
    """Raise if values of `dataset_options` are given that say nothing without --dataset."""
    given = [name for name, value in options.items() if value is not None]
    if options["dataset"] is None and given:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise click.UsageError(f"{names} is for a --dataset; the run's own stays what it was.")


def spec_from_options(options: dict[str, Any], *, seed: int) -> "DatasetSpec":
    """Take the values of `dataset_options` out of a command's options, as what to load."""
    from edge_runtime.data.datasets import DatasetSpec

    channels = options.pop("channels")
    return DatasetSpec(
        source=options.pop("dataset"),
        seed=seed,
        channels=int(channels) if channels else None,
        **{key: options.pop(key) for key in ("train_size", "test_size", "image_size", "data_dir")},
    ).absolute()


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
