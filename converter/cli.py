"""The command `convert`."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from converter.api import convert_all, run_of
from converter.calibration import DEFAULT_SIZE
from converter.converted import put_in_place
from converter.output import print_result, tell_outcomes
from converter.schemes import RECIPES, Recipe, choose_recipes, refuse_unusable_io
from converter.target import choose_target
from edge_runtime.commands.options import (
    completed_by,
    dataset_options,
    refuse_options_without_dataset,
    run_options,
    seed_option,
    spec_from_options,
)
from edge_runtime.console.help import command
from edge_runtime.console.numeric import Whole
from edge_runtime.console.talk import Console, pass_console, result_options
from edge_runtime.errors import ConversionError
from edge_runtime.files.claims import claimed
from edge_runtime.models.inspection import RUNTIMES
from edge_runtime.models.runs import Run, find_run

_DATASET_OPTIONS = ("dataset", "train_size", "test_size", "image_size", "channels", "data_dir")


@command(
    examples=(
        ("The latest run, quantized to int8", "fmnist-edge convert"),
        ("In every way there is", "fmnist-edge convert --quantize all"),
        (
            "Your own Keras model, calibrated on your own pictures",
            "fmnist-edge convert boots.keras --dataset folder:photos",
        ),
        ("For a 32-bit Raspberry Pi", "fmnist-edge convert --runtime tflite-runtime-2.14"),
    ),
)
@click.argument("model", required=False, type=click.Path(path_type=Path))
@click.option(
    "--quantize",
    multiple=True,
    default=("int8",),
    show_default=True,
    metavar="RECIPE",
    shell_complete=completed_by(*RECIPES, "all"),
    help=f"{', '.join(RECIPES)} or all; separate several with commas, or repeat the option.",
)
@click.option(
    "--io",
    type=click.Choice(["int8", "uint8", "float32"]),
    help="Type of the input and output of an int8 model (int16x8: float32 only).  "
    "[default: int8; int16 for int16x8]",
)
@click.option(
    "--logits",
    is_flag=True,
    help="Leave out the softmax that a .keras model ends in; `fmnist-edge` computes it instead, "
    "and an int8 file gives the same numbers on every processor.",
)
@click.option(
    "--pack-pixels/--no-pack-pixels",
    "pack",
    default=True,
    show_default=True,
    help="Rewrite the first convolution of an int8 model where that is faster and gives the same "
    "numbers; the file grows by a few thousand bytes.",
)
@click.option(
    "--batch",
    type=Whole(1, 1024),
    default=1,
    show_default=True,
    help="Images per run of the model: 1 has the lowest latency, about 16 the most throughput.",
)
@click.option(
    "--representative-size",
    type=Whole(min=1),
    help=f"Number of training images to calibrate on.  [default: {DEFAULT_SIZE}, and at least one "
    "of each class; all if there are fewer]",
)
@seed_option("Which training images to calibrate on.")
@dataset_options(default=None)
@run_options
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder for the files.  [default: beside the model]",
)
@click.option("--force", is_flag=True, help="Replace existing files.")
@click.option(
    "--runtime",
    type=click.Choice(list(RUNTIMES)),
    help="Make only what this runtime can run, and leave out the rest.  [default: the installed "
    "one]",
)
@click.option(
    "--runtime-python",
    metavar="PYTHON",
    help="A Python that has --runtime, to load and run each file with.  [default: this one, if it "
    "has it]",
)
@result_options
@pass_console
def convert(
    console: Console,
    /,
    model: Path | None,
    quantize: tuple[str, ...],
    run_name: str | None,
    runs_dir: str,
    out: Path | None,
    force: bool,
    runtime: str | None,
    runtime_python: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Make .tflite files of the latest run's model, or of MODEL: any .keras file or SavedModel that
    takes raw pixels 0..255.

    Each file is checked before it is written: its graph must be what was asked for, and the
    runtime must load and run it in a process of its own. A manifest beside it records class names,
    preprocessing, the runtime it was made for, and what it was calibrated on: training images only.

    With --runtime, what that runtime cannot run is left out with the reason; where the runtime is
    not here, files are judged by operator versions and tensor types, and the manifest says so.
    """  # noqa: D205
    dataset_choice = {key: options.pop(key) for key in _DATASET_OPTIONS}
    refuse_options_without_dataset(dataset_choice)
    if runtime_python is not None and runtime is None:
        raise click.UsageError("--runtime-python is for --runtime; say which runtime it has.")
    recipes = choose_recipes(quantize)
    refuse_unusable_io(recipes, options["io"])
    target = choose_target(runtime, runtime_python) if runtime else None
    run = _run(model, run_name, Path(runs_dir))
    path = run.model_path if run else model or Path()
    targets = _targets(recipes, path, out, in_run=run is not None)
    chosen = None
    if dataset_choice["dataset"] is not None:
        # A run's own split stays what it is; --seed draws the images to calibrate on.
        split_seed = run.dataset_spec.seed if run else options["seed"]
        chosen = spec_from_options(dataset_choice, seed=split_seed)
    left_out: dict[str, str] = {}
    with _claimed(list(targets.values()), force=force):
        made = convert_all(
            path,
            quantize,
            representative=chosen,
            runtime=target,
            progress=tell_outcomes(targets, left_out, console),
            **options,
        )
        converted = {targets[name]: item for name, item in made.items()}
        put_in_place(converted)
    print_result(converted, left_out, target, as_json)


def _run(model: Path | None, run_name: str | None, runs_dir: Path) -> Run | None:
    """Return the run that the model belongs to, if it belongs to one."""
    if model is None:
        return find_run(runs_dir, run_name)
    if run_name is not None:
        raise click.UsageError("Give a MODEL or --run, not both.")
    return run_of(model)


def _targets(
    recipes: tuple[Recipe, ...], model: Path, out: Path | None, *, in_run: bool
) -> dict[str, Path]:
    folder = out or model.parent
    stem = "" if in_run else f"{model.stem}."
    return {recipe.name: folder / f"{stem}{recipe.name}.tflite" for recipe in recipes}


def _claimed(targets: Sequence[Path], *, force: bool) -> contextlib.AbstractContextManager[None]:
    """Refuse files that are there, and keep other conversions away from them."""
    folder = targets[0].parent
    folder.mkdir(parents=True, exist_ok=True)
    return claimed(
        folder / ".convert.unfinished",
        targets,
        replace=force,
        error=ConversionError,
        advice="replace it with --force",
    )
