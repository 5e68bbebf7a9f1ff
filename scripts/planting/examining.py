"""Examine planted files one after the other, also with other constants, at little cost."""

import contextlib
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from edge_runtime.doctor import Diagnosis, diagnosis, examine, open_record
from edge_runtime.errors import DatasetError, ModelError
from edge_runtime.files.reading import sha256
from edge_runtime.inference import recalibration
from edge_runtime.inference.loading.workbench import Workbench
from edge_runtime.runtimes.backends import Backend, choose_backend
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


def ways_of(planted: Planted, ways: Collection[str]) -> list[str]:
    """Return the ways in which the fault can be seen: one of weights only with a full model."""
    return [way for way in ways if way != "none" or planted.kind not in OF_WEIGHTS]


def is_named(planted: Planted, way: str, found: Diagnosis) -> bool:
    """Return whether the planted fault is among those that were found."""
    kinds = {cause.kind for cause in found.causes}
    right = {planted.kind, *ALSO_RIGHT.get(way, {}).get(planted.kind, ())}
    return not kinds if planted.kind == HEALTHY else not right.isdisjoint(kinds)


class Examiner:
    """Examines one file after the other with one process, that runs each model once on an image."""

    def __init__(self) -> None:
        self._bench = _Lasting(choose_backend())
        self._of: Path | None = None

    def examined(self, planted: Planted, way: str) -> Diagnosis:
        """Return what `diagnose` says of a file, compared with what a way has to compare with.

        Only the process that tries the file first is left out.
        """
        if self._of != planted.model:
            self._bench.known.clear()
        self._of = planted.model
        opened, diagnosis.Workbench = diagnosis.Workbench, lambda backend: self._bench
        try:
            return examine(
                str(planted.model),
                open_record(planted.model),
                planted.dataset(),
                backend=self._bench.backend,
                reference=planted.reference(way),
            )
        finally:
            diagnosis.Workbench = opened


class _Lasting(Workbench):
    """A workbench that outlives an examination, and remembers what it answered."""

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        self.known: dict[tuple[object, ...], Any] = {}

    def __exit__(self, *error: object) -> None:
        self.deaths = 0

    def _ask(self, request: dict[str, Any], data: bytes, inputs: Any) -> Any:
        key = str(request), sha256(data), str(inputs.dtype), inputs.tobytes()
        if key not in self.known:
            try:
                self.known[key] = super()._ask(request, data, inputs)
            except ModelError as error:
                self.known[key] = error
        if isinstance(self.known[key], ModelError):
            raise self.known[key]
        return self.known[key]


@contextmanager
def constants(values: Mapping[str, float]) -> Iterator[None]:
    """Give constants of the doctor other values, in every module that has them."""
    modules = [module for name, module in sys.modules.items() if "edge_runtime.doctor" in name]
    modules.append(recalibration)
    with contextlib.ExitStack() as stack:
        for name, value in values.items():
            places = [module for module in modules if hasattr(module, name)]
            if not places:
                raise DatasetError(f"The doctor has no constant {name}.")
            for module in places:
                kind = type(getattr(module, name))  # some are whole numbers
                stack.enter_context(patch.object(module, name, kind(value)))
        yield
