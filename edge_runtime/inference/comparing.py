"""Compare models with the full model, whether they have been run before or not."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from edge_runtime.data.datasets import Dataset, GivenDataset, given_dataset
from edge_runtime.data.predictions import PREDICTIONS_SUFFIX, Predictions
from edge_runtime.errors import PredictionsError
from edge_runtime.inference.evaluation import Progress, predict
from edge_runtime.inference.given import given_run
from edge_runtime.models.model_file import refuse_missing
from edge_runtime.proof.parity import Contract, judge
from edge_runtime.proof.parity.contract_file import load_contract
from edge_runtime.proof.parity_report import ParityReport
from edge_runtime.runtimes.backends import Backend

_ONE = str, Path, bytes, Predictions  # what can be iterated over, and is one model


def compare(
    reference: Any,
    candidates: Any,
    *,
    dataset: GivenDataset | None = None,
    contract: Contract | str | Path | None = None,
    max_drop: float | None = None,
    min_agreement: float | None = None,
    backend: Backend | str | None = None,
    progress: Progress = lambda done: None,
) -> ParityReport:
    """Compare converted models with the full model on the same images.

    Args:
        reference: the full model: a run, as `trainer.train` returns it, or its folder; the model's
            predictions, or the path of a file of them; or a model, which is then run on the
            dataset: a `keras.Model`, or what else `predict` takes.
        candidates: a converted model or its predictions, several of them, or a mapping from names
            to them, as `converter.convert_all` returns it. Where each says what it is they are put
            in order, a device after its host; otherwise they are taken as made one from the other.
            Rows may be in another order than the reference's.
        dataset: its test images are what models are run on; by default the run's.
        contract: what is demanded, or the path of a parity.toml; by default that at most one point
            of accuracy is lost and that at least 95 % of the answers are the same.
        max_drop: the drop in accuracy that is allowed, above 0 to 1, instead of the contract's.
        min_agreement: the share of answers that must be the same, 0 to below 1, likewise.
        backend: what runs .tflite files, or its name.
        progress: called with the number of images done since the last call.

    Raises:
        PredictionsError: they are not about the same images, there is nothing to compare, or a
            model was given without a dataset.
        ContractError: the contract cannot be read, or asks for a step or a figure that the
            predictions do not have.
        RunError: the folder of a run cannot be read, or its images have changed.
        ModelError: a model cannot be run.
        DatasetError: there is no such dataset, or it does not fit a model.

    Examples:
        >>> full = predict("model.keras", "sample")
        >>> int8 = predict("int8.tflite", "sample")
        >>> report = compare(full, int8, max_drop=0.02)
        >>> report.decision
        'holds'
        >>> print(report.verdict)
        Parity holds: int8 loses ...
        >>> report.save_html("parity.html")
    """
    if isinstance(contract, str | Path):
        contract = load_contract(Path(contract))
    demanded = (contract or Contract()).with_margins(accuracy=max_drop, agreement=min_agreement)
    named = _by_name(candidates)
    full, images = _full_model(reference, dataset)
    made = [
        _predictions(given, images, backend=backend, name=name, progress=progress)
        for name, given in ((None, full), *named)
    ]
    return ParityReport.of(judge(made[0], made[1:], demanded))


def _predictions(given: Any, images: Callable[[], Dataset] | None, **options: Any) -> Predictions:
    """Return predictions as they are, read, or made by `predict` with these options."""
    if isinstance(given, Predictions):
        return given
    if isinstance(given, str | Path) and str(given).endswith(PREDICTIONS_SUFFIX):
        return Predictions.load(Path(given))
    if isinstance(given, str | Path):
        refuse_missing(Path(given))
    if images is None:
        what = given if isinstance(given, str | Path) else "A model"
        raise PredictionsError(f"{what} must be run on images; say which with dataset=.")
    return predict(given, images(), **options)


def _by_name(candidates: Any) -> list[tuple[str | None, Any]]:
    """Return the candidates, each with what to call it where that was said."""
    if isinstance(candidates, Mapping):
        named = list(candidates.items())
    else:
        several = isinstance(candidates, Iterable) and not isinstance(candidates, _ONE)
        named = [(None, given) for given in (candidates if several else [candidates])]
    if not named:
        raise PredictionsError("There is nothing to compare: give one converted model or more.")
    return named


def _full_model(
    reference: Any, dataset: GivenDataset | None
) -> tuple[Any, Callable[[], Dataset] | None]:
    """Return the full model or its predictions, and what loads the images to run models on."""
    run = given_run(reference)
    images = None if run is None else run.dataset
    if dataset is not None:
        images = partial(given_dataset, dataset, needs=("test",))
    full = reference if run is None else run.predictions
    return full, None if images is None else cache(images)
