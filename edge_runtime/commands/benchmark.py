"""The command `benchmark`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import click

from edge_runtime.benchmarks import Benchmark, Rounds, Settings, open_contestants, run_benchmark
from edge_runtime.benchmarks.plot import benchmark_plot, refuse_missing_matplotlib
from edge_runtime.benchmarks.table import benchmark_table
from edge_runtime.commands.chain import model_name
from edge_runtime.commands.options import (
    ModelPath,
    dataset_options,
    refuse_options_without_dataset,
    run_options,
    spec_from_options,
)
from edge_runtime.console.numeric import Whole
from edge_runtime.console.talk import Console, json_option, talk_options, text_width
from edge_runtime.console.terminal import echo, echo_json
from edge_runtime.data.datasets import Dataset, load_dataset
from edge_runtime.errors import EdgeError, RunError
from edge_runtime.files.writing import refuse_unwritable_folder, write_atomically
from edge_runtime.inference.pool import usable_cores
from edge_runtime.models.lineage import Lineage, run_for_images
from edge_runtime.models.runs import Run, find_run
from edge_runtime.proof.parity import EXIT_CODES, Budgets
from edge_runtime.proof.parity.contract_file import CONTRACT_FILE, load_contract
from edge_runtime.runtimes.backends import BACKENDS, Kernels, choose_backend

_DEFAULT = Rounds()
_QUICK = Settings(loads=1, starts=1, seconds=0.1, repeats=1)
_QUICK_ROUNDS = 10


@click.command()
@click.argument("models", nargs=-1, type=ModelPath(), metavar="[MODEL]...")
@run_options
@dataset_options(default=None)
@click.option(
    "--backend",
    "backends",
    multiple=True,
    metavar="NAME",
    help=f"{', '.join(backend.name for backend in BACKENDS)}; several are compared.  [default: "
    "the first of the first two that is installed]",
)
@click.option(
    "--kernels",
    multiple=True,
    default=("auto",),
    type=click.Choice(get_args(Kernels)),
    help="auto uses XNNPACK where it can, built-in never; reference is slow and plain. Several are "
    "compared.  [default: auto]",
)
@click.option(
    "--threads",
    type=Whole(1, 256),
    default=1,
    show_default=True,
    help="Of each interpreter.",
)
@click.option(
    "--rounds",
    type=Whole(1, 10_000),
    help=f"How often each model has its turn.  [default: {_DEFAULT.rounds}]",
)
@click.option(
    "--images",
    type=Whole(1, 10_000),
    default=_DEFAULT.images,
    show_default=True,
    help=f"Of a turn, at most; no figure takes over {_DEFAULT.block_ns // 1_000_000} ms of one.",
)
@click.option(
    "--workers",
    type=Whole(1, 64),
    help="Threads and processes that share the cores for throughput.  [default: the cores]",
)
@click.option(
    "--seed", type=Whole(min=0), default=0, show_default=True, help="Of the turns' order."
)
@click.option(
    "--quick", is_flag=True, help=f"{_QUICK_ROUNDS} rounds, and everything else only once."
)
@click.option(
    "--contract",
    "contract_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Hold the models to its budgets.  [default: parity.toml here, if there is one]",
)
@click.option(
    "--plot",
    "plot_path",
    type=click.Path(path_type=Path),
    metavar="FILE.png",
    help="Draw accuracy against latency and size; needs Matplotlib.",
)
@click.option("--force", is_flag=True, help="Let --plot replace a file.")
@json_option
@talk_options
@click.pass_context
def benchmark(
    context: click.Context,
    /,
    models: tuple[Path, ...],
    run_name: str | None,
    runs_dir: str,
    backends: tuple[str, ...],
    kernels: tuple[Kernels, ...],
    threads: int,
    rounds: int | None,
    images: int,
    workers: int | None,
    seed: int,
    quick: bool,
    contract_path: Path | None,
    plot_path: Path | None,
    force: bool,
    as_json: bool,
    **dataset_choice: Any,
) -> int:
    """Measure how fast models are and what they take, and say which to take.

    MODEL is a .tflite, a bundle, or the word `installed`; without any, all that was converted in
    the latest run are compared. Each takes its turn in every round, so that whatever slows the
    machine down for a while hits all alike, and the first is what the others are compared with.

    Shown are the latency of one image from an array of pixels and from a PNG, the part of it that
    is our own code, images a second with several threads and processes, the time to load and to
    start, memory, size, accuracy on the run's test images, and on a Pi temperature, clock and
    throttling. It takes a few seconds for each model.

    Exits with 3 when a model breaks a budget of the contract; a float32 model beside others is only
    what they are compared with, and is not held to it.
    """
    console = context.ensure_object(Console)
    refuse_options_without_dataset(dataset_choice)
    budgets = _budgets(contract_path)
    _refuse_impossible_plot(plot_path, force=force)
    asked_for = dataset_choice["dataset"] is not None
    lineage = Lineage(Path(runs_dir), run_name)
    run = None if models else find_run(lineage.runs_dir, lineage.run_name)
    chosen = [choose_backend(name) for name in dict.fromkeys(backends)] or [choose_backend()]
    contestants = open_contestants(
        models or _converted(run),
        backends=chosen,
        kernels=tuple(dict.fromkeys(kernels)),
        threads=threads,
        name_of=model_name,
    )
    run = run or _run_of(models, lineage, console, images_named=asked_for)
    dataset = _dataset(dataset_choice, run, console)
    if plot_path is not None and dataset is None:
        raise EdgeError("--plot needs test images for the accuracy; name them with --dataset.")
    found = run_benchmark(
        contestants,
        settings=_settings(rounds, images, workers or usable_cores(), seed, quick=quick),
        dataset=dataset,
        must_fit=asked_for or plot_path is not None,
        predictions_folders=[run.parity_folder, run.folder] if run else [],
        budgets=budgets,
        progress=console.progress,
    )
    for each in found.measured:
        if dataset is not None and each.score is None:
            console.say(
                f"The accuracy of {each.name} is not measured, since the images of "
                f"'{dataset.name}' do not fit it; name others with --dataset."
            )
    if plot_path is not None:
        write_atomically(plot_path, benchmark_plot(found))
    _print(found, plot_path, as_json)
    return 0 if found.keeps_budgets else EXIT_CODES["broken"]


def _budgets(path: Path | None) -> Budgets | None:
    if path is None and not CONTRACT_FILE.is_file():
        return None
    return load_contract(path or CONTRACT_FILE).budgets


def _refuse_impossible_plot(path: Path | None, *, force: bool) -> None:
    """Raise unless the plot can be drawn and written; asked before the slow part."""
    if path is None:
        return
    if path.suffix.lower() != ".png":
        raise click.UsageError(f"Expected --plot to end in .png, got '{path}'.")
    if path.is_dir():
        raise EdgeError(f"{path} is a folder; choose another --plot.")
    if path.exists() and not force:
        raise EdgeError(f"{path} exists; choose another --plot, or use --force.")
    if not path.parent.is_dir():
        raise EdgeError(f"There is no folder {path.parent}; make it, or choose another --plot.")
    try:
        refuse_unwritable_folder(path.parent)
    except OSError as error:
        raise EdgeError(
            f"{path} cannot be written ({error.strerror}); choose another --plot."
        ) from error
    refuse_missing_matplotlib()


def _run_of(
    models: Sequence[Path], lineage: Lineage, console: Console, *, images_named: bool
) -> Run | None:
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
        if not images_named:
            console.say(f"Accuracy is not measured: {error}")
        return None
    return runs[0]


def _converted(run: Run | None) -> list[Path]:
    models = run.converted_models() if run else []
    if run and not models:
        raise RunError(
            f"{run.name} has no converted models yet; make one first with: fmnist-edge convert"
        )
    return models


def _dataset(options: dict[str, Any], run: Run | None, console: Console) -> Dataset | None:
    """Return the images: those that were named, or else the run's if they can be loaded."""
    if options["dataset"] is not None:
        return load_dataset(spec_from_options(options, seed=0), needs=("test",))
    try:
        return run.load_dataset() if run else None
    except EdgeError as error:
        console.say(f"Accuracy is not measured: {error}")
        return None


def _settings(rounds: int | None, images: int, workers: int, seed: int, *, quick: bool) -> Settings:
    base = _QUICK if quick else Settings()
    number = rounds or (_QUICK_ROUNDS if quick else _DEFAULT.rounds)
    return replace(base, rounds=Rounds(number, images, seed=seed), workers=workers)


def _print(found: Benchmark, plot: Path | None, as_json: bool) -> None:
    if as_json:
        echo_json(found.to_dict())
        return
    echo(*benchmark_table(found, width=text_width()).split("\n"))
    if plot is not None:
        echo("", f"plot  {plot}")
