"""Compare models with the full model, whether they have been run before or not."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge_runtime.data.datasets import Dataset, GivenDataset, given_dataset
from edge_runtime.data.predictions import PREDICTIONS_SUFFIX, Predictions
from edge_runtime.errors import PredictionsError
from edge_runtime.inference.evaluation import Progress, predict
from edge_runtime.proof.parity import Contract, judge
from edge_runtime.proof.parity.contract_file import load_contract
from edge_runtime.proof.parity_report import ParityReport
from edge_runtime.runtimes.backends import Backend


def compare(
    reference: Any,
    candidates: Sequence[Any],
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
        reference: the full model's predictions, or the path of a file of them; or the model, which
            is then run on the dataset: a `keras.Model`, or what `predict` takes else.
        candidates: the converted models', likewise. Where each says what it is they are put in
            order, a device after its host; otherwise they are taken as made one from the other.
            Rows may be in another order than the reference's.
        dataset: its test images are what models are run on.
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
        ModelError: a model cannot be run.
        DatasetError: there is no such dataset, or it does not fit a model.

    Examples:
        >>> full = predict("model.keras", "sample")
        >>> int8 = predict("int8.tflite", "sample")
        >>> report = compare(full, [int8], max_drop=0.02)
        >>> report.decision
        'holds'
        >>> print(report.verdict)
        Parity holds: int8 loses ...
        >>> report.save_html("parity.html")
    """
    if isinstance(candidates, Predictions | str | Path | bytes):
        raise PredictionsError("Expected a list of candidates, got one; put it into [ ].")
    images = None if dataset is None else given_dataset(dataset, needs=("test",))

    if isinstance(contract, str | Path):
        contract = load_contract(Path(contract))
    demanded = (contract or Contract()).with_margins(accuracy=max_drop, agreement=min_agreement)
    made = [_predictions(given, images, backend, progress) for given in (reference, *candidates)]
    return ParityReport.of(judge(made[0], made[1:], demanded))


def _predictions(
    given: Any, images: Dataset | None, backend: Backend | str | None, progress: Progress
) -> Predictions:
    if isinstance(given, Predictions):
        return given
    if isinstance(given, str | Path) and str(given).endswith(PREDICTIONS_SUFFIX):
        return Predictions.load(Path(given))
    if images is None:
        what = given if isinstance(given, str | Path) else "A model"
        raise PredictionsError(f"{what} must be run on images; say which with dataset=.")
    return predict(given, images, backend=backend, progress=progress)
