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
from trainer.recipe import FAST_CNN, POST_CNN, TrainingConfig
from trainer.workplace import CONFIG, INITIAL_MODEL, Workplace, read_config, workplaces

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
        name: object = Path(model)
        given, own = load_keras(Path(model)), sha256(Path(model).read_bytes())
    elif isinstance(model, keras.Model):
        name = f"the model '{model.name}'"
        given, own = model, sha256(keras_bytes(model))
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


def choose_workplace(runs_dir: Path, record: Record) -> Workplace:
    """Return where a training without a name works, whose run is called MODEL-DATASET-N.

    It is where a killed training of the same kind stopped, if there is one, and has the next number
    otherwise.
    """
    source = record["dataset"]["source"].rstrip("/").rpartition("/")[2].rpartition(":")[2]
    named = f"{Path(record['training']['model']).stem}-{source}"
    stem = "".join(c if c.isalnum() or c in "-_" else "-" for c in named)
    left = [
        work
        for work in workplaces(runs_dir)
        if re.fullmatch(rf"{re.escape(stem)}-\d+", work.target.name)
        and not work.is_in_use
        and _is_left_of(work, record)
    ]
    if not left:
        return Workplace(runs_dir / next_run_name(runs_dir, stem))
    return max(left, key=lambda work: int(work.target.name.rpartition("-")[2]))


def _is_left_of(work: Workplace, record: Record) -> bool:
    """Return whether nothing is there but what a killed training of this kind has left."""
    if work.is_resumable:
        return _is_same(work.partial, record)
    return not work.target.exists() or _is_complete(work, record)


def begin(work: Workplace, record: Record, model: Any, *, replace_old: bool) -> bool:
    """Make a workplace ready that is held; return whether a killed training goes on in it.

    ``replace_old`` begins anew, whatever is there.

    Raises:
        RunError: there is a run, finished or not, that the same training has not left.
    """
    if not replace_old:
        goes_on = work.is_resumable
        if not _is_left_of(work, record):
            there, or_else = work.target, ""
            if goes_on:
                there, or_else = work.partial, ", or continue it with --resume"
            raise RunError(
                f"{there} exists; choose another --name, or replace it with --force{or_else}."
            )
        if goes_on or _is_complete(work, record):
            return True
    work.clear()
    save_keras(model, work.partial / INITIAL_MODEL)
    write_json_atomically(work.partial / CONFIG, record)
    return False


def resumed_config(work: Workplace) -> TrainingConfig:
    """Return how the training that left a workplace was started.

    Raises:
        RunError: it cannot be gone on with here to the same weights.
    """
    try:
        document = read_config(work.partial)
        config = TrainingConfig.from_dict(document["training"])
        started_with = document["versions"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunError(
            f"{work.partial} cannot be resumed: {error}; start again with --force."
        ) from error
    if started_with != _versions():
        raise RunError(
            f"{work.partial} was started with {started_with}, here is {_versions()}; resumed it "
            "would end with other weights. Install those versions, or start again."
        )
    return config


def _is_complete(work: Workplace, record: Record) -> bool:
    """Return whether a killed training had put its run in place, and only had to clean up."""
    return work.finished.exists() and _is_same(work.target, record)


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
