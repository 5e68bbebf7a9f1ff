"""The command `train`."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_runtime.commands.options import dataset_options, runs_dir_option, spec_from_options
from edge_runtime.console.numeric import Finite, Whole
from edge_runtime.console.talk import Console, json_option, talk_options
from edge_runtime.console.terminal import echo, echo_json
from edge_runtime.errors import RunError, extra_missing
from edge_runtime.models.runs import LATEST
from edge_runtime.runtimes.native import native_messages_silenced
from trainer.recipe import FAST_CNN, NETWORKS, POST_CNN, RECIPES, TrainingConfig

if TYPE_CHECKING:
    from edge_runtime.data.datasets import Dataset
    from trainer.training import Epoch

_RESUMABLE = {"epochs", "learning_rate"}


def _default(setting: str) -> str:
    """Return what the networks take when an option is not given, as help texts say it."""
    own = {field.name: field.default for field in fields(TrainingConfig)}[setting]
    fast = RECIPES[FAST_CNN].get(setting, own)
    named = {True: "flip", False: "no-flip"}
    both = [named[value] if isinstance(value, bool) else str(value) for value in (own, fast)]
    return f"[default: {both[0]}{'' if own == fast else f'; fast-cnn: {both[1]}'}]"


@click.command()
@dataset_options(default="sample")
@click.option(
    "--model",
    default=POST_CNN,
    show_default=True,
    metavar="NAME|FILE",
    help="post-cnn, the article's network; fast-cnn, quick to train and more accurate on full "
    "data; or any Keras 3 image classifier (FILE.keras).",
)
@click.option(
    "--epochs",
    type=Whole(min=0),
    help=f"Passes over the training images; 0 takes the model as it is.  {_default('epochs')}",
)
@click.option("--batch-size", type=Whole(min=1), help=_default("batch_size"))
@click.option(
    "--learning-rate",
    type=Finite(min=0, min_open=True),
    help=f"Of Adam, at its highest.  {_default('learning_rate')}",
)
@click.option(
    "--schedule",
    type=click.Choice(["linear", "constant", "one-cycle"]),
    help="Let the learning rate fall to zero, keep it, or let it rise and then fall.  "
    + _default("schedule"),
)
@click.option(
    "--weight-decay",
    type=Finite(min=0),
    help=f"What a step takes off each kernel, times the learning rate.  {_default('weight_decay')}",
)
@click.option(
    "--label-smoothing",
    type=Finite(0, 1, max_open=True),
    help=f"Share of the truth that is spread over all classes.  {_default('label_smoothing')}",
)
@click.option(
    "--flip/--no-flip",
    default=None,
    help=f"Show each image mirrored in every second epoch.  {_default('flip')}",
)
@click.option(
    "--shift",
    type=Whole(min=0),
    help=f"Move each image by up to so many pixels.  {_default('shift')}",
)
@click.option(
    "--precision",
    type=click.Choice(["float32", "bfloat16"]),
    help="Of the factors in training; bfloat16 where the processor has it.  "
    + _default("precision"),
)
@click.option(
    "--measure",
    type=click.Choice(["epoch", "end"]),
    help=f"Measure the test images after each epoch or at the end.  {_default('measure')}",
)
@click.option(
    "--dropout",
    type=Finite(0, 1, max_open=True),
    help="Of post-cnn.  [default: chosen on training data]",
)
@click.option(
    "--rescale",
    type=Finite(),
    help="Multiply pixels by this in front of FILE.keras, as in 0.00392156862745098 (1/255).",
)
@click.option("--seed", type=Whole(min=0), default=0, show_default=True)
@click.option("--name", help="Name of the run.  [default: MODEL-DATASET-N]")
@runs_dir_option
@click.option("--resume", is_flag=True, help="Go on with an interrupted run (--name, or the last).")
@click.option("--force", is_flag=True, help="Replace a run of the same name, finished or not.")
@json_option
@talk_options
@click.pass_context
def train(
    context: click.Context,
    /,
    name: str | None,
    runs_dir: str,
    resume: bool,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train an image classifier; by default the Fashion-MNIST article's network on the embedded
    sample: 1,000 images, 100 epochs.

    Makes runs/NAME with the model, its history and metrics, seven figures, and what it says about
    the test images.

    A training that was interrupted keeps its last whole epoch. The same command goes on with it, as
    does --resume, and ends with the same weights, bit for bit; --force begins anew.
    """  # noqa: D205
    console = context.ensure_object(Console)
    _refuse_impossible_name(name)
    if resume:
        folder = _resume(context, Path(runs_dir), name, console)
    else:
        folder = _train_anew(Path(runs_dir), name, options, force=force, console=console)
    _print_result(folder, as_json)


