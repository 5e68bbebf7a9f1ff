"""How a training begins: anew, or where a killed one of the same kind stopped."""

import json
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from edge_runtime.data.datasets import Dataset
from edge_runtime.errors import ModelError, RunError
from edge_runtime.files.folders import remove
from edge_runtime.files.reading import sha256
from edge_runtime.files.writing import write_json_atomically
from edge_runtime.models.full_model import keras_bytes
from edge_runtime.models.runs import next_run_name
from trainer.architectures import (
    build_fast_cnn,
    build_post_cnn,
    load_keras,
    refuse_misfit,
    rescaled,
    save_keras,
)
from trainer.partial import (
    CONFIG,
    INITIAL_MODEL,
    clear,
    finished_folder,
    is_in_use,
    is_resumable,
    partial_folder,
    read_config,
    target_of,
    targets_in,
)
from trainer.recipe import FAST_CNN, POST_CNN, TrainingConfig

# All that the weights depend on.
_ASKED = ("training", "dataset_fingerprint", "model_sha256", "versions")

Record = Mapping[str, Any]


def initial_model(model: Any, config: TrainingConfig, dataset: Dataset) -> tuple[Any, str | None]:
    """Return the untrained model, and the hash of its file if it has one.

    ``model`` is as it was asked for: a network's name, a path, or a `keras.Model`.

    Raises:
        ModelError: it cannot be loaded, or does not fit the dataset.
    """
    if config.model == POST_CNN:
        shape, classes = dataset.image_shape, dataset.class_count
        return build_post_cnn(shape, classes, dropout=config.dropout, seed=config.seed), None
    if config.model == FAST_CNN:
        return build_fast_cnn(dataset.image_shape, dataset.class_count, seed=config.seed), None
    keras.utils.set_random_seed(config.seed)
    if isinstance(model, str | Path):
        given, name = load_keras(Path(model)), str(model)
        own = sha256(Path(model).read_bytes())
    elif isinstance(model, keras.Model):
        given, name = model, f"the model '{model.name}'"
        own = sha256(keras_bytes(model))
    else:
        raise ModelError(
            "Expected the model to be 'post-cnn', 'fast-cnn', a .keras file or a keras.Model, got "
            f"{type(model).__name__}."
        )
    refuse_misfit(given, dataset, name)
    return rescaled(given, config.rescale), own


def record_of(
    config: TrainingConfig, dataset: Dataset, model: Any, model_sha256: str | None
) -> Record:
    """Return what `config.json` says of a training that is about to begin, as JSON has it."""
    document = {
        "training": config.to_dict(),
        "dataset_fingerprint": dataset.fingerprint,
        "model_sha256": model_sha256,
        "versions": _versions(),
        "dataset": config.dataset.to_dict(),
        "class_names": list(dataset.class_names),
        "preprocessing": dataset.preprocessing.to_dict(),
        "parameter_count": model.count_params(),
    }
    record: Record = json.loads(json.dumps(document))
    return record


def choose_target(runs_dir: Path, record: Record) -> Path:
    """Return the run that a training without a name makes: MODEL-DATASET-N.

    It is the one that a killed training of the same kind did not finish, if there is one, and has
    the next number otherwise.
    """
    source = record["dataset"]["source"].rstrip("/").rpartition("/")[2].rpartition(":")[2]
    named = f"{Path(record['training']['model']).stem}-{source}"
    stem = "".join(c if c.isalnum() or c in "-_" else "-" for c in named)
    left = [
        target
        for target in targets_in(runs_dir)
        if re.fullmatch(rf"{re.escape(stem)}-\d+", target.name)
        and not is_in_use(target)
        and _is_left_of(target, record)
    ]
    number = max((int(target.name.rpartition("-")[2]) for target in left), default=0)
    return runs_dir / (f"{stem}-{number}" if left else next_run_name(runs_dir, stem))


def _is_left_of(target: Path, record: Record) -> bool:
    """Return whether nothing is there but what a killed training of this kind has left."""
    if is_resumable(partial_folder(target)):
        return _is_same(partial_folder(target), record)
    return not target.exists() or _is_complete(target, record)


def begin(partial: Path, record: Record, model: Any, *, replace_old: bool) -> bool:
    """Make a locked partial folder ready for a training; return whether a killed training goes on.

    ``replace_old`` begins anew, whatever is there.

    Raises:
        RunError: there is a run, finished or not, that the same training has not left.
    """
    target = target_of(partial)
    if not replace_old:
        goes_on = is_resumable(partial)
        if not _is_left_of(target, record):
            there, or_else = (
                (partial, ", or continue it with --resume") if goes_on else (target, "")
            )
            raise RunError(
                f"{there} exists; choose another --name, or replace it with --force{or_else}."
            )
        if goes_on or _is_complete(target, record):
            return True
    clear(partial)
    remove(finished_folder(target))
    save_keras(model, partial / INITIAL_MODEL)
    write_json_atomically(partial / CONFIG, record)
    return False


def resumed_config(partial: Path) -> TrainingConfig:
    """Return how the training in a partial folder was started.

    Raises:
        RunError: it cannot be gone on with here to the same weights.
    """
    try:
        document = read_config(partial)
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


def _is_complete(target: Path, record: Record) -> bool:
    """Return whether a killed training had put its run in place, and only had to clean up."""
    return finished_folder(target).exists() and _is_same(target, record)


def _is_same(folder: Path, record: Record) -> bool:
    """Return whether what was started in a folder, or finished, is what is asked for now."""
    try:
        document = read_config(folder)
    except (OSError, ValueError):
        return False
    return all(document.get(key) == record[key] for key in _ASKED)


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
    }
