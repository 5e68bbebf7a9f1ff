"""The command `train`."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import TYPE_CHECKING, Any, get_args

import click

from edge_runtime.commands.options import (
    completed_by,
    dataset_options,
    runs_dir_option,
    seed_option,
    spec_from_options,
)
from edge_runtime.console.help import command
from edge_runtime.console.numeric import Finite, Whole
from edge_runtime.console.talk import Console, Decorator, result_options
from edge_runtime.console.terminal import echo, echo_json
from edge_runtime.errors import RecipeError
from trainer import api
from trainer.recipe import (
    FAST_CNN,
    POST_CNN,
    RECIPES,
    Epoch,
    Measure,
    Precision,
    Schedule,
    TrainingConfig,
)

if TYPE_CHECKING:
    from trainer.ending import Progress

_RESUMABLE = ("epochs", "learning_rate")


def _setting(name: str, kind: Any, text: str) -> Decorator:
    """Return the option of a setting; its help ends with what the networks take without it."""
    own = {field.name: field.default for field in fields(TrainingConfig)}[name]
    both = own, RECIPES[FAST_CNN].get(name, own)
    option, words = f"--{name.replace('_', '-')}", [str(value) for value in both]
    if kind is bool:
        option, words = f"--{name}/--no-{name}", [name if on else f"no-{name}" for on in both]
    default = words[0] if own == both[1] else f"{words[0]}; fast-cnn: {words[1]}"
    return click.option(option, type=kind, default=None, help=f"{text}  [default: {default}]")


@command(
    first=("dataset", "name"),
    examples=(
        ("The article's run on the embedded sample", "fmnist-edge train"),
        (
            "The fast network on all of Fashion-MNIST",
            "fmnist-edge train --dataset fashion_mnist --model fast-cnn",
        ),
        (
            "Your own pictures, one folder for each class",
            "fmnist-edge train --dataset folder:photos --image-size 64x64 --name boots",
        ),
        ("Continue what was interrupted last", "fmnist-edge train --resume"),
    ),
)
@dataset_options(default="sample")
@click.option(
    "--model",
    default=POST_CNN,
    show_default=True,
    metavar="NAME|FILE",
    shell_complete=completed_by(POST_CNN, FAST_CNN),
    help="post-cnn, the article's network; fast-cnn, which trains faster and is more accurate on "
    "full data; or any Keras 3 image classifier (FILE.keras).",
)
@_setting("epochs", Whole(min=0), "Passes over the training images; 0 takes the model as it is.")
@_setting("batch_size", Whole(min=1), "Images per step.")
@_setting("learning_rate", Finite(min=0, min_open=True), "Highest learning rate of Adam.")
@_setting(
    "schedule",
    click.Choice(get_args(Schedule)),
    "The learning rate falls to zero, stays, or rises and then falls.",
)
@_setting(
    "weight_decay",
    Finite(min=0),
    "Share of each kernel that a step takes away, times the learning rate.",
)
@_setting(
    "label_smoothing",
    Finite(0, 1, max_open=True),
    "Share of each label that is spread over all classes.",
)
@_setting("flip", bool, "Mirror each image in every second epoch.")
@_setting("shift", Whole(min=0), "Shift each image by up to this many pixels.")
@_setting(
    "precision",
    click.Choice(get_args(Precision)),
    "Precision of products in training; bfloat16 where the processor has it.",
)
@_setting(
    "measure",
    click.Choice(get_args(Measure)),
    "Evaluate on the test images after each epoch or at the end.",
)
@click.option(
    "--dropout",
    type=Finite(0, 1, max_open=True),
    help="Dropout of post-cnn.  [default: chosen on training data]",
)
@click.option(
    "--rescale",
    type=Finite(),
    help="Multiply pixels by this before FILE.keras, as in 0.00392156862745098 (1/255).",
)
@seed_option("Seed of weights, order of images, dropout, mirroring and shifts.")
@click.option("--name", help="Name of the run.  [default: MODEL-DATASET-N]")
@runs_dir_option
@click.option("--resume", is_flag=True, help="Continue an interrupted run (--name, or the last).")
@click.option("--force", is_flag=True, help="Replace a run of the same name, finished or not.")
@result_options
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

    Writes runs/NAME with the model, its history and metrics, seven figures, and what it predicts
    for the test images.

    A training that was interrupted keeps its last whole epoch. The same command continues it, as
    does --resume, and ends with the same weights, bit for bit; --force starts again.
    """  # noqa: D205
    console = context.ensure_object(Console)
    if resume:
        _refuse_changes(context)
        options = {key: options[key] for key in _RESUMABLE}
    else:
        spec = spec_from_options(options, seed=options["seed"])
        try:
            TrainingConfig.recommended(spec, **options)
        except RecipeError as error:
            raise click.UsageError(f"--{error}") from error
        options |= {"dataset": spec, "force": force}
    with _epochs_shown(console) as progress:
        run = (api.resume if resume else api.train)(
            name=name, runs_dir=runs_dir, progress=progress, say=console.say, **options
        )
    if as_json:
        echo_json({"run": str(run.folder), **run.metrics})
    else:
        echo(*(f"{name:<13}  {value}" for name, value in run.rows()))


def _refuse_changes(context: click.Context) -> None:
    free = {"name", "runs_dir", "resume", "as_json", *_RESUMABLE}
    fixed = [
        f"--{key.replace('_', '-')}"
        for key in context.params
        if context.get_parameter_source(key) is click.core.ParameterSource.COMMANDLINE
        and key not in free
    ]
    if fixed:
        raise click.UsageError(
            f"{', '.join(fixed)} cannot change: --resume takes only --epochs and --learning-rate."
        )


@contextlib.contextmanager
def _epochs_shown(console: Console) -> "Iterator[Progress]":
    """Show a bar that moves with the epochs, with the accuracies beside it."""
    shown: Epoch = {}
    moved: list[Callable[[int], None]] = []
    before = 0

    def describe(_: object) -> str:
        tested = f", test {shown['test_accuracy']:.3f}" if "test_accuracy" in shown else ""
        return f"accuracy {shown['accuracy']:.3f}{tested}" if shown else ""

    with contextlib.ExitStack() as bar:

        def progress(done: int, epochs: int, epoch: Epoch | None) -> None:
            nonlocal before, shown
            if not moved:
                moved.append(bar.enter_context(console.progress(epochs, "training", describe)))
            shown = epoch or {}
            moved[0](done - before)
            before = done
            if done >= epochs:
                bar.close()  # what comes now is said on lines of its own

        yield progress
