"""`train` and `resume`; the command `train` calls these."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.commands.options import spec_from_options
from edge_runtime.data.datasets import Dataset, DatasetSpec, load_dataset
from edge_runtime.errors import DatasetError, RunError, extra_missing
from edge_runtime.models.runs import LATEST
from edge_runtime.runtimes.native import native_messages_silenced
from trainer.partial import is_resumable, working_on
from trainer.recipe import POST_CNN, Measure, Precision, Schedule, TrainingConfig

if TYPE_CHECKING:
    from trainer.ending import Progress, Say
    from trainer.run import Run


def _silent(*anything: object) -> None:
    pass


def train(
    dataset: Dataset | DatasetSpec | str = "sample",
    *,
    model: Any = POST_CNN,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    schedule: Schedule | None = None,
    weight_decay: float | None = None,
    label_smoothing: float | None = None,
    flip: bool | None = None,
    shift: int | None = None,
    precision: Precision | None = None,
    measure: Measure | None = None,
    dropout: float | None = None,
    rescale: float | None = None,
    seed: int = 0,
    runs_dir: str | Path | None = None,
    name: str | None = None,
    force: bool = False,
    progress: "Progress" = _silent,
    say: "Say" = _silent,
) -> "Run":
    """Train an image classifier over raw pixels 0..255.

    Nothing is written unless ``runs_dir`` says where, and nothing is printed. With ``runs_dir`` the
    state after each epoch is kept there: the same call goes on where a killed one stopped, and ends
    with the same weights, bit for bit. For this TensorFlow is made deterministic, and the seeds of
    Python, NumPy and TensorFlow are set, in the whole process.

    Examples:
        >>> run = train("sample", epochs=2, batch_size=200)
        >>> [epoch["epoch"] for epoch in run.history], run.metrics["parameter_count"]
        ([1, 2], 31626)
        >>> run.predictions.probabilities.shape
        (1000, 10)

    Args:
        dataset: images, what to load, or its source: "sample", "fashion_mnist", "tfds:NAME",
            "idx:DIR" or "folder:DIR".
        model: "post-cnn", "fast-cnn", the path of a `.keras` file, or a `keras.Model`, which stays
            as it is.
        epochs: passes over the training images. This and all down to ``rescale`` are described at
            `TrainingConfig`; None is what the network itself recommends.
        batch_size: images for each step.
        learning_rate: of Adam, at its highest.
        schedule: "linear", "constant" or "one-cycle".
        weight_decay: what a step takes off each kernel, times the learning rate.
        label_smoothing: the share of the truth that is spread over all classes, 0 to below 1.
        flip: whether to show each image mirrored in every second epoch.
        shift: by how many pixels at most an image is moved along each side.
        precision: "float32" or "bfloat16".
        measure: whether to measure the test images after each "epoch" or once at the "end".
        dropout: of post-cnn, 0 to below 1.
        rescale: number to multiply pixels with in front of a model of one's own, as in 1/255.
        seed: of weights, order of the images, dropout, mirrors and shifts.
        runs_dir: where to write the run, as `fmnist-edge train --runs-dir` does; None keeps it in
            memory, for `Run.save`.
        name: of the run there; None is MODEL-DATASET-N.
        force: whether to replace a run of that name, finished or not.
        progress: called as ``progress(done, epochs, epoch)`` before the first and after each epoch,
            with what was measured in it, or None before the first.
        say: called with lines about what is going on.

    Raises:
        RecipeError: a setting has a value that it cannot have.
        DatasetError: the dataset cannot be loaded, or is too small.
        ModelError: the model cannot be loaded, or does not fit the images.
        RunError: a run of that name exists.
        TrainingError: the loss became NaN.
        MissingDependencyError: TensorFlow is not installed.
    """
    _refuse_impossible_name(name)
    if runs_dir is None and (name is not None or force):
        raise RunError("name and force are for a run that is written; give runs_dir too.")
    # All that can be refused is refused before TensorFlow is imported, which takes seconds.
    named = str(model) if isinstance(model, str | Path) else f"{getattr(model, 'name', '')}.keras"
    config = TrainingConfig.recommended(
        _spec(dataset, seed),
        named,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        schedule=schedule,
        weight_decay=weight_decay,
        label_smoothing=label_smoothing,
        flip=flip,
        shift=shift,
        precision=precision,
        measure=measure,
        dropout=dropout,
        rescale=rescale,
        seed=seed,
    )
    images = dataset if isinstance(dataset, Dataset) else load_dataset(config.dataset)
    _refuse_far_shift(config.shift, images)
    with _tensorflow_needed():
        from trainer import ending, starting
    untrained, own = starting.initial_model(model, config, images)
    record = starting.record_of(config, images, untrained, own)
    if runs_dir is None:
        return ending.finish_in_memory(
            untrained, config, images, record, progress=progress, say=say
        )
    folder = Path(runs_dir)
    target = folder / name if name else starting.choose_target(folder, record)
    with working_on(target) as partial:
        if starting.begin(partial, record, untrained, replace_old=force):
            say(f"going on with {target.name}, which was interrupted")
        return ending.finish_run(partial, config, images, progress=progress, say=say)


def resume(
    name: str | None = None,
    *,
    runs_dir: str | Path = "runs",
    epochs: int | None = None,
    learning_rate: float | None = None,
    progress: "Progress" = _silent,
    say: "Say" = _silent,
) -> "Run":
    """Go on with a training that was interrupted, from its last whole epoch.

    Examples:
        >>> resume(runs_dir="elsewhere")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        edge_runtime.errors.RunError: There is no interrupted run in 'elsewhere'; start one ...

    Args:
        name: of the run; None is the one that was worked on last.
        runs_dir: where it is kept.
        epochs: how many there shall be in all; None leaves it as it was.
        learning_rate: of Adam from here on, at its highest; None leaves it as it was.
        progress: as in `train`.
        say: as in `train`.

    Raises:
        RunError: there is no such training, or its images or the versions here are others.
        TrainingError: the loss became NaN.
        MissingDependencyError: TensorFlow is not installed.
    """
    _refuse_impossible_name(name)
    with _tensorflow_needed():
        from trainer import ending, starting
    target = starting.find_interrupted(Path(runs_dir), name)
    with working_on(target) as partial:
        if not is_resumable(partial):
            return ending.already_in_place(target)
        given = {"epochs": epochs, "learning_rate": learning_rate}
        changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        config = replace(starting.resumed_config(partial), **changes)
        images = load_dataset(config.dataset)
        return ending.finish_run(partial, config, images, progress=progress, say=say)


def _spec(dataset: Dataset | DatasetSpec | str, seed: int) -> DatasetSpec:
    """Return what finds the images again: of images that are given, as far as it is known."""
    if isinstance(dataset, DatasetSpec):
        return dataset
    if isinstance(dataset, Dataset):
        return DatasetSpec(dataset.name, len(dataset.train), len(dataset.test))
    if not isinstance(dataset, str):
        raise DatasetError(
            "Expected a Dataset, a DatasetSpec or a source such as 'sample' or 'folder:DIR', got "
            f"{type(dataset).__name__}."
        )
    options = dict.fromkeys(("train_size", "test_size", "image_size", "channels", "data_dir"))
    return spec_from_options({**options, "dataset": dataset}, seed=seed)


def _refuse_impossible_name(name: str | None) -> None:
    if name is not None and (Path(name).name != name or name.startswith(".") or name == LATEST):
        raise RunError(
            f"A run cannot be called '{name}': expected a plain name without '/', not starting "
            "with '.', and not 'latest'. Use --runs-dir for the folder."
        )


def _refuse_far_shift(shift: int, images: Dataset) -> None:
    height, width = images.image_shape[:2]
    most = min(height, width) // 2
    if shift > most:
        raise DatasetError(
            f"Expected shift to be at most {most}, half of the shorter side of images of "
            f"{height} × {width} pixels, got {shift}; 1 or 2 are common."
        )


@contextlib.contextmanager
def _tensorflow_needed() -> Iterator[None]:
    try:
        with native_messages_silenced():
            yield
    except ImportError as error:
        raise extra_missing("`fmnist-edge train`", error) from error
