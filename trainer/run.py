"""From a configuration to a finished run folder."""

import json
import platform
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import sklearn.metrics
import tensorflow as tf

from edge_runtime.datasets import Dataset
from edge_runtime.errors import DatasetError, RunError
from edge_runtime.files import put_folder_in_place, write_json_atomically
from edge_runtime.metrics import Rate
from edge_runtime.predictions import Predictions
from edge_runtime.runs import Run, mark_latest, open_run
from trainer.config import FAST_CNN, POST_CNN, TrainingConfig
from trainer.figures import save_run_figures
from trainer.models import (
    build_fast_cnn,
    build_post_cnn,
    gives_probabilities,
    load_classifier,
    load_keras,
    save_keras,
)
from trainer.prediction import predict
from trainer.training import Epoch, fit, raw_outputs

FULL_MODEL = "full (Keras)"

_CHECKPOINT = "checkpoint.npz"
_INITIAL_MODEL = "initial.keras"
_CONFIG = "config.json"


def partial_folder(target: Path) -> Path:
    """Return where a run is kept until it is finished: hidden, beside where it will be."""
    return target.with_name(f".{target.name}.partial")


def interrupted_runs(runs_dir: Path) -> list[Path]:
    """Return the folders of trainings that did not end, the one worked on last at the end."""
    folders = [path.parent for path in runs_dir.glob(f".*.partial/{_CONFIG}")]
    return sorted(folders, key=lambda folder: folder.stat().st_mtime_ns)


def start_run(config: TrainingConfig, dataset: Dataset, target: Path, *, replace_old: bool) -> Path:
    """Make the partial folder of a new run: its configuration and its untrained model.

    Raises:
        RunError: a run of that name exists, finished or not, and ``replace_old`` is false.
        ModelError: the model cannot be loaded, or does not fit the dataset.
        DatasetError: shifted images would leave the picture.
    """
    partial = partial_folder(target)
    for existing in (target, partial):
        if existing.exists() and not replace_old:
            raise RunError(
                f"{existing} exists; choose another --name, or replace it with --force"
                + (", or go on with it with --resume." if existing == partial else ".")
            )
    _refuse_far_shift(config.shift, dataset)
    model = _initial_model(config, dataset)
    if replace_old:
        shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
    except FileExistsError as error:
        raise RunError(f"{partial} was made by another training meanwhile; try again.") from error
    try:
        save_keras(model, partial / _INITIAL_MODEL)
        document = {
            "training": config.to_dict(),
            "dataset": config.dataset.to_dict(),
            "dataset_fingerprint": dataset.fingerprint,
            "class_names": list(dataset.class_names),
            "preprocessing": dataset.preprocessing.to_dict(),
            "parameter_count": model.count_params(),
            "versions": _versions(),
        }
        write_json_atomically(partial / _CONFIG, document)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return partial


def read_config(partial: Path) -> TrainingConfig:
    """Return the configuration of an interrupted run.

    Raises:
        RunError: it cannot be read, or was started with other versions.
    """
    try:
        document = json.loads((partial / _CONFIG).read_text("utf-8"))
        config = TrainingConfig.from_dict(document["training"])
        started_with = document["versions"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunError(
            f"{partial} cannot be resumed: {error}; start again with --force."
        ) from error
    if started_with != _versions():
        raise RunError(
            f"{partial} was started with {started_with}, here is {_versions()}; resumed it "
            "would end with other weights. Install those versions, or start again."
        )
    return config


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
    document = json.loads((partial / _CONFIG).read_text("utf-8"))
    if document["dataset_fingerprint"] != dataset.fingerprint:
        raise RunError(
            f"The images of '{dataset.name}' are not those that this run was started with; bring "
            "them back, or start again with --force."
        )
    # Random layers without a seed of their own draw one when they are loaded.
    keras.utils.set_random_seed(config.seed)
    model = load_keras(partial / _INITIAL_MODEL)
    checkpoint_path = partial / _CHECKPOINT
    history = fit(model, dataset, config, checkpoint_path=checkpoint_path, on_epoch=on_epoch)
    on_step("measuring on the test images")
    document["training"] = config.to_dict()
    document["output"] = _kind_of_output(model, dataset)
    model_path = partial / "model.keras"
    save_keras(model, model_path)
    predictions = predict(model, dataset, split="test", name=FULL_MODEL, file=model_path)
    predictions.save(partial / "full.predictions.npz")
    on_step("drawing the figures")
    _write_results(partial, document, dataset, history, predictions, config.seed)
    for leftover in (_INITIAL_MODEL, _CHECKPOINT):
        (partial / leftover).unlink(missing_ok=True)
    target = partial.with_name(partial.name.removeprefix(".").removesuffix(".partial"))
    put_folder_in_place(partial, target)
    run = open_run(target)
    mark_latest(run)
    return run


def _refuse_far_shift(shift: int, dataset: Dataset) -> None:
    height, width = dataset.image_shape[:2]
    most = min(height, width) // 2
    if shift > most:
        raise DatasetError(
            f"Expected --shift to be at most {most}, half of the shorter side of images of "
            f"{height} × {width} pixels, got {shift}; 1 or 2 are common."
        )


def _initial_model(config: TrainingConfig, dataset: Dataset) -> Any:
    if config.model == POST_CNN:
        return build_post_cnn(
            dataset.image_shape, dataset.class_count, dropout=config.dropout, seed=config.seed
        )
    if config.model == FAST_CNN:
        return build_fast_cnn(dataset.image_shape, dataset.class_count, seed=config.seed)
    keras.utils.set_random_seed(config.seed)
    return load_classifier(Path(config.model), dataset, rescale=config.rescale)


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
    shutil.rmtree(figures, ignore_errors=True)
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
    write_json_atomically(folder / _CONFIG, document)


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


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
    }
