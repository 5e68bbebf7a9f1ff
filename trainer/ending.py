"""How a training ends: the model is fitted and measured, and its run is put in place."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sklearn.metrics

from edge_runtime.data.datasets import Dataset
from edge_runtime.data.predictions import Predictions
from edge_runtime.errors import RunError
from edge_runtime.files.reading import sha256
from edge_runtime.files.writing import write_json_atomically
from edge_runtime.models.full_model import keras_bytes
from edge_runtime.models.runs import mark_latest, open_run
from edge_runtime.proof.metrics import Rate
from trainer.architectures import gives_probabilities, load_keras, reloaded
from trainer.prediction import predict
from trainer.recipe import Epoch, TrainingConfig
from trainer.run import Run, put_in_place
from trainer.training import fit, raw_outputs
from trainer.workplace import (
    CHECKPOINT,
    CONFIG,
    INITIAL_MODEL,
    Workplace,
    interrupts_kept,
    read_config,
)

Progress = Callable[[int, int, Epoch | None], object]
Say = Callable[[str], object]


def finish_run(
    work: Workplace, config: TrainingConfig, dataset: Dataset, progress: Progress, say: Say
) -> Run:
    """Train to the end, and put the run in place, whole.

    An interruption leaves the partial folder, which this function takes up again.

    Raises:
        RunError: the dataset is not the one that the run was started with.
        TrainingError: the loss became NaN.
    """
    if not work.is_resumable:
        return already_in_place(work)
    record = read_config(work.partial)
    if record["dataset_fingerprint"] != dataset.fingerprint:
        raise RunError(
            f"The images of '{dataset.name}' are not those that this run was started with; bring "
            "them back, or start again with --force."
        )
    if TrainingConfig.from_dict(record["training"]) != config:  # resumed with other epochs
        record["training"] = config.to_dict()
        write_json_atomically(work.partial / CONFIG, record)
    with interrupts_kept(work, say) as check:
        model = load_keras(work.partial / INITIAL_MODEL, seed=config.seed)
        told = _checked(progress, check)
        run = _complete(model, dataset, config, record, work.partial / CHECKPOINT, told, say)
        say("drawing the figures")
        run = put_in_place(run, work)
        mark_latest(open_run(work.target))
        work.finish()
    return run


def finish_in_memory(
    model: Any,
    config: TrainingConfig,
    dataset: Dataset,
    record: Mapping[str, Any],
    progress: Progress,
    say: Say,
) -> Run:
    """Train a copy of a model to the end, and write nothing; an interruption loses all.

    Raises:
        TrainingError: the loss became NaN.
    """
    with interrupts_kept(None, say) as check:
        copy = reloaded(model, seed=config.seed)
        return _complete(copy, dataset, config, record, None, _checked(progress, check), say)


def _checked(progress: Progress, check: Callable[[], None]) -> Progress:
    def report(done: int, epochs: int, epoch: Epoch | None) -> None:
        check()
        progress(done, epochs, epoch)

    return report


def already_in_place(work: Workplace) -> Run:
    """Return the run that a killed training had finished, but for its leftovers."""
    work.finish()
    return Run.load(work.target)


def _complete(
    model: Any,
    dataset: Dataset,
    config: TrainingConfig,
    record: Mapping[str, Any],
    checkpoint: Path | None,
    progress: Progress,
    say: Say,
) -> Run:
    """Fit the model and measure it on the test images."""
    say(
        f"{dataset.name}: {len(dataset.train):,} training and {len(dataset.test):,} test images, "
        f"{dataset.class_count} classes"
    )
    progress(0, config.epochs, None)
    history = fit(
        model,
        dataset,
        config,
        checkpoint_path=checkpoint,
        on_epoch=lambda epoch: progress(int(epoch["epoch"]), config.epochs, epoch),
    )
    say("measuring on the test images")
    outputs = raw_outputs(model, dataset.train.images[:256])
    kind = "probabilities" if gives_probabilities(outputs) else "logits"
    data = keras_bytes(model)
    predictions = predict(
        model,
        dataset,
        split="test",
        name="full (Keras)",
        model_sha256=sha256(data),
        size_bytes=len(data),
    )
    metrics = _metrics(predictions, history, record["parameter_count"])
    record = {**record, "output": kind}
    return Run(model, data, dataset, config, tuple(history), metrics, predictions, record)


def _metrics(
    predictions: Predictions, history: Sequence[Epoch], parameter_count: int
) -> dict[str, Any]:
    labels, answers = predictions.labels, predictions.answers
    precision, recall, _, support = sklearn.metrics.precision_recall_fscore_support(
        labels, answers, labels=range(len(predictions.class_names)), zero_division=0.0
    )
    columns = zip(predictions.class_names, precision, recall, support, strict=True)
    return {
        "parameter_count": parameter_count,
        "test_accuracy": Rate(int(np.sum(labels == answers)), len(labels)).to_dict(),
        "last_epoch": history[-1] if history else None,
        "per_class": [
            {"class": name, "precision": float(p), "recall": float(r), "images": int(images)}
            for name, p, r, images in columns
        ],
    }
