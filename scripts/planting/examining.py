"""Examine planted files, again and again with other constants: each model runs once on an image."""

import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache, wraps
from typing import Any

from edge_runtime import doctor
from edge_runtime.doctor import (
    Diagnosis,
    case,
    diagnose,
    diagnosis,
    examine,
    open_record,
    ranges,
    record,
    reference,
)
from edge_runtime.errors import ModelError
from edge_runtime.files.reading import sha256
from edge_runtime.inference import recalibration
from edge_runtime.inference.loading.workbench import Workbench
from edge_runtime.runtimes.backends import choose_backend
from planting.cases import Planted

HEALTHY = "healthy"
OF_WEIGHTS = ("bits-flipped", "bias-lost", "batch-norm", "other-training")
WAYS = ("none", "model", "predictions")
# By another name it is what it is: shuffled weights are of no training. Predictions have no layers.
ALSO_RIGHT = {
    "model": {"untrained": {"other-training"}},
    "predictions": {
        "untrained": {"weights-differ"},
        **{kind: {"weights-differ"} for kind in OF_WEIGHTS},
    },
}


def examined(planted: Planted, way: str) -> Diagnosis:
    """Return what the doctor says of a file, compared with what a way has to compare with."""
    return diagnose(planted.model, planted.dataset(), reference=planted.reference(way))


def examined_again(planted: Planted, way: str) -> Diagnosis:
    """Return the same without a process that tries the file first, which takes a second."""
    return examine(
        str(planted.model),
        open_record(planted.model),
        planted.dataset(),
        backend=choose_backend(),
        reference=planted.reference(way),
    )


def kinds_of(diagnosis: Diagnosis) -> list[str]:
    """Return the kinds of what was found; one cause may be of two."""
    return [part for cause in diagnosis.causes for part in cause.kind.split("+")]


def is_named(planted: Planted, way: str, kinds: Collection[str]) -> bool:
    """Return whether the planted fault is among the kinds that were found."""
    right = {planted.kind, *ALSO_RIGHT.get(way, {}).get(planted.kind, ())}
    return not kinds if planted.kind == HEALTHY else not right.isdisjoint(kinds)


digest = lru_cache(maxsize=None)(sha256)


@contextmanager
def constants(values: Mapping[str, Any]) -> Iterator[None]:
    """Give constants of the doctor other values, in every module that has them."""
    modules = [
        module
        for name, module in sys.modules.items()
        if name.startswith(doctor.__name__) or module is recalibration
    ]
    places = [(module, name) for name in values for module in modules if hasattr(module, name)]
    if missing := set(values) - {name for _, name in places}:
        raise ValueError(f"The doctor has no constant {', '.join(sorted(missing))}.")
    kept = [getattr(module, name) for module, name in places]
    for module, name in places:
        setattr(module, name, values[name])
    try:
        yield
    finally:
        for (module, name), value in zip(places, kept, strict=True):
            setattr(module, name, value)


@contextmanager
def remembered_answers(known: dict[str, dict[Any, Any]]) -> Iterator[None]:
    """Within it, what was computed by a model for a correction is not computed again."""

    def of_outputs(self: Any, one: Any = None, part: slice = slice(None)) -> tuple[Any, ...]:
        copy = one and (one.tried, one.class_of_output, one.data)
        bounds = part.indices(len(self.images))
        return self.file.data, self.images[:9].tobytes(), copy, bounds

    def of_ranges(file: Any, bench: Any, inputs: Any) -> tuple[Any, ...]:
        search = {name: value for name, value in vars(recalibration).items() if name.isupper()}
        return file.data, inputs.tobytes(), str(search)

    def of_request(self: Any, request: Any, data: bytes, inputs: Any) -> tuple[Any, ...]:
        return str(request), digest(data), sha256(inputs.tobytes())

    def of_files(*files: Any) -> tuple[Any, ...]:
        return tuple(file if isinstance(file, bytes) else file.data for file in files)

    places: list[tuple[Any, str, Callable[..., Any]]] = [
        (case, "inspect_model", of_files),
        (record, "inspect_model", of_files),
        (reference, "inspect_model", of_files),
        (diagnosis, "QuantizedFile", of_files),
        (diagnosis, "differences", of_files),
        (Workbench, "_ask", of_request),
        (case.Case, "outputs", of_outputs),
        (case, "recalibrate", of_ranges),
        (ranges, "recalibrate", of_ranges),
    ]
    kept = [getattr(owner, name) for owner, name, _ in places]
    for (owner, name, key), function in zip(places, kept, strict=True):
        setattr(owner, name, _remembering(function, key, known.setdefault(f"{owner}.{name}", {})))
    try:
        yield
    finally:
        for (owner, name, _), function in zip(places, kept, strict=True):
            setattr(owner, name, function)


def _remembering(
    function: Callable[..., Any], key: Callable[..., Any], known: dict[Any, Any]
) -> Callable[..., Any]:

    @wraps(function)
    def remembering(*arguments: Any) -> Any:
        which = key(*arguments)
        if which not in known:
            try:
                known[which] = function(*arguments)
            except ModelError as error:
                known[which] = error
        if isinstance(known[which], ModelError):
            raise known[which]
        return known[which]

    return remembering
