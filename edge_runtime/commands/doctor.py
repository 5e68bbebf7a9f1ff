"""The command `doctor`."""

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from edge_runtime.commands.chain import Link, images_for, open_link
from edge_runtime.commands.options import (
    ModelPath,
    backend_option,
    dataset_options,
    file_option,
    named_dataset,
    run_options,
    seed_option,
)
from edge_runtime.commands.reference import FLOAT_MODEL, find_reference, models_between
from edge_runtime.console.help import command
from edge_runtime.console.numeric import Whole
from edge_runtime.console.talk import Console, result_options
from edge_runtime.console.terminal import echo, echo_json
from edge_runtime.doctor import Diagnosis, diagnose, open_record
from edge_runtime.errors import ModelError, RunError
from edge_runtime.models.full_model import is_full_model
from edge_runtime.models.lineage import Lineage
from edge_runtime.runtimes.backends import choose_backend
from edge_runtime.runtimes.environment import EnvironmentFinding, check_environment

FOUND = 1
# Of the corrections that help, so many are shown beside a cause.
_FEW = 4


@command(
    examples=(
        (
            "What is wrong with the latest run's int8 file",
            "fmnist-edge doctor runs/latest/int8.tflite",
        ),
        (
            "A file from elsewhere, held to its full model",
            "fmnist-edge doctor theirs.tflite --reference theirs.keras --dataset folder:photos",
        ),
        ("This machine: which runtimes are here, and what is missing", "fmnist-edge doctor"),
    ),
)
@click.argument("model", required=False, type=ModelPath())
@run_options
@dataset_options(default=None)
@click.option(
    "--images",
    type=Whole(min=1),
    default=500,
    show_default=True,
    help="How many training images to use at most, the same number of each class.",
)
@seed_option("Of their draw.")
@backend_option
@file_option(
    "--reference",
    "What MODEL should answer like: a full model (.keras, SavedModel), a float .tflite, or "
    "predictions.  [default: the full model that MODEL was converted from, where a run has it]",
)
@click.option(
    "--tried", "all_tried", is_flag=True, help="List every correction that was tried, best first."
)
@result_options
@click.pass_context
def doctor(
    context: click.Context,
    /,
    model: Path | None,
    run_name: str | None,
    runs_dir: str,
    images: int,
    seed: int,
    backend: str | None,
    reference: Path | None,
    all_tried: bool,
    as_json: bool,
    **dataset_choice: Any,
) -> int:
    """Find the mistake when a converted model answers badly, and show what fixes it.

    Many mistakes look like loss by quantization and are none: pixels divided by 255 or not,
    inverted, transposed or mirrored images, exchanged colour channels, wrong scales and zero
    points, labels in another order, calibration on noise, softmax applied twice. The doctor asks
    whether the file answers as its full model does, and if not, after which single correction it
    does; where there is none, the weights are others, and it names the first layer that differs.
    Without a full model it goes by the labels of training images. Test images are never used,
    unless all there is of the full model is what it said about them; then without their labels.

    Without MODEL only the environment is checked: Python, system, NumPy, runtime.

    MODEL is a .tflite file, a bundle, or the word `installed`. The dataset is by default that of
    the run that the file came from; where nothing says which, of the latest. Exits with 1 if a
    mistake or a problem was found.
    """
    console = context.ensure_object(Console)
    named = named_dataset(dataset_choice)
    environment = check_environment()
    if model is None:
        _refuse_model_options(context)
        return _print_result(environment, None, as_json=as_json)
    open_record(model)  # what is no model is told before anything else
    runtime = choose_backend(backend)
    runtime.import_runtime()
    if not as_json:
        _print_environment(environment, brief=True)
    lineage = Lineage(Path(runs_dir), run_name)
    dataset = images_for(model, named, lineage)
    held_to, graph = _held_to(model, reference, lineage, console)
    console.say(f"trying corrections on training images of {dataset.name} ...")
    diagnosis = diagnose(
        model, dataset, reference=held_to, graph=graph, images=images, seed=seed, backend=runtime
    )
    return _print_result(environment, diagnosis, as_json=as_json, all_tried=all_tried)


