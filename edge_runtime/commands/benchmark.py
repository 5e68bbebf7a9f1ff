"""The command `benchmark`."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import click

from edge_runtime.benchmarks import QUICK, Benchmark, Rounds
from edge_runtime.benchmarks import benchmark as measure
from edge_runtime.benchmarks.contestant import named_models
from edge_runtime.benchmarks.plot import benchmark_plot, refuse_missing_matplotlib
from edge_runtime.benchmarks.table import benchmark_table
from edge_runtime.commands.chain import converted_in, model_name
from edge_runtime.commands.options import (
    BACKEND_NAMES,
    ModelPath,
    completed_by,
    dataset_options,
    file_option,
    named_dataset,
    run_options,
    seed_option,
)
from edge_runtime.commands.outputs import refuse_impossible_file
from edge_runtime.console.help import command
from edge_runtime.console.numeric import Whole
from edge_runtime.console.talk import Console, pass_console, result_options, text_width
from edge_runtime.console.terminal import echo, echo_json
from edge_runtime.data.datasets import Dataset, load_dataset
from edge_runtime.errors import EdgeError, RunError
from edge_runtime.files.writing import refuse_unwritable_folder, write_atomically
from edge_runtime.models.lineage import Lineage, run_for_images
from edge_runtime.models.runs import Run, find_run
from edge_runtime.proof.parity import EXIT_CODES
from edge_runtime.proof.parity.contract_file import CONTRACT_FILE
from edge_runtime.runtimes.backends import Kernels

_DEFAULT = Rounds()
# The options that `measure` takes by these names.
_MEASURING = (
    *("backends", "kernels", "threads"),
    *("rounds", "images_per_round", "workers", "seed", "quick"),
)


@command(
    examples=(
        ("All that was converted in the latest run", "fmnist-edge benchmark"),
        (
            "Two files, in a few seconds each",
            "fmnist-edge benchmark float32.tflite int8.tflite --quick",
        ),
        (
            "With XNNPACK and without it",
            "fmnist-edge benchmark int8.tflite --kernels auto --kernels built-in",
        ),
        (
            "On your own pictures, with a plot",
            "fmnist-edge benchmark --dataset folder:pictures --plot tradeoff.png",
        ),
    ),
)
@click.argument("models", nargs=-1, type=ModelPath(), metavar="[MODEL]...")
@run_options
@dataset_options(default=None)
@click.option(
    "--backend",
    "backends",
    multiple=True,
    metavar="NAME",
    shell_complete=completed_by(*BACKEND_NAMES),
    help=f"Runtime: {', '.join(BACKEND_NAMES)}. Repeat it to compare "
    "several.  [default: the first of the first two that is installed]",
)
@click.option(
    "--kernels",
    multiple=True,
    default=("auto",),
    type=click.Choice(get_args(Kernels)),
    help="auto uses XNNPACK where it can, built-in never does, reference is slow and plain. Repeat "
    "it to compare several.  [default: auto]",
)
@click.option(
    "--threads",
    type=Whole(1, 256),
    default=1,
    show_default=True,
    help="Threads of each interpreter.",
)
@click.option(
    "--rounds",
    type=Whole(1, 10_000),
    help=f"How often each model takes its turn.  [default: {_DEFAULT.rounds}]",
)
@click.option(
    "--images",
    "images_per_round",
    type=Whole(1, 10_000),
    default=_DEFAULT.images,
    show_default=True,
    help="Images to time in each turn, at most; each figure also ends after "
    f"{_DEFAULT.block_ns // 1_000_000} ms.",
)
@click.option(
    "--workers",
    type=Whole(1, 64),
    help="Threads and processes that share the cores for the throughput.  [default: one for each "
    "core]",
)
@seed_option("Seed of the order of the turns.")
@click.option(
    "--quick",
    is_flag=True,
    help=f"Measure {QUICK.rounds.rounds} rounds, and everything else only once.",
)
@file_option(
    "--contract",
    "Check the models against the budgets of this contract.  [default: parity.toml in the current "
    "folder, if there is one]",
)
@file_option(
    "--plot",
    "Draw accuracy against latency and size; needs Matplotlib.",
    to="plot_path",
    metavar="FILE.png",
)
@click.option("--force", is_flag=True, help="Let --plot replace a file.")
@result_options
@pass_console
def benchmark(
    console: Console,
    /,
    models: tuple[Path, ...],
    run_name: str | None,
    runs_dir: str,
    contract: Path | None,
    plot_path: Path | None,
    force: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Measure how fast models are and what they cost, and say which one to use.

    MODEL is a .tflite file, a bundle, or the word `installed`. Without any, all models converted in
    the latest run are compared. The models take turns in every round, so that whatever slows the
    machine down for a while affects all of them; the first one is what the others are compared
    with.

    The result has the latency of one image from an array of pixels and from a PNG, the part of it
    that is spent in our own code, images per second with several threads and processes, the time to
    load and to start, memory, size, accuracy on the run's test images, and on a Raspberry Pi
    temperature, clock and throttling. It takes a few seconds for each model.

    The exit code is 3 if a model breaks a budget of the contract. A float32 model beside others is
    only what they are compared with, and is not checked.
    """
    measuring = {name: options.pop(name) for name in _MEASURING}
    named = named_dataset(options)
    _refuse_impossible_plot(plot_path, force=force)
    lineage = Lineage(Path(runs_dir), run_name)
    run = None if models else find_run(lineage.runs_dir, lineage.run_name)
    compared = named_models(converted_in(run) if run else models, name_of=model_name)
    notes: list[str] = []  # shown once the models are known to be sound
    run = run or _run_of(models, lineage, [] if named else notes)
    dataset = load_dataset(named, needs=("test",)) if named else _dataset(run, notes)
    if plot_path is not None and dataset is None:
        console.say(*notes)
        raise EdgeError("--plot needs test images for the accuracy; name them with --dataset.")
    with _bars(console) as progress:
        found = measure(
            compared,
            dataset=dataset,
            must_fit=named is not None or plot_path is not None,
            contract=contract or (CONTRACT_FILE if CONTRACT_FILE.is_file() else None),
            predictions_folders=[run.parity_folder, run.folder] if run else [],
            progress=progress,
            **measuring,
        )
    misfits = [] if dataset is None else _misfits(found, dataset)
    console.say(*notes, *misfits)
    if plot_path is not None:
        write_atomically(plot_path, benchmark_plot(found))
    _print(found, plot_path, as_json)
    return 0 if found.keeps_budgets else EXIT_CODES["broken"]


