"""`train` and `resume`; the command `train` calls these."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.data.datasets import Dataset, DatasetSpec, load_dataset
from edge_runtime.errors import DatasetError, RunError, extra_missing, nearest_name
from edge_runtime.models.runs import LATEST
from edge_runtime.runtimes.native import native_messages_silenced
from edge_runtime.wording import spelled_out
from trainer.recipe import POST_CNN, Settings, TrainingConfig
from trainer.workplace import Workplace, find_interrupted

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from trainer.ending import Progress, Say
    from trainer.run import Run


_SETTINGS = frozenset(Settings.__annotations__) | {"seed"}


def _silent(*anything: object) -> None:
    pass


@spelled_out(Settings)
def train(
    dataset: Dataset | DatasetSpec | str = "sample",
    *,
    model: Any = POST_CNN,
    seed: int = 0,
    runs_dir: str | Path | None = None,
    name: str | None = None,
    force: bool = False,
    progress: "Progress" = _silent,
    say: "Say" = _silent,
    **settings: "Unpack[Settings]",
) -> "Run":
    """Train an image classifier over raw pixels 0..255.

    Nothing is written unless ``runs_dir`` says where, and nothing is printed. With ``runs_dir`` the
    same call goes on where a killed one stopped, and ends with the same weights, bit for bit. For
    this TensorFlow is made deterministic, and the seeds of Python, NumPy and TensorFlow are set, in
    the whole process.

    Examples:
        >>> run = train("sample", epochs=2, batch_size=200)
        >>> len(run.history), run.metrics["parameter_count"], run.predictions.probabilities.shape
        (2, 31626, (1000, 10))

    Args:
        dataset: images, what to load, or its source, such as "sample" or "folder:DIR".
        model: "post-cnn", "fast-cnn", the path of a `.keras` file, or a `keras.Model`, which stays
            as it is.
        seed: of weights, order of the images, dropout, mirrors and shifts.
        runs_dir: where to write the run; None keeps it in memory, for `Run.save`.
        name: of the run there; None is MODEL-DATASET-N.
        force: whether to replace a run of that name, finished or not.
        progress: called as ``progress(done, epochs, epoch)`` before the first and after each epoch,
            with what was measured in it, or None before the first.
        say: called with lines about what is going on.
        settings: the others of `TrainingConfig`, such as ``epochs``; None is what the network
            itself recommends.

    Raises:
        RecipeError, ModelError, RunError: a setting, the model or the name cannot be used.
        DatasetError: the dataset cannot be loaded, or is too small.
        TrainingError: the loss became NaN.
        MissingDependencyError: TensorFlow is not installed.
    """
    _refuse_impossible_name(name)
    if runs_dir is None and (name is not None or force):
        raise RunError("name and force are for a run that is written; give runs_dir too.")
    config, images = _checked(dataset, model, {"seed": seed, **settings})
    with _tensorflow_needed():
        from trainer import ending, starting
    untrained, own = starting.initial_model(model, config, images)
    record = starting.record_of(config, images, untrained, own)
    if runs_dir is None:
        return ending.finish_in_memory(untrained, config, images, record, progress, say)
    folder = Path(runs_dir)
    work = Workplace(folder / name) if name else starting.choose_workplace(folder, record)
    with work.held():
        if starting.begin(work, record, untrained, replace_old=force):
            say(f"going on with {work.target.name}, which was interrupted")
        return ending.finish_run(work, config, images, progress, say)


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
    work = find_interrupted(Path(runs_dir), name)
    with work.held():
        if not work.is_resumable:
            return ending.already_in_place(work)
        given = {"epochs": epochs, "learning_rate": learning_rate}
        changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        config = replace(starting.resumed_config(work), **changes)
        images = load_dataset(config.dataset)
        return ending.finish_run(work, config, images, progress, say)


def _checked(
    dataset: Dataset | DatasetSpec | str, model: Any, settings: dict[str, Any]
) -> tuple[TrainingConfig, Dataset]:
    """Return how to train on what, refused before TensorFlow is imported, which takes seconds."""
    for unknown in settings.keys() - _SETTINGS:
        raise TypeError(f"train() has no setting {unknown!r}.{nearest_name(unknown, _SETTINGS)}")
    named = str(model) if isinstance(model, str | Path) else f"{getattr(model, 'name', '')}.keras"
    config = TrainingConfig.recommended(_spec(dataset, settings["seed"]), named, **settings)
    images = dataset if isinstance(dataset, Dataset) else load_dataset(config.dataset)
    height, width = images.image_shape[:2]
    most = min(height, width) // 2
    if config.shift > most:
        raise DatasetError(
            f"Expected shift to be at most {most}, half of the shorter side of images of "
            f"{height} × {width} pixels, got {config.shift}; 1 or 2 are common."
        )
    return config, images


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
    return DatasetSpec(dataset, seed=seed).absolute()


def _refuse_impossible_name(name: str | None) -> None:
    if name is not None and (Path(name).name != name or name.startswith(".") or name == LATEST):
        raise RunError(
            f"A run cannot be called '{name}': expected a plain name without '/', not starting "
            "with '.', and not 'latest'. Use --runs-dir for the folder."
        )


@contextlib.contextmanager
def _tensorflow_needed() -> Iterator[None]:
    try:
        with native_messages_silenced():
            yield
    except ImportError as error:
        raise extra_missing("`fmnist-edge train`", error) from error
