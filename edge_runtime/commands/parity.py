"""The command `parity`."""

from pathlib import Path
from typing import Any

import click
import numpy as np

from edge_runtime.classifier import Classifier
from edge_runtime.console import (
    Console,
    dataset_options,
    json_option,
    refuse_options_without_dataset,
    run_options,
    spec_from_options,
    talk_options,
)
from edge_runtime.datasets import Dataset, image_hashes, load_dataset
from edge_runtime.errors import PredictionsError, RunError
from edge_runtime.evaluation import evaluate
from edge_runtime.files import write_atomically
from edge_runtime.parity import ParityReport, compare
from edge_runtime.predictions import Predictions
from edge_runtime.report import report_html, report_json, report_table
from edge_runtime.runs import Run, find_run

BROKEN = 3
_SUFFIX = ".predictions.npz"


@click.command()
@click.argument("models", nargs=-1, type=click.Path(path_type=Path), metavar="[MODEL]...")
@run_options
@click.option(
    "--reference",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The full model's .predictions.npz.  [default: the run's]",
)
@dataset_options(default=None)
@click.option(
    "--max-drop",
    type=click.FloatRange(0, 1),
    default=0.01,
    show_default=True,
    help="The drop in accuracy that is allowed: 0.01 is one point.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where the reports go.  [default: parity/ in the run, or here]",
)
@click.option("--backend", metavar="NAME", help="The runtime to use, as in `classify`.")
@json_option
@talk_options
@click.pass_context
def parity(
    context: click.Context,
    /,
    models: tuple[Path, ...],
    run_name: str | None,
    runs_dir: str,
    reference: Path | None,
    max_drop: float,
    out: Path | None,
    backend: str | None,
    as_json: bool,
    **dataset_choice: Any,
) -> int:
    """Compare converted models with the full Keras model on the same test images.

    MODEL is a .tflite file, or predictions that were made elsewhere; by default all .tflite files
    of the latest run. Writes report.json and report.html, and exits with 3 when a model loses more
    accuracy than --max-drop allows. TensorFlow is not needed: the full model's predictions were
    stored when it was trained.
    """
    console = context.ensure_object(Console)
    refuse_options_without_dataset(dataset_choice)
    chosen = dataset_choice["dataset"] is not None
    self_sufficient = reference is not None and models and (chosen or _all_predictions(models))
    run = None if self_sufficient else find_run(Path(runs_dir), run_name)
    full = Predictions.load(reference or _of(run).predictions_path)
    models = models or _converted_models(_of(run))
    if chosen:
        dataset: Dataset | None = load_dataset(spec_from_options(dataset_choice, seed=0))
    else:
        dataset = run.load_dataset() if run else None
    folder = out or (run.parity_folder if run else Path("parity"))
    folder.mkdir(parents=True, exist_ok=True)
    names = _distinct_names(models)
    candidates = [_predictions(model, names[model], dataset, backend, console) for model in names]
    report = compare(full, candidates, max_drop=max_drop)
    images = dataset.test.images if dataset and _same_images(dataset, full) else None
    for model, candidate in zip(names, candidates, strict=True):
        if not model.name.endswith(_SUFFIX):
            candidate.save(folder / f"{names[model].replace('/', '-')}{_SUFFIX}")
    write_atomically(folder / "report.json", report_json(report))
    write_atomically(folder / "report.html", report_html(report, images))
    _print(report, folder, as_json)
    return 0 if report.holds else BROKEN


def _all_predictions(models: tuple[Path, ...]) -> bool:
    return all(model.name.endswith(_SUFFIX) for model in models)


def _of(run: Run | None) -> Run:
    if run is None:
        raise RunError("There is no run to take the full model from; give --reference.")
    return run


def _converted_models(run: Run) -> tuple[Path, ...]:
    models = tuple(run.converted_models())
    if not models:
        raise RunError(
            f"{run.name} has no converted models yet; make one first with: fmnist-edge convert"
        )
    return models


def _distinct_names(models: tuple[Path, ...]) -> dict[Path, str]:
    """Return what to call each model, each once: its stem, or its whole path where stems clash."""
    stems = [model.stem for model in dict.fromkeys(models)]
    return {
        model: model.stem if stems.count(model.stem) == 1 else str(model.with_suffix(""))
        for model in models
    }


def _predictions(
    model: Path, name: str, dataset: Dataset | None, backend: str | None, console: Console
) -> Predictions:
    """Load a model's predictions, or make them by running it over the test images."""
    if model.name.endswith(_SUFFIX):
        return Predictions.load(model)
    if dataset is None:
        raise PredictionsError(f"{model} must be run on images; say which with --dataset.")
    with (
        Classifier(model, backend=backend) as classifier,
        console.progress(len(dataset.test), f"{name:<10}") as advance,
    ):
        return evaluate(classifier, dataset, model=name, progress=advance)


def _same_images(dataset: Dataset, predictions: Predictions) -> bool:
    return np.array_equal(image_hashes(dataset.test.images), predictions.image_sha256)


def _print(report: ParityReport, folder: Path, as_json: bool) -> None:
    if as_json:
        click.echo(report_json(report))
        return
    click.echo(report_table(report))
    click.echo(f"report  {folder / 'report.html'}")
    click.echo(f"        {folder / 'report.json'}")