def _config(options: dict[str, Any]) -> TrainingConfig:
    spec = spec_from_options(options, seed=options["seed"])
    given = {key: value for key, value in options.items() if value is not None}
    model = options["model"]
    if model in NETWORKS and "rescale" in given:
        raise click.UsageError(f"--rescale is for --model FILE.keras; {model} takes raw pixels.")
    if model == FAST_CNN and "dropout" in given:
        raise click.UsageError("--dropout is for post-cnn; fast-cnn has none.")
    if model != POST_CNN and "dropout" in given:
        raise click.UsageError("--dropout is for post-cnn; FILE.keras has its own.")
    return TrainingConfig.recommended(spec, **given)


def _refuse_impossible_name(name: str | None) -> None:
    if name is not None and (Path(name).name != name or name.startswith(".") or name == LATEST):
        raise RunError(
            f"A run cannot be called '{name}': expected a plain name without '/', not starting "
            "with '.', and not 'latest'. Use --runs-dir for the folder."
        )


def _refuse_changes(context: click.Context) -> None:
    free = {"name", "runs_dir", "resume", "as_json", *_RESUMABLE}
    fixed = [f"--{key.replace('_', '-')}" for key in _given(context) if key not in free]
    if fixed:
        raise click.UsageError(
            f"{', '.join(fixed)} cannot change: --resume takes only --epochs and --learning-rate."
        )


def _given(context: click.Context) -> list[str]:
    """Return the parameters that the command line names."""
    return [
        key
        for key in context.params
        if context.get_parameter_source(key) is click.core.ParameterSource.COMMANDLINE
    ]


def _train_anew(
    runs_dir: Path, name: str | None, options: dict[str, Any], *, force: bool, console: Console
) -> Path:
    """Train a run, or go on where the same command was killed; return its folder."""
    from edge_runtime.data.datasets import load_dataset

    # All that can be refused is refused before TensorFlow is imported, which takes seconds.
    config = _config(options)
    dataset = load_dataset(config.dataset)
    with _tensorflow_needed():
        from trainer import partial, starting

    target = runs_dir / name if name else starting.choose_target(runs_dir, config, dataset)
    starting.refuse_existing(target, config, dataset, replace_old=force)
    model = starting.initial_model(config, dataset)
    with partial.working_on(target) as folder:
        if starting.begin(folder, config, dataset, model, replace_old=force):
            console.say(f"going on with {target.name}, which was interrupted")
        if partial.is_resumable(folder):
            _finish(folder, config, dataset, console)
        else:  # the run is in place
            partial.finish(target)
    return target


def _resume(context: click.Context, runs_dir: Path, name: str | None, console: Console) -> Path:
    """Go on with an interrupted run; return its folder."""
    from edge_runtime.data.datasets import load_dataset

    _refuse_changes(context)
    with _tensorflow_needed():
        from trainer import partial, starting

    target = starting.find_interrupted(runs_dir, name)
    with partial.working_on(target) as folder:
        if not partial.is_resumable(folder):
            partial.finish(target)  # the run is in place
            return target
        changes = {key: context.params[key] for key in _given(context) if key in _RESUMABLE}
        config = replace(starting.resumed_config(folder), **changes)
        _finish(folder, config, load_dataset(config.dataset), console)
    return target


