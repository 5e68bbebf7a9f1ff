"""The command `convert`."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from converter.calibration import DEFAULT_SIZE
from converter.schemes import RECIPES, Io, Recipe, choose_recipes, input_output_type
from edge_runtime.commands.options import (
    dataset_options,
    refuse_options_without_dataset,
    run_options,
    spec_from_options,
)
from edge_runtime.console.numeric import Whole
from edge_runtime.console.talk import Console, json_option, talk_options
from edge_runtime.console.terminal import echo, echo_json
from edge_runtime.errors import ConversionError, DatasetError, UnsupportedError, extra_missing
from edge_runtime.files.claims import claimed
from edge_runtime.models.inspection import RUNTIMES
from edge_runtime.proof.health import warning_line
from edge_runtime.runtimes.native import native_messages_silenced

if TYPE_CHECKING:
    from converter.calibration import RepresentativeDataset
    from converter.conversion import SourceModel
    from converter.job import Converted, LabelledImages, Labels
    from converter.target import Target
    from edge_runtime.data.datasets import Dataset
    from edge_runtime.models.runs import Run


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
    io: Io | None,
    logits: bool,
    pack: bool,
    batch: int,
    representative_size: int | None,
    seed: int,
    run_name: str | None,
    runs_dir: str,
    out: Path | None,
    force: bool,
    runtime: str | None,
    runtime_python: str | None,
    as_json: bool,
    **dataset_choice: Any,
) -> None:
    """Make .tflite files of the latest run's model, or of MODEL: any .keras file or SavedModel that
    takes raw pixels 0..255.

    Each file is checked before it is put in place: its graph must be what was asked for, and the
    runtime must load and run it in a process of its own. A manifest beside it records class names,
    preprocessing, the runtime it was made for, and what it was calibrated on: training images only.

    With --runtime, what that runtime cannot run is left out with the reason; where the runtime is
    not here, files are judged by operator versions and tensor types, and the manifest says so.
    """  # noqa: D205
    refuse_options_without_dataset(dataset_choice)
    if runtime_python is not None and runtime is None:
        raise click.UsageError("--runtime-python is for --runtime; say which runtime it has.")
    recipes = choose_recipes(quantize)
    _refuse_unusable_io(recipes, io)
    try:
        with native_messages_silenced():
            from converter.conversion import open_source
            from converter.job import convert_and_prove, put_in_place
            from converter.target import choose_target
    except ImportError as error:
        raise extra_missing("`fmnist-edge convert`", error) from error

    made_for = choose_target(runtime, runtime_python) if runtime else None
    run = _run(model, run_name, Path(runs_dir))
    path = model or (run.model_path if run else Path())
    targets = _targets(recipes, path, out, in_run=run is not None)

    def make(recipe: Recipe) -> "Converted":
        return convert_and_prove(
            source,
            recipe,
            targets[recipe.name],
            io_type=input_output_type(recipe, io),
            labels=labels,
            representative=representative,
            runtime=made_for,
            pack=pack,
            batch=batch,
            labelled=labelled,
        )

    with _claimed(list(targets.values()), force=force):
        source = open_source(path, logits=logits)
        # A run's own split stays what it is; --seed draws the images to calibrate on.
        split_seed = run.dataset_spec.seed if run else seed
        dataset = _dataset(run, dataset_choice, split_seed)
        labels = _labels(source, run, dataset)
        if logits:
            labels = replace(labels, output="logits")
        representative = _representative(recipes, dataset, representative_size, seed)
        labelled = _labelled(source, representative, dataset, seed)
        converted, left_out = _made(recipes, make, context.ensure_object(Console))
        put_in_place(converted)
    _print_result(converted, left_out, made_for, as_json)


def _made(
    recipes: tuple[Recipe, ...], make: "Callable[[Recipe], Converted]", console: Console
) -> "tuple[list[Converted], dict[str, str]]":
    """Return what could be made, and why the rest was left out; both are told as they come."""
    converted, left_out = [], {}
    for recipe in recipes:
        _announce(recipe, console)
        try:
            converted.append(make(recipe))
        except UnsupportedError as error:
            left_out[recipe.name] = str(error)
            # Not talk: with --quiet, too, nobody should miss that a file is missing.
            echo(f"left out {recipe.name}: {error}", err=True)
        else:
            if converted[-1].speedup is not None:
                console.say(f"  {converted[-1].speedup}")
            health = converted[-1].health
            if health is not None and health.warning is not None:
                echo(warning_line(str(converted[-1].path), health.warning), err=True)
    return converted, left_out


def _announce(recipe: Recipe, console: Console) -> None:
    console.say(f"converting to {recipe.name}: {recipe.summary}")
    if recipe.note:
        console.say(f"  {recipe.note}")


def _refuse_unusable_io(recipes: tuple[Recipe, ...], io: Io | None) -> None:
    if io is None or any(recipe.calibrated and io in recipe.io_choices for recipe in recipes):
        return
    if io == "float32":
        return
    names = ", ".join(recipe.name for recipe in recipes)
    raise ConversionError(
        f"--io {io} is for --quantize int8; {names} cannot have it. Leave --io out."
    )


def _run(model: Path | None, run_name: str | None, runs_dir: Path) -> "Run | None":
    """Return the run that the model belongs to, if it belongs to one."""
    from edge_runtime.models.runs import find_run, open_run

    if model is None:
        return find_run(runs_dir, run_name)
    if run_name is not None:
        raise click.UsageError("Give a MODEL or --run, not both.")
    if model.name == "model.keras" and (model.parent / "config.json").is_file():
        return open_run(model.parent)
    return None


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


def _dataset(run: "Run | None", choice: dict[str, Any], seed: int) -> "Dataset | None":
    from edge_runtime.data.datasets import load_dataset

    chosen = choice["dataset"] is not None
    if run is not None and not chosen:
        return run.load_dataset()
    if not chosen:
        return None
    return load_dataset(spec_from_options(choice, seed=seed))


def _representative(
    recipes: tuple[Recipe, ...], dataset: "Dataset | None", size: int | None, seed: int
) -> "RepresentativeDataset | None":
    from converter.calibration import choose_representative

    if not any(recipe.calibrated for recipe in recipes):
        return None
    if dataset is None:
        raise ConversionError(
            "int8 and int16x8 need images to calibrate on; give the training set of the model, as "
            "in --dataset idx:DIR."
        )
    return choose_representative(dataset, size=size, seed=seed)


def _labelled(
    source: "SourceModel",
    representative: "RepresentativeDataset | None",
    dataset: "Dataset | None",
    seed: int,
) -> "LabelledImages | None":
    """Return training images to try the files on, those of the calibration; never test images."""
    from converter.calibration import choose_representative
    from converter.job import LabelledImages

    chosen = representative
    if chosen is None and dataset is not None:
        with contextlib.suppress(DatasetError):  # what only tries a file must not prevent it
            chosen = choose_representative(dataset, size=None, seed=seed)
    if chosen is None or source.class_count != len(chosen.class_names):
        return None
    source.static_shape(chosen.images.shape[1:])
    return LabelledImages(chosen.images, chosen.labels, source.answers(chosen.images))


def _labels(source: "SourceModel", run: "Run | None", dataset: "Dataset | None") -> "Labels":
    from converter.job import Labels
    from edge_runtime.data.images import Preprocessing

    if run is not None:
        names = tuple(str(name) for name in run.config["class_names"])
        if dataset is not None and dataset.class_names != names:
            raise ConversionError(
                f"The classes of '{dataset.name}' are not those of {run.name}; calibrate on images "
                "of the same classes."
            )
        preprocessing = Preprocessing.from_dict(run.config["preprocessing"])
        origin = {
            "name": run.dataset_spec.source,
            "fingerprint": run.config["dataset_fingerprint"],
        }
        return Labels(names, preprocessing, run.config["output"], origin)
    if dataset is not None:
        origin = {"name": dataset.name, "fingerprint": dataset.fingerprint}
        return Labels(dataset.class_names, dataset.preprocessing, dataset=origin)
    shape = source.static_shape(None)[1:]
    numbered = tuple(str(index) for index in range(source.class_count))
    channels = shape[2] if len(shape) == 3 else 1
    return Labels(numbered, Preprocessing(shape[0], shape[1], channels))


def _print_result(
    converted: "list[Converted]", left_out: dict[str, str], target: "Target | None", as_json: bool
) -> None:
    if as_json:
        document: dict[str, Any] = {"models": [item.to_dict() for item in converted]}
        if target is not None:
            document["runtime"] = {"name": target.runtime.option, "proved": target.is_proved}
            document["left_out"] = [
                {"recipe": name, "reason": reason} for name, reason in left_out.items()
            ]
        echo_json(document)
    elif converted:
        _print_table(converted)
        if target is not None:
            echo(_proof_in_words(converted[0], target))
    if not converted and target is not None:
        raise UnsupportedError(
            f"Nothing was made: {target.runtime.name} does not run {' or '.join(left_out)} of this "
            "model; try another --quantize or --runtime."
        )


def _print_table(converted: "list[Converted]") -> None:
    width = max(len(str(item.path)) for item in converted)
    echo(f"{'model':<{width}}  {'bytes':>9}  {'input':<8} {'XNNPACK':<16} runs on")
    for item in converted:
        summary = item.verified.summary
        runtimes = ", ".join(
            support.runtime for support in item.verified.runtimes if support.supported
        )
        echo(
            f"{item.path!s:<{width}}  {summary.size_bytes:>9,}  {summary.inputs[0].dtype:<8} "
            f"{item.probed.xnnpack:<16} {runtimes}"
        )


def _proof_in_words(item: "Converted", target: "Target") -> str:
    ran = item.made_for["ran_in"]
    if target.is_proved:
        return f"Made for {target.runtime.name}; each file was loaded and run in {ran}."
    return (
        f"Made for {target.runtime.name}, judged by operator versions and tensor types only; run "
        f"in {ran}. Prove it with --runtime-python, a Python that has {target.runtime.name}."
    )