def _held_to(
    model: Path, given: Path | None, lineage: Lineage, console: Console
) -> tuple[Path | None, Path | None]:
    """Return the full model or its predictions, and a float .tflite of it; never another one's."""
    if given is not None:
        open_link(given)  # raises unless it is there and can be read
        return given, None
    link = Link(model)
    try:
        full, _ = find_reference([], [link], lineage)
    except (ModelError, RunError) as error:
        console.say(f"there is no full model to compare with: {error}")
        return None, None
    between = models_between([link], full, lineage)
    graph = next((one.path for one in between if one.path.name == FLOAT_MODEL), None)
    if not is_full_model(full.path):
        return full.path, graph
    if graph is None:  # TensorFlow takes seconds to load, and a device has none
        console.say(f"the full model's predictions are not stored; give --reference {full.path}")
    return graph, None


def _refuse_model_options(context: click.Context) -> None:
    """Refuse options that say how to examine a model where none is named."""
    source = context.get_parameter_source
    given = {name for name in context.params if source(name) is ParameterSource.COMMANDLINE}
    if given - {"as_json"}:
        raise click.UsageError(
            "Name the MODEL, a .tflite file or a bundle, that shall be examined."
        )


def _print_result(
    environment: tuple[EnvironmentFinding, ...],
    diagnosis: Diagnosis | None,
    *,
    as_json: bool,
    all_tried: bool = False,
) -> int:
    """Print what was found, and return the exit code."""
    if as_json:
        document = {
            "environment": [finding.to_dict() for finding in environment],
            "diagnosis": diagnosis.to_dict() if diagnosis else None,
        }
        echo_json(document)
    elif diagnosis is None:
        _print_environment(environment)
    else:
        _print_diagnosis(diagnosis, all_tried=all_tried)
    healthy = diagnosis is None or diagnosis.is_healthy
    return 0 if healthy and all(finding.ok for finding in environment) else FOUND


def _print_environment(environment: tuple[EnvironmentFinding, ...], *, brief: bool = False) -> None:
    problems = [finding for finding in environment if not finding.ok]
    if brief and not problems:
        echo("environment ok")
        return
    width = max(len(finding.name) for finding in environment)
    for finding in environment:
        mark = "ok     " if finding.ok else "PROBLEM"
        echo(f"{mark}  {finding.name:<{width}}  {finding.found}")
        if not finding.ok:
            echo(f"{'':<{width + 11}}{finding.problem}")
            echo(f"{'':<{width + 11}}mend it with: {finding.mend}")
    if not brief:
        echo("The environment is fine." if not problems else "Mend the first problem first.")


def _print_diagnosis(diagnosis: Diagnosis, *, all_tried: bool) -> None:
    echo(f"model   {diagnosis.model}, {diagnosis.scheme}")
    if diagnosis.baseline is not None:
        on_test = diagnosis.likeness is not None and diagnosis.likeness.split == "test"
        test = " and test images, without their labels" if on_test else "; no test images"
        images = f"{diagnosis.baseline.images} training images of {diagnosis.dataset}"
        echo(f"images  {images}{test}")
    if diagnosis.likeness is not None:
        echo(f"full    {diagnosis.likeness}")
    for note in diagnosis.notes:
        echo(f"note    {note}")
    echo("", diagnosis.verdict, "")
    if diagnosis.is_healthy:
        echo(f"as it is  {diagnosis.baseline}")
    for cause in diagnosis.causes:
        echo(f"{'suspect' if cause.suspect else 'cause  '} {cause.kind}")
        shown = (("before", cause.before), ("after", cause.after), ("", cause.evidence))
        for label, text in shown:
            if text:
                echo(f"{label:<6}  {text}")
        echo(f"mend    {cause.mend}", "")
    _print_attempts(diagnosis, all_of_them=all_tried)


def _print_attempts(diagnosis: Diagnosis, *, all_of_them: bool) -> None:
    """Print how many corrections were tried, and with a mistake the few that mend it best."""
    attempts = diagnosis.attempts
    if not attempts:
        return
    best = sorted(attempts, key=lambda one: (-one.proved, -one.figures.accuracy))
    if not all_of_them:
        best = [one for one in best if one.proved][:_FEW] if diagnosis.causes else []
    colon = ":" if all_of_them else f"; the best {len(best)}:" if best else ""
    echo(f"tried {len(attempts)} corrections{colon or ' (--tried lists them)'}")
    for one in best:
        share = f"{one.figures.right:>4} of {one.figures.images:<4} {one.figures.accuracy:>6.1%}"
        echo(f"  {share}  {'proved' if one.proved else '      '}  {one.tried}")
