"""`convert` and `convert_all`; the command `convert` calls the latter."""

import contextlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from converter.calibration import (
    Representative,
    RepresentativeDataset,
    choose_representative,
    drawn,
    open_representative,
)
from converter.converted import Converted
from converter.schemes import ALL, Io, Recipe, choose_recipes, refuse_unusable_io
from converter.target import Target, choose_target
from edge_runtime.data.datasets import Dataset
from edge_runtime.data.images import Preprocessing
from edge_runtime.errors import ConversionError, DatasetError, UnsupportedError, extra_missing
from edge_runtime.inference.given import given_run
from edge_runtime.models.runs import Run, run_at
from edge_runtime.runtimes.native import native_messages_silenced
from edge_runtime.wording import spelled_out

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from converter.job import Job
    from converter.source import SourceModel

Progress = Callable[[Recipe, Converted | UnsupportedError | None], object]


class Options(TypedDict, total=False):
    """How to convert a model.

    Attributes:
        representative: what "int8" and "int16x8" are calibrated on: (N, H, W, C) uint8 training
            images, or a dataset, what to load or its source, of which training images are drawn.
        representative_size: how many to draw of a dataset; by default 100, one of each class at
            least.
        seed: of the draw; by default 0.
        class_names: in the order of the outputs; by default the dataset's, or numbers.
        preprocessing: from picture to input; by default the dataset's, or pictures are only fitted.
        io: type of input and output: "int8", "uint8" or "float32"; by default int8, int16 for
            int16x8.
        logits: leave out the softmax that a Keras model ends in.
        pack: rewrite the first convolution of an int8 model where that is faster here, and gives
            the same numbers; by default True.
        batch: how many images one run of the model takes; by default 1.
        runtime: make only what this runtime runs: "litert" or "tflite-runtime-2.14"; by default the
            one that is here.
        runtime_python: a Python that has ``runtime``, to prove the model in.
    """

    representative: Representative | None
    representative_size: int | None
    seed: int
    class_names: Sequence[str] | None
    preprocessing: Preprocessing | None
    io: Io | None
    logits: bool
    pack: bool
    batch: int
    runtime: str | Target | None
    runtime_python: str | None


@spelled_out(Options)
def convert(model: Any, scheme: str = "int8", **options: "Unpack[Options]") -> Converted:
    """Convert an image classifier that takes raw pixels 0..255 to a .tflite.

    The result was loaded and run in a process of its own; its graph is what was asked for. Nothing
    is written before `Converted.save`.

    Examples:
        >>> made = convert(model, "int8", representative=images)
        >>> made.scheme, made.summary.inputs[0].dtype, made.summary.inputs[0].shape
        ('int8', 'int8', (1, 8, 8, 1))
        >>> path = made.save(folder / "boots.tflite")

    Args:
        model: a `keras.Model`, or the path of a `.keras` file or of a SavedModel's folder. A run as
            `trainer.train` returns it, its folder, and the path of its `model.keras` bring their
            class names and images.
        scheme: how to quantize: "float32", "float16", "dynamic", "int8" or "int16x8".
        options: see `converter.api.Options`; "int8" and "int16x8" need ``representative``, unless
            the model is a run's.

    Raises:
        ConversionError: an argument is impossible, or TensorFlow cannot convert the model so.
        UnsupportedError: ``runtime`` cannot run the result.
        ModelError: the model cannot be loaded or is no image classifier, or the runtime here
            cannot run the result.
        DatasetError: the representative images have another dtype, shape or range.
        MissingDependencyError: TensorFlow is not installed.
    """
    recipes = choose_recipes(scheme)
    if len(recipes) != 1:
        raise ConversionError(f"Expected one scheme, got {scheme!r}; use convert_all for several.")
    return _prepare(model, recipes, **options).make(recipes[0])