def _misfits(found: Benchmark, dataset: Dataset) -> list[str]:
    """Return a sentence for each model that the images do not fit."""
    return [
        f"The accuracy of {each.name} is not measured, since the images of '{dataset.name}' do not "
        "fit it; name others with --dataset."
        for each in found.measured
        if each.score is None
    ]


@contextlib.contextmanager
def _bars(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """Yield what shows a bar for each phase, one after the other."""
    with contextlib.ExitStack() as stack:
        advance: Callable[[int], None] | None = None
        before = 0

        def show(phase: str, done: int, total: int) -> None:
            nonlocal advance, before
            if done == 0 or advance is None:
                stack.close()
                advance = stack.enter_context(console.progress(total, f"{phase:<10}"))
            else:
                advance(done - before)
            before = done

        yield show


def _refuse_impossible_plot(path: Path | None, *, force: bool) -> None:
    """Raise unless the plot can be drawn and written."""
    if path is None:
        return
    if path.suffix.lower() != ".png":
        raise click.UsageError(f"Expected --plot to end in .png, got '{path}'.")
    refuse_impossible_file(path, "--plot")
    if path.exists() and not force:
        raise EdgeError(f"{path} exists; choose another --plot, or use --force.")
    try:
        refuse_unwritable_folder(path.parent)
    except OSError as error:
        raise EdgeError(
            f"{path} cannot be written ({error.strerror}); choose another --plot."
        ) from error
    refuse_missing_matplotlib()


def _run_of(models: Sequence[Path], lineage: Lineage, notes: list[str]) -> Run | None:
    """Return the run whose images the models are for, or else the latest; None for none."""
    if lineage.run_name is not None:
        return find_run(lineage.runs_dir, lineage.run_name)
    try:
        runs = [run_for_images(model, lineage) for model in models]
        if len({run.config["dataset_fingerprint"] for run in runs}) > 1:
            raise RunError(
                "the models are for the images of different runs; name those to use with --dataset."
            )
    except RunError as error:
        notes.append(f"Accuracy is not measured: {error}")
        return None
    return runs[0]


def _dataset(run: Run | None, notes: list[str]) -> Dataset | None:
    """Return the run's images, if they can be loaded."""
    try:
        return run.load_dataset() if run else None
    except EdgeError as error:
        notes.append(f"Accuracy is not measured: {error}")
        return None


def _print(found: Benchmark, plot: Path | None, as_json: bool) -> None:
    if as_json:
        echo_json(found.to_dict())
        return
    echo(*benchmark_table(found, width=text_width()).split("\n"))
    if plot is not None:
        echo("", f"plot  {plot}")
