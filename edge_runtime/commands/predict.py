"""The command `predict`."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import click

from edge_runtime.commands.chain import images_for, model_name
from edge_runtime.commands.options import (
    BACKEND_NAMES,
    ModelPath,
    completed_by,
    dataset_options,
    file_option,
    named_dataset,
    run_options,
)
from edge_runtime.commands.outputs import chosen_file, refuse_impossible_file
from edge_runtime.console.help import command
from edge_runtime.console.numeric import Whole
from edge_runtime.console.talk import Console, pass_console, result_options
from edge_runtime.console.terminal import echo, echo_json
from edge_runtime.data.predictions import PREDICTIONS_SUFFIX, Predictions
from edge_runtime.errors import PredictionsError
from edge_runtime.files.claims import claimed
from edge_runtime.files.reading import MEBIBYTE
from edge_runtime.inference.details import SplitName, chosen_split
from edge_runtime.inference.evaluation import predict_file
from edge_runtime.models.full_model import is_full_model
from edge_runtime.models.lineage import Lineage
from edge_runtime.models.model_file import refuse_missing
from edge_runtime.proof.metrics import Rate
from edge_runtime.runtimes.backends import Kernels
from edge_runtime.wording import plural


@command(
    first=("dataset", "out"),
    examples=(
        (
            "The test images of the run that made the model",
            "fmnist-edge predict runs/latest/int8.tflite",
        ),
        (
            "Your own pictures, one folder for each class",
            "fmnist-edge predict model.tflite --dataset folder:photos --image-size 28x28",
        ),
        (
            "On a device, for `parity` elsewhere",
            "fmnist-edge predict installed --dataset images:test.npz --name pi4",
        ),
    ),
)
@click.argument("model", type=ModelPath())
@run_options
@dataset_options(default=None)
@click.option(
    "--split",
    type=click.Choice(get_args(SplitName)),
    default="test",
    show_default=True,
    help="Which images of the dataset.",
)
@file_option(
    "--out",
    "Where to write, a folder or a name that ends in .predictions.npz.  "
    "[default: NAME.predictions.npz here]",
)
@click.option("--force", is_flag=True, help="Replace predictions of that name.")
@click.option(
    "--name", help="What reports call the model.  [default: the file's name, or `installed`]"
)
@click.option(
    "--backend",
    metavar="NAME",
    shell_complete=completed_by(*BACKEND_NAMES),
    help=f"{', '.join(BACKEND_NAMES)}, for a .tflite.  [default: the first "
    "of the first two that is installed]",
)
@click.option(
    "--kernels",
    type=click.Choice(get_args(Kernels)),
    default="auto",
    show_default=True,
    help="auto uses XNNPACK where it can, built-in never; reference is slow and plain.",
)
@click.option("--threads", type=Whole(1, 256), default=1, show_default=True)
@result_options
@pass_console
def predict(
    console: Console,
    /,
    model: Path,
    run_name: str | None,
    runs_dir: str,
    split: SplitName,
    out: Path | None,
    force: bool,
    name: str | None,
    backend: str | None,
    kernels: Kernels,
    threads: int,
    as_json: bool,
    **dataset_choice: Any,
) -> None:
    """Store what MODEL says about the images of a dataset: a .tflite, a bundle (.edge.zip), the
    word `installed`, or a .keras or SavedModel, which need TensorFlow.

    The file holds the probabilities, which images they are about, and what computed them. `parity`
    compares such files, wherever they were made. The images are by default those of the run that
    MODEL came from; where nothing says which, of the latest run.
    """  # noqa: D205
    named = named_dataset(dataset_choice)
    if name is not None and not (name.strip() and name.isprintable()):
        raise click.UsageError(f"--name must be printable text, got {name!r}.")
    if is_full_model(model) and (backend or kernels != "auto" or threads != 1):
        raise click.UsageError(
            "--backend, --kernels and --threads are for .tflite files; TensorFlow runs the others."
        )
    name = name or model_name(model)
    default = Path(f"{name.replace('/', '-')}{PREDICTIONS_SUFFIX}")
    target = chosen_file(out, default, PREDICTIONS_SUFFIX)
    with _claimed(target, force=force):
        refuse_missing(model)
        lineage = Lineage(Path(runs_dir), run_name)
        dataset = images_for(model, named, lineage, needs=(split,))
        with console.progress(len(chosen_split(dataset, split)), name) as advance:
            predictions = predict_file(
                model,
                dataset,
                split=split,
                backend=backend,
                threads=threads,
                kernels=kernels,
                name=name,
                progress=advance,
            )
        predictions.save(target)
    _print(predictions, target, as_json)


@contextlib.contextmanager
def _claimed(target: Path, *, force: bool) -> Iterator[None]:
    """Raise unless the file can be written, before the slow part, and keep others from it."""
    refuse_impossible_file(target, "--out")
    with contextlib.ExitStack() as claim:
        try:
            claim.enter_context(
                claimed(
                    target.with_name(f".{target.name}.unfinished"),
                    [target],
                    replace=force,
                    error=PredictionsError,
                    advice="choose another --out, or use --force",
                )
            )
        except OSError as error:
            raise PredictionsError(
                f"{target} cannot be written ({error.strerror}); choose another --out."
            ) from error
        yield


def _print(predictions: Predictions, target: Path, as_json: bool) -> None:
    right = int((predictions.answers == predictions.labels).sum())
    accuracy = Rate(right, len(predictions))
    absent = predictions.absent_classes
    details = predictions.details
    if as_json:
        found = {"accuracy": accuracy.to_dict(), "classes_without_images": list(absent)}
        echo_json({"predictions": str(target), **found, **details})
        return
    low, high = accuracy.interval
    echo(f"model     {details['model']}: {details['scheme']}, {details['size_bytes']:,} bytes")
    kind = "training" if details["split"] == "train" else "test"
    echo(f"images    {len(predictions):,} {kind} images of {details['dataset']}")
    if absent:
        echo(f"          none of them is: {', '.join(absent)}")
    echo(f"right     {right:,}, {accuracy.value:.1%} (95 % interval {low:.1%} to {high:.1%})")
    echo(f"latency   {_latency(details)}")
    threads, grown = details["threads"], details["memory_bytes"]
    count = "" if threads is None else f", {plural(threads, 'thread')}"
    echo(f"kernels   {details['kernels']}")
    echo(f"runtime   {details['backend']} {details['backend_version']}{count}")
    memory = "not measured" if grown is None else f"{grown / MEBIBYTE:,.1f} MiB more at most"
    echo(f"memory    {memory}", f"written   {target}")


def _latency(details: Any) -> str:
    latency = details["latency_us"]
    if latency is None:
        return "not measured: images went in batches"
    return (
        f"{latency['median']:,.1f} µs median of one image, 80 % within "
        f"{latency['p10']:,.1f} to {latency['p90']:,.1f}"
    )