@contextlib.contextmanager
def _tensorflow_needed() -> Iterator[None]:
    try:
        with native_messages_silenced():
            yield
    except ImportError as error:
        raise extra_missing("`fmnist-edge train`", error) from error


def _finish(folder: Path, config: TrainingConfig, dataset: "Dataset", console: Console) -> None:
    """Train to the end in a partial folder, and show how far it is."""
    from trainer.run import finish_run

    console.say(
        f"{dataset.name}: {len(dataset.train):,} training and {len(dataset.test):,} test images, "
        f"{dataset.class_count} classes"
    )
    with (
        _kept_on_interrupt(console, folder) as check_interrupt,
        _epochs_shown(console, config.epochs, check_interrupt) as on_epoch,
    ):
        finish_run(folder, config, dataset, on_epoch=on_epoch, on_step=console.say)


@contextlib.contextmanager
def _epochs_shown(console: Console, epochs: int, check_interrupt: Callable[[], None]) -> Any:
    """Show a bar that moves with the epochs, with the accuracies beside it."""
    shown: dict[str, Any] = {"last": None}

    def describe(_: object) -> str:
        last: Epoch | None = shown["last"]
        if last is None:
            return ""
        tested = f", test {last['test_accuracy']:.3f}" if "test_accuracy" in last else ""
        return f"accuracy {last['accuracy']:.3f}{tested}"

    with contextlib.ExitStack() as shown_bar:
        advance = shown_bar.enter_context(console.progress(epochs, "training", describe))
        done = 0

        def on_epoch(epoch: "Epoch") -> None:
            nonlocal done
            check_interrupt()
            shown["last"] = epoch
            advance(int(epoch["epoch"]) - done)
            done = int(epoch["epoch"])
            if done >= epochs:
                shown_bar.close()  # what comes now is said on lines of its own

        yield on_epoch


@contextlib.contextmanager
def _kept_on_interrupt(console: Console, partial: Path) -> Any:
    """Say how to go on after Ctrl-C; yield a check that raises when one was lost.

    Python drops an exception that a signal raises within a destructor or a callback from C, and
    TensorFlow has many of both; so the signal is remembered, and asked for after each epoch.
    """
    lost = False

    def interrupt(number: int, frame: object) -> None:
        nonlocal lost
        lost = True
        raise KeyboardInterrupt

    def check() -> None:
        if lost:
            raise KeyboardInterrupt

    # A shell that starts a job in the background lets it ignore the signal; so it shall stay.
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    listens = threading.current_thread() is threading.main_thread() and not ignored
    before = signal.signal(signal.SIGINT, interrupt) if listens else None
    try:
        yield check
    except KeyboardInterrupt:
        name = partial.name.removeprefix(".").removesuffix(".partial")
        where = "" if str(partial.parent) == "runs" else f" --runs-dir {partial.parent}"
        console.say(
            "",
            "The last whole epoch is kept; go on with: "
            f"fmnist-edge train --resume --name {name}{where}",
        )
        raise
    finally:
        if listens:
            signal.signal(signal.SIGINT, before)


def _print_result(folder: Path, as_json: bool) -> None:
    import json

    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    if as_json:
        echo_json({"run": str(folder), **metrics})
        return
    accuracy = metrics["test_accuracy"]
    low, high = accuracy["interval_95"]
    echo(f"run            {folder}")
    echo(f"parameters     {metrics['parameter_count']:,}")
    echo(
        f"test accuracy  {accuracy['value']:.1%} (95 % interval {low:.1%} to {high:.1%}, "
        f"{accuracy['total']:,} images)"
    )
    echo(f"figures        {folder / 'figures'}")
