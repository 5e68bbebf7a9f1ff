"""The command `convert`."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from converter.api import convert_all, run_of
from converter.calibration import DEFAULT_SIZE
from converter.converted import Converted, put_in_place
from converter.schemes import RECIPES, Recipe, choose_recipes, refuse_unusable_io
from converter.target import Target, choose_target
from edge_runtime.commands.options import (
    dataset_options,
    refuse_options_without_dataset,
    run_options,
    spec_from_options,
)
from edge_runtime.console.numeric import Whole
from edge_runtime.console.talk import Console, json_option, talk_options
from edge_runtime.console.terminal import echo, echo_json
from edge_runtime.errors import ConversionError, UnsupportedError
from edge_runtime.files.claims import claimed
from edge_runtime.models.inspection import RUNTIMES
from edge_runtime.models.runs import Run, find_run
from edge_runtime.proof.health import warning_line

if TYPE_CHECKING:
    from converter.api import Progress

_DATASET_OPTIONS = ("dataset", "train_size", "test_size", "image_size", "channels", "data_dir")


@click.command()
@click.argument("model", required=False, type=click.Path(path_type=Path))
@click.option(
    "--quantize",
    multiple=True,
    default=("int8",),
    show_default=True,
    metavar="RECIPE",
    help=f"{', '.join(RECIPES)}, or all; several with commas or by repeating the option.",
)
@click.option(
    "--io",
    type=click.Choice(["int8", "uint8", "float32"]),
    help="Type of the input and output of int8 (and float32 for int16x8).  "
    "[default: int8; int16 for int16x8]",
)
@click.option(
    "--logits",
    is_flag=True,
    help="Leave the last softmax of a .keras out of the file. `fmnist-edge` computes it then; an "
    "int8 file gives the same numbers on every processor.",
)
@click.option(
    "--pack-pixels/--no-pack-pixels",
    "pack",
    default=True,
    show_default=True,
    help="Rewrite the first convolution of an int8 file, where the runtime is faster then and "
    "gives the same numbers. The file gets a few thousand bytes larger.",
)
@click.option(
    "--batch",
    type=Whole(1, 1024),
    default=1,
    show_default=True,
    help="Images that one run of the model takes: 1 answers soonest, some 16 get most done.",
)
@click.option(
    "--representative-size",
    type=Whole(min=1),
    help=f"Training images to calibrate on.  [default: {DEFAULT_SIZE}, one of each class at "
    "least; all, where there are fewer]",
)
@click.option("--seed", type=Whole(min=0), default=0, show_default=True)
@dataset_options(default=None)
@run_options
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where the files go.  [default: beside the model]",
)
@click.option("--force", is_flag=True, help="Replace files that exist.")
@click.option(
    "--runtime",
    type=click.Choice(list(RUNTIMES)),
    help="Make only what this runtime runs, and leave the rest out.  [default: the one that is "
    "here]",
)
@click.option(
    "--runtime-python",
    metavar="PYTHON",
    help="A Python that has --runtime, to load and run each file with.  [default: this one, if it "
    "has]",
)
@json_option
@talk_options
@click.pass_context
def convert(
    context: click.Context,
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
    path = model or (run.model_path if run else Path())
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
            progress=_told(targets, left_out, context.ensure_object(Console)),
            **options,
        )
        converted = {targets[name]: item for name, item in made.items()}
        put_in_place(converted)
    _print_result(converted, left_out, target, as_json)


def _told(targets: dict[str, Path], left_out: dict[str, str], console: Console) -> "Progress":
    """Return what tells how the work goes on, and remembers what is left out."""

    def tell(recipe: Recipe, outcome: Converted | UnsupportedError | None) -> None:
        if outcome is None:
            console.say(f"converting to {recipe.name}: {recipe.summary}")
            if recipe.note:
                console.say(f"  {recipe.note}")
        elif isinstance(outcome, UnsupportedError):
            left_out[recipe.name] = str(outcome)
            # Not talk: with --quiet, too, nobody should miss that a file is missing.
            echo(f"left out {recipe.name}: {outcome}", err=True)
        else:
            if outcome.speedup is not None:
                console.say(f"  {outcome.speedup}")
            health = outcome.verification.health
            if health is not None and health.warning is not None:
                echo(warning_line(str(targets[recipe.name]), health.warning), err=True)

    return tell


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


def _print_result(
    converted: dict[Path, Converted],
    left_out: dict[str, str],
    target: Target | None,
    as_json: bool,
) -> None:
    if as_json:
        models = [{"path": str(path), **item.to_dict()} for path, item in converted.items()]
        document: dict[str, Any] = {"models": models}
        if target is not None:
            document["runtime"] = {"name": target.runtime.option, "proved": target.is_proved}
            document["left_out"] = [
                {"recipe": name, "reason": reason} for name, reason in left_out.items()
            ]
        echo_json(document)
    elif converted:
        _print_table(converted)
        if target is not None:
            echo(_proof_in_words(next(iter(converted.values())), target))
    if not converted and target is not None:
        raise UnsupportedError(
            f"Nothing was made: {target.runtime.name} does not run {' or '.join(left_out)} of this "
            "model; try another --quantize or --runtime."
        )


def _print_table(converted: dict[Path, Converted]) -> None:
    width = max(len(str(path)) for path in converted)
    echo(f"{'model':<{width}}  {'bytes':>9}  {'input':<8} {'XNNPACK':<16} runs on")
    for path, item in converted.items():
        summary, found = item.summary, item.verification
        echo(
            f"{path!s:<{width}}  {summary.size_bytes:>9,}  {summary.inputs[0].dtype:<8} "
            f"{found.probed.xnnpack:<16} {', '.join(found.supporting)}"
        )


def _proof_in_words(item: Converted, target: Target) -> str:
    ran = item.verification.made_for["ran_in"]
    if target.is_proved:
        return f"Made for {target.runtime.name}; each file was loaded and run in {ran}."
    return (
        f"Made for {target.runtime.name}, judged by operator versions and tensor types only; run "
        f"in {ran}. Prove it with --runtime-python, a Python that has {target.runtime.name}."
    )