@spelled_out(Options)
def convert_all(
    model: Any,
    schemes: str | Iterable[str] = ALL,
    *,
    progress: Progress = lambda recipe, outcome: None,
    **options: "Unpack[Options]",
) -> dict[str, Converted]:
    """Convert a model in several ways, as `convert` does each of them.

    Examples:
        >>> [name for name in convert_all(model, ["float32", "float16"])]
        ['float32', 'float16']

    Args:
        model: as `convert` takes it.
        schemes: one or several, or "all".
        progress: called as ``progress(recipe, outcome)``: with None before each conversion, after
            it with what was made, or with why it was left out.
        options: as `convert` takes them.

    Returns:
        What was made, by scheme, without those that ``runtime`` cannot run.

    Raises:
        EdgeError: as `convert`, but for what is left out.
    """
    recipes = choose_recipes(schemes)
    job = _prepare(model, recipes, **options)
    made: dict[str, Converted] = {}
    for recipe in recipes:
        progress(recipe, None)
        try:
            made[recipe.name] = job.make(recipe)
        except UnsupportedError as error:
            progress(recipe, error)
        else:
            progress(recipe, made[recipe.name])
    return made


def _prepare(
    model: Any,
    recipes: tuple[Recipe, ...],
    *,
    representative: Representative | None = None,
    representative_size: int | None = None,
    seed: int = 0,
    class_names: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
    io: Io | None = None,
    logits: bool = False,
    pack: bool = True,
    batch: int = 1,
    runtime: str | Target | None = None,
    runtime_python: str | None = None,
) -> "Job":
    """Check all arguments, load the model and the images, and return what is left to be done."""
    refuse_unusable_io(recipes, io)
    _refuse_number("batch", batch, range(1, 1025))
    _refuse_number("seed", seed, range(2**31))
    if representative_size is not None:
        _refuse_number("representative_size", representative_size, range(1, 2**31))
    if runtime_python is not None and runtime is None:
        raise ConversionError("runtime_python is for runtime; say which runtime it has.")
    target = choose_target(runtime, runtime_python) if isinstance(runtime, str) else runtime
    try:
        with native_messages_silenced():
            from converter.job import Job
            from converter.labels import labels_of
            from converter.source import open_source
    except ImportError as error:
        raise extra_missing("`fmnist-edge convert`", error) from error
    trained = given_run(model)
    if trained is not None:
        model = trained.model
        representative = trained.dataset() if representative is None else representative
    source = open_source(model, logits=logits)
    run = run_of(model)
    given = open_representative(representative, run, seed)
    labels = labels_of(source, run, given, class_names, preprocessing, logits=logits)
    chosen = None
    if any(recipe.calibrated for recipe in recipes):
        chosen = drawn(given, representative_size, seed)
        if chosen.images.shape[1:] != labels.preprocessing.shape:
            raise ConversionError(
                f"The images for calibration are {chosen.images.shape[1:]}, the model is to take "
                f"{labels.preprocessing.shape}; give images of that size."
            )
    labelled = _labelled(source, chosen, given, seed)
    return Job(source, labels, chosen, labelled, target, io, pack, batch)


def _refuse_number(name: str, value: Any, possible: range) -> None:
    if type(value) is not int or value not in possible:
        raise ConversionError(
            f"Expected {name} to be a whole number from {possible[0]} to {possible[-1]:,}, got "
            f"{value!r:.80}."
        )


def run_of(model: Any) -> Run | None:
    """Return the run whose folder a path is, or whose model; None if it is neither."""
    if not isinstance(model, str | Path):
        return None
    path = Path(model)
    return run_at(path.parent if path.name == "model.keras" else path)


def _labelled(
    source: "SourceModel",
    chosen: RepresentativeDataset | None,
    given: Dataset | RepresentativeDataset | None,
    seed: int,
) -> RepresentativeDataset | None:
    """Return training images to try the files on, those of the calibration; never test images."""
    if chosen is None and isinstance(given, Dataset):
        with contextlib.suppress(DatasetError):  # what only tries a file must not prevent it
            chosen = choose_representative(given, size=None, seed=seed)
    if chosen is None or source.class_count != len(chosen.class_names):
        return None
    source.static_shape(chosen.images.shape[1:])
    return chosen
