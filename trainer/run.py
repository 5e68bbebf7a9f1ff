"""From a configuration to a finished run folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import sklearn.metrics

from edge_runtime.data.datasets import Dataset
from edge_runtime.data.predictions import Predictions
from edge_runtime.errors import RunError
from edge_runtime.files.folders import put_folder_in_place, remove
from edge_runtime.files.writing import write_json_atomically
from edge_runtime.models.runs import Run, mark_latest, open_run
from edge_runtime.proof.metrics import Rate
from trainer.architectures import (
    gives_probabilities,
    load_keras,
    save_keras,
)
from trainer.figures import save_run_figures
from trainer.partial import (
    CHECKPOINT,
    CONFIG,
    INITIAL_MODEL,
    RESULT,
    finish,
    read_config,
    target_of,
)
from trainer.prediction import predict
from trainer.recipe import TrainingConfig
from trainer.training import Epoch, fit, raw_outputs

FULL_MODEL = "full (Keras)"


def finish_run(
    partial: Path,
    config: TrainingConfig,
    dataset: Dataset,
    *,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    on_step: Callable[[str], None] = lambda step: None,
) -> Run:
    """Train to the end, measure, draw, and put the run in place, whole.

    An interruption leaves the partial folder, which this function takes up again.

    Raises:
        RunError: the dataset is not the one that the run was started with.
        TrainingError: the loss became NaN.
    """
    document = read_config(partial)
    if document["dataset_fingerprint"] != dataset.fingerprint:
        raise RunError(
            f"The images of '{dataset.name}' are not those that this run was started with; bring "
            "them back, or start again with --force."
        )
    if TrainingConfig.from_dict(document["training"]) != config:  # resumed with other epochs
        document["training"] = config.to_dict()
        write_json_atomically(partial / CONFIG, document)
    # Random layers without a seed of their own draw one when they are loaded.
    keras.utils.set_random_seed(config.seed)
    model = load_keras(partial / INITIAL_MODEL)
    history = fit(model, dataset, config, checkpoint_path=partial / CHECKPOINT, on_epoch=on_epoch)
    on_step("measuring on the test images")
    document["output"] = _kind_of_output(model, dataset)
    result = partial / RESULT
    remove(result)
    result.mkdir()
    model_path = result / "model.keras"
    save_keras(model, model_path)
    predictions = predict(model, dataset, split="test", name=FULL_MODEL, file=model_path)
    predictions.save(result / "full.predictions.npz")
    on_step("drawing the figures")
    _write_results(result, document, dataset, history, predictions, config.seed)
    target = target_of(partial)
    put_folder_in_place(result, target)
    run = open_run(target)
    mark_latest(run)
    finish(target)
    return run


def _kind_of_output(model: Any, dataset: Dataset) -> str:
    outputs = raw_outputs(model, dataset.train.images[:256])
    return "probabilities" if gives_probabilities(outputs) else "logits"


def _write_results(
    folder: Path,
    document: dict[str, Any],
    dataset: Dataset,
    history: list[Epoch],
    predictions: Predictions,
    seed: int,
) -> None:
    write_json_atomically(folder / "history.json", {"epochs": history})
    metrics = _metrics(predictions, history, document["parameter_count"])
    write_json_atomically(folder / "metrics.json", metrics)
    figures = folder / "figures"
    figures.mkdir()
    save_run_figures(
        figures,
        train_images=dataset.train.images,
        train_labels=dataset.train.labels,
        test_images=dataset.test.images,
        test_labels=dataset.test.labels,
        probabilities=predictions.probabilities,
        class_names=dataset.class_names,
        history=history,
        seed=seed,
    )
    write_json_atomically(folder / CONFIG, document)


def _metrics(
    predictions: Predictions, history: list[Epoch], parameter_count: int
) -> dict[str, Any]:
    labels, answers = predictions.labels, predictions.answers
    right = int(np.sum(labels == answers))
    precision, recall, _, support = sklearn.metrics.precision_recall_fscore_support(
        labels, answers, labels=range(len(predictions.class_names)), zero_division=0.0
    )
    return {
        "parameter_count": parameter_count,
        "test_accuracy": Rate(right, len(labels)).to_dict(),
        "last_epoch": history[-1] if history else None,
        "per_class": [
            {
                "class": name,
                "precision": float(precision[index]),
                "recall": float(recall[index]),
                "images": int(support[index]),
            }
            for index, name in enumerate(predictions.class_names)
        ],
    }
