"""The command `demo`: the whole chain, by the commands that a user would type."""

import time
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image, ImageOps

from edge_runtime.commands.options import runs_dir_option
from edge_runtime.console.help import command
from edge_runtime.console.numeric import Whole
from edge_runtime.console.talk import Console, talk_options
from edge_runtime.console.terminal import echo
from edge_runtime.data.datasets import Dataset
from edge_runtime.models.runs import find_run

_PICTURE_CLASSES = 6
_PICTURE_SIDE = 280


@command(
    examples=(
        ("The whole chain in a minute", "fmnist-edge demo"),
        ("Only a glance at it", "fmnist-edge demo --epochs 5 --runs-dir /tmp/runs"),
    ),
)
@runs_dir_option
@click.option("--epochs", type=Whole(min=1), default=100, show_default=True)
@talk_options
@click.pass_context
def demo(context: click.Context, runs_dir: str, epochs: int) -> Any:
    """Show the whole chain on the embedded sample: train, convert, classify, prove parity, bundle.

    It takes about a minute on two cores and needs no network.
    """
    start = time.monotonic()
    runs = ("--runs-dir", runs_dir)
    _step(context, "1/5 Train the article's network on 1,000 images")
    _call(context, "train", "--epochs", str(epochs), *runs)
    run = find_run(Path(runs_dir))
    _step(context, "2/5 Convert it to five .tflite files")
    _call(context, "convert", "--quantize", "all", *runs)
    _step(context, "3/5 Classify some pictures with the int8 file; TensorFlow is not needed for it")
    pictures = _write_pictures(run.load_dataset(), run.folder / "pictures")
    _call(context, "classify", str(run.folder / "int8.tflite"), str(pictures))
    _step(context, "4/5 Prove that each file answers like the full model")
    exit_code = _call(context, "parity", *runs)
    echo(f"figures {run.folder / 'figures'}")
    _step(context, "5/5 Pack the int8 file into a bundle, and let it test itself as on a device")
    _call(context, "bundle", *runs)
    exit_code = _call(context, "selftest", str(run.folder / "int8.edge.zip")) or exit_code
    context.ensure_object(Console).say("", f"Done in {time.monotonic() - start:.0f} s.")
    return exit_code


def _step(context: click.Context, heading: str) -> None:
    context.ensure_object(Console).say("", heading)


def _call(context: click.Context, name: str, *arguments: str) -> Any:
    """Call another command of the group, which imports it, as if it had been typed."""
    group = context.find_root().command
    assert isinstance(group, click.Group)
    command = group.get_command(context, name)
    assert command is not None
    with command.make_context(name, list(arguments), parent=context.parent) as called:
        return command.invoke(called)


def _write_pictures(dataset: Dataset, folder: Path) -> Path:
    """Write the first test images of some classes, every other one as if photographed on white."""
    folder.mkdir(exist_ok=True)
    for label in range(_PICTURE_CLASSES):
        image = dataset.test.images[int(np.argmax(dataset.test.labels == label))]
        picture = Image.fromarray(image[..., 0]).resize((_PICTURE_SIDE, _PICTURE_SIDE))
        name = dataset.class_names[label].lower().replace("/", "-").replace(" ", "-")
        if label % 2:
            ImageOps.invert(picture).save(folder / f"{name}-on-white.png")
        else:
            picture.save(folder / f"{name}.png")
    return folder
