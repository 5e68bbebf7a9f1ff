"""The command `parity`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from edge_runtime.commands.chain import Link, complete, open_link, open_links
from edge_runtime.commands.device_stage import ReadyDevice, ready_devices, run_on_device
from edge_runtime.commands.options import (
    ModelPath,
    backend_option,
    dataset_options,
    file_option,
    named_dataset,
    run_options,
)
from edge_runtime.commands.outputs import REPORT_FILES, render, report_files, write_results
from edge_runtime.commands.plan import Plan, plan_comparison, run_of_links
from edge_runtime.console.help import command
from edge_runtime.console.numeric import Finite
from edge_runtime.console.talk import Console, pass_console, result_options, text_width
from edge_runtime.console.terminal import echo, echo_json_text
from edge_runtime.data.datasets import Dataset, DatasetSpec, load_dataset
from edge_runtime.data.predictions import Predictions
from edge_runtime.errors import EdgeError, PredictionsError
from edge_runtime.files.writing import write_atomically
from edge_runtime.inference.comparing import compare
from edge_runtime.inference.evaluation import predict_file
from edge_runtime.models.lineage import Lineage
from edge_runtime.models.runs import Run
from edge_runtime.proof.parity import EXIT_CODES, Contract
from edge_runtime.proof.parity.contract import DEFAULT_MAX_DROP, DEFAULT_MIN_AGREEMENT
from edge_runtime.proof.parity.contract_file import CONTRACT_FILE, contract_template, load_contract
from edge_runtime.proof.parity_report import ParityReport
from edge_runtime.proof.report import report_json, report_table


@command(
    first=("dataset",),
    examples=(
        ("All that was converted in the latest run", "fmnist-edge parity"),
        (
            "One file, with half the loss allowed, as a gate in CI",
            "fmnist-edge parity runs/latest/int8.tflite --max-drop 0.005 --format junit",
        ),
        (
            "Another project's model on your own pictures",
            "fmnist-edge parity theirs.tflite --reference theirs.keras --dataset folder:photos",
        ),
        (
            "What a Raspberry Pi says of the same file",
            "fmnist-edge parity --device ssh:pi@raspberrypi",
        ),
    ),
)
@click.argument("models", nargs=-1, type=ModelPath(), metavar="[MODEL]...")
@run_options
@file_option(
    "--reference",
    "The full model to compare with, whatever the others were converted from: a .keras, a "
    "SavedModel, or predictions.  [default: the one that they were converted from]",
)
@dataset_options(default=None)
@click.option(
    "--max-drop",
    type=Finite(0, 1, min_open=True),
    help=f"The drop in accuracy that is allowed: 0.01 is one point.  [default: {DEFAULT_MAX_DROP}]",
)
@click.option(
    "--min-agreement",
    type=Finite(0, 1, max_open=True),
    help="The share of answers that must stay the full model's: 0.95 is 95 of 100.  "
    f"[default: {DEFAULT_MIN_AGREEMENT}]",
)
@file_option(
    "--contract",
    "All that is demanded, as in the parity.toml that --init writes.",
    to="contract_path",
)
@click.option("--init", is_flag=True, help="Write a parity.toml with comments here, and stop.")
@click.option("--force", is_flag=True, help="Let --init replace a parity.toml.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where the reports go.  [default: parity/ in the run, or here]",
)
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(list(REPORT_FILES)),
    help="What to write; may be given several times.  [default: html and json]",
)
@backend_option
@click.option(
    "--device",
    "device_names",
    multiple=True,
    metavar="DEVICE",
    help="Let a device run the last quantized model of the chain: emulated, or ssh:USER@HOST; may "
    "be given several times.",
)
@result_options
@pass_console
def parity(
    console: Console,
    /,
    models: tuple[Path, ...],
    run_name: str | None,
    runs_dir: str,
    reference: Path | None,
    max_drop: float | None,
    min_agreement: float | None,
    contract_path: Path | None,
    init: bool,
    force: bool,
    out: Path | None,
    formats: tuple[str, ...],
    backend: str | None,
    device_names: tuple[str, ...],
    as_json: bool,
    **dataset_choice: Any,
) -> int:
    """Prove that converted models answer like the full one, or say which step is to blame.

    MODEL is a .keras, a .tflite, a bundle, the word `installed`, or what `fmnist-edge predict`
    stored, here or on a device. Several with the full model among them are a chain: Keras, the
    float .tflite, the quantized one, and what the device said. Otherwise the full model and what
    lies between come before them; without any MODEL all that was converted in the run is compared.
    TensorFlow is not needed unless a .keras or a SavedModel must be run.

    A converted model is compared with the full model that it was converted from and with no other:
    the one whose hash its manifest names, in a run or beside the file, or that of the run it lies
    in. Anything else must be named with --reference.

    --device sends the images and a model to a device that `fmnist-edge deploy` has set up, or to
    the one that scripts/emulated-pi builds, runs it there and adds what it says to the chain.

    \b
    Exits with 0 when the contract holds,
               3 when it is broken,
               4 when there are too few images to tell; it says how many would do.
    """  # noqa: D301
    if init:
        return _write_contract(console, force)
    contract = _contract(contract_path, max_drop, min_agreement)
    named = named_dataset(dataset_choice)
    given = open_links(models)
    full = open_link(reference) if reference else None
    lineage = Lineage(Path(runs_dir), run_name)
    plan = plan_comparison(given, full, lineage)
    links, run = plan.links, _run(plan, named, lineage)
    folder = out or (run.parity_folder if run else Path("parity"))
    files = report_files(folder, formats or ("html", "json"))
    devices = ready_devices(device_names, links, console)
    dataset = _dataset(named, run, links, console)
    chain = _answers(links, devices, dataset, backend, console)
    report = replace(compare(chain[0], chain[1:], contract=contract), basis=plan.basis)
    pictures = _pictures(report.reference, dataset)
    documents = {path: render(report, pictures, kind) for kind, path in files.items()}
    write_results(folder, documents, chain, links)
    _print(report, list(documents), as_json)
    return EXIT_CODES[report.decision]


def _write_contract(console: Console, force: bool) -> int:
    if CONTRACT_FILE.exists() and not force:
        raise EdgeError(f"There is a {CONTRACT_FILE} already; --force replaces it.")
    write_atomically(CONTRACT_FILE, contract_template())
    console.say(f"Wrote {CONTRACT_FILE}; try it: fmnist-edge parity --contract {CONTRACT_FILE}")
    return 0


def _contract(path: Path | None, max_drop: float | None, min_agreement: float | None) -> Contract:
    if path is None:
        return Contract().with_margins(accuracy=max_drop, agreement=min_agreement)
    for option, value in (("--max-drop", max_drop), ("--min-agreement", min_agreement)):
        if value is not None:
            raise click.UsageError(f"{option} says what --contract says already; give one of them.")
    return load_contract(path)


def _run(plan: Plan, named: DatasetSpec | None, lineage: Lineage) -> Run | None:
    """Return the run, if anything is wanted of it: the full model, the models, or the images."""
    has_images = named is not None or all(link.predictions for link in plan.links)
    if plan.run is not None or (lineage.run_name is None and has_images):
        return plan.run
    return run_of_links(plan.links, lineage)


def _dataset(
    named: DatasetSpec | None, run: Run | None, links: Sequence[Link], console: Console
) -> Dataset | None:
    """Return the images: to run models on, or where all have been run, to show those that flip."""
    if named is not None:
        return load_dataset(named, needs=("test",))
    if not all(link.predictions for link in links):
        return run.load_dataset() if run else None
    try:
        return run.load_dataset() if run else load_dataset(DatasetSpec("sample"))
    except EdgeError as error:
        console.say(f"The report has no pictures of the images: {error}")
        return None


def _answers(
    links: Sequence[Link],
    devices: Sequence[ReadyDevice],
    dataset: Dataset | None,
    backend: str | None,
    console: Console,
) -> list[Predictions]:
    """Return what each model of the chain says, the full one first, then what devices say."""

    def predict(path: Path, name: str) -> Predictions:
        if dataset is None:
            raise PredictionsError(f"{path} must be run on images; say which with --dataset.")
        with console.progress(len(dataset.test), f"{name:<10}") as advance:
            return predict_file(path, dataset, backend=backend, name=name, progress=advance)

    chain = complete(links, predict)
    if dataset is not None:
        chain += [run_on_device(ready, links, chain, dataset, console) for ready in devices]
    return chain


def _pictures(predictions: Predictions, dataset: Dataset | None) -> NDArray[np.uint8] | None:
    """Return the test images in the order of the predictions, if the dataset has them all."""
    if dataset is None:
        return None
    positions = {image: index for index, image in enumerate(dataset.test.image_sha256())}
    found = [positions.get(image) for image in predictions.image_sha256]
    if None in found:
        return None
    return dataset.test.images[np.array(found, np.int64)]


def _print(report: ParityReport, paths: Sequence[Path], as_json: bool) -> None:
    if as_json:
        echo_json_text(report_json(report))
        return
    echo(*report_table(report, width=text_width()).split("\n"))
    for path in paths:
        echo(f"{'report' if path is paths[0] else '':<6}  {path}")
