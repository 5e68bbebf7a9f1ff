"""How a training begins: anew, or where a killed one of the same kind stopped."""

import json
import platform
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from edge_runtime.data.datasets import Dataset
from edge_runtime.errors import DatasetError, RunError
from edge_runtime.files.folders import remove
from edge_runtime.files.reading import sha256
from edge_runtime.files.writing import write_json_atomically
from edge_runtime.models.runs import next_run_name
from trainer.architectures import build_fast_cnn, build_post_cnn, load_classifier, save_keras
from trainer.partial import (
    CONFIG,
    INITIAL_MODEL,
    clear,
    finished_folder,
    is_in_use,
    is_resumable,
    left_behind,
    partial_folder,
    read_config,
    refuse_if_in_use,
    target_of,
)
from trainer.recipe import FAST_CNN, NETWORKS, POST_CNN, TrainingConfig


def choose_target(runs_dir: Path, config: TrainingConfig, dataset: Dataset) -> Path:
    """Return the run that a training without a name makes: MODEL-DATASET-N.

    It is the one that a killed training of the same configuration did not finish, if there is one,
    and has the next number otherwise.
    """
    source = config.dataset.source.rstrip("/").rpartition("/")[2].rpartition(":")[2]
    named = f"{Path(config.model).stem}-{source}"
    stem = "".join(c if c.isalnum() or c in "-_" else "-" for c in named)
    folders = [*runs_dir.glob(".*.partial"), *runs_dir.glob(".*.finished")]
    left = [
        target
        for target in map(target_of, folders)
        if re.fullmatch(rf"{re.escape(stem)}-\d+", target.name)
        and not is_in_use(target)
        and _is_left_of(target, config, dataset)
    ]
    number = max((int(target.name.rpartition("-")[2]) for target in left), default=0)
    return runs_dir / (f"{stem}-{number}" if left else next_run_name(runs_dir, stem))


def _is_left_of(target: Path, config: TrainingConfig, dataset: Dataset) -> bool:
    """Return whether what is left of a killed training is of this configuration, or of none yet."""
    if is_resumable(partial_folder(target)):
        return _is_same(partial_folder(target), config, dataset)
    return not target.exists() or _is_complete(target, config, dataset)


def refuse_existing(
    target: Path, config: TrainingConfig, dataset: Dataset, *, replace_old: bool
) -> None:
    """Raise unless a run may be trained: it is new, may be replaced, or is what was asked for.

    Raises:
        RunError: a run of that name exists, finished or not, or another process trains it.
        DatasetError: shifted images would leave the picture.
    """
    _refuse_far_shift(config.shift, dataset)
    refuse_if_in_use(target)
    if not replace_old:
        _refuse_others(target, config, dataset)


def _refuse_others(target: Path, config: TrainingConfig, dataset: Dataset) -> None:
    """Raise if there is a run, finished or not, that the same training has not left."""
    partial = partial_folder(target)
    if is_resumable(partial):
        if not _is_same(partial, config, dataset):
            raise RunError(
                f"{partial} exists; choose another --name, or replace it with --force, or go on "
                "with it with --resume."
            )
    elif target.exists() and not _is_complete(target, config, dataset):
        raise RunError(f"{target} exists; choose another --name, or replace it with --force.")


def begin(
    partial: Path, config: TrainingConfig, dataset: Dataset, model: Any, *, replace_old: bool
) -> bool:
    """Make a partial folder ready to be trained in, unless a killed training has left it so.

    Args:
        partial: the folder, locked.
        config: how to train.
        dataset: on what.
        model: the untrained model.
        replace_old: whether to begin anew, whatever is there.

    Returns:
        Whether a killed training is gone on with.

    Raises:
        RunError: the run exists.
    """
    target = target_of(partial)
    if not replace_old:
        _refuse_others(target, config, dataset)  # it may have been made meanwhile
        if is_resumable(partial) or _is_complete(target, config, dataset):
            return True
    clear(partial)
    remove(finished_folder(target))
    save_keras(model, partial / INITIAL_MODEL)
    document = {
        **_what_is_asked(config, dataset),
        "dataset": config.dataset.to_dict(),
        "class_names": list(dataset.class_names),
        "preprocessing": dataset.preprocessing.to_dict(),
        "parameter_count": model.count_params(),
    }
    write_json_atomically(partial / CONFIG, document)
    return False


def initial_model(config: TrainingConfig, dataset: Dataset) -> Any:
    """Return the untrained model.

    Raises:
        ModelError: it cannot be loaded, or does not fit the dataset.
    """
    if config.model == POST_CNN:
        return build_post_cnn(
            dataset.image_shape, dataset.class_count, dropout=config.dropout, seed=config.seed
        )
    if config.model == FAST_CNN:
        return build_fast_cnn(dataset.image_shape, dataset.class_count, seed=config.seed)
    keras.utils.set_random_seed(config.seed)
    return load_classifier(Path(config.model), dataset, rescale=config.rescale)


def find_interrupted(runs_dir: Path, name: str | None) -> Path:
    """Return the run of that name whose training did not end, or the one worked on last.

    Raises:
        RunError: there is none.
    """
    left = left_behind(runs_dir)
    if name is not None:
        left = [target for target in left if target == runs_dir / name]
    if not left:
        what = f"interrupted run '{name}'" if name else "interrupted run"
        raise RunError(f"There is no {what} in '{runs_dir}'; start one with: fmnist-edge train")
    return left[-1]


def resumed_config(partial: Path) -> TrainingConfig:
    """Return the configuration of an interrupted run.

    Raises:
        RunError: it cannot be read, or was started with other versions.
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


def _is_complete(target: Path, config: TrainingConfig, dataset: Dataset) -> bool:
    """Return whether a killed training had put its run in place, and only had to clean up."""
    return finished_folder(target).exists() and _is_same(target, config, dataset)


def _is_same(folder: Path, config: TrainingConfig, dataset: Dataset) -> bool:
    """Return whether what was started in a folder, or finished, is what is asked for now."""
    try:
        document = read_config(folder)
    except (OSError, ValueError):
        return False
    asked = _what_is_asked(config, dataset)
    return bool(json.loads(json.dumps(asked)) == {key: document.get(key) for key in asked})


def _what_is_asked(config: TrainingConfig, dataset: Dataset) -> dict[str, Any]:
    """Return all that the weights depend on."""
    own = None if config.model in NETWORKS else sha256(Path(config.model).read_bytes())
    return {
        "training": config.to_dict(),
        "dataset_fingerprint": dataset.fingerprint,
        "model_sha256": own,
        "versions": _versions(),
    }


def _refuse_far_shift(shift: int, dataset: Dataset) -> None:
    height, width = dataset.image_shape[:2]
    most = min(height, width) // 2
    if shift > most:
        raise DatasetError(
            f"Expected --shift to be at most {most}, half of the shorter side of images of "
            f"{height} × {width} pixels, got {shift}; 1 or 2 are common."
        )


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
    }
