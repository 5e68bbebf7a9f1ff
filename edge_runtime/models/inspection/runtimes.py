"""Which runtimes can load a model, judged from what the model names and what each runtime has."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edge_runtime.models.inspection.model import ModelSummary, OperatorUse
from edge_runtime.models.inspection.operator_types import (
    REFUSED_BY_AI_EDGE_LITERT_2_3,
    REFUSED_BY_TFLITE_RUNTIME_2_14,
)
from edge_runtime.models.inspection.operators import AI_EDGE_LITERT_2_3, TFLITE_RUNTIME_2_14
from edge_runtime.models.inspection.schema import TENSOR_TYPES

_ALL_DTYPES = tuple(kind.dtype for kind in TENSOR_TYPES)


@dataclass(frozen=True)
class RuntimeSupport:
    """Whether one runtime has what a model needs.

    Attributes:
        runtime: Its name, with the version where only that one is meant.
        supported: Whether it has every operator, version and tensor type.
        problems: What is missing, one phrase each; empty if it is supported.
    """

    runtime: str
    supported: bool
    problems: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as what JSON can hold."""
        return asdict(self)


@dataclass(frozen=True)
class Runtime:
    """A runtime that files can be made for.

    Attributes:
        option: What `convert --runtime` takes.
        name: Its name, with the version where only that one is meant.
        backend: The backend that runs it, as in `edge_runtime.runtimes.backends`.
        release: How its versions begin; "" for any.
        versions: The highest version of each operator that it has.
        refused: The types that an operator refuses there.
        dtypes: The tensor types that it knows.
    """

    option: str
    name: str
    backend: str
    release: str
    versions: Mapping[str, int]
    refused: Mapping[str, tuple[str, ...]]
    dtypes: tuple[str, ...]

    def support(self, summary: ModelSummary) -> RuntimeSupport:
        """Return whether it can load a model, judged as in `runtime_support`."""
        found: list[str] = []
        for use in summary.operators:
            found += self._problems(use)
        dtypes = dict.fromkeys(tensor.dtype for tensor in summary.tensors)
        found += [f"{dtype} tensors: not there" for dtype in dtypes if dtype not in self.dtypes]
        return RuntimeSupport(self.name, not found, tuple(found))

    def _problems(self, use: OperatorUse) -> list[str]:
        highest = self.versions.get(use.name)
        if use.custom:
            return [f"custom operator {use.name}: not there"]
        if highest is None:
            return [f"{use.name}: not there"]
        if use.version > highest:
            return [f"{use.name} version {use.version}: at most {highest} there"]
        # Types were measured of versions that are there.
        refused = self.refused.get(use.name, ())
        return [f"{use.name} of {dtype}: not there" for dtype in use.dtypes if dtype in refused]


# What scripts/measure-op-versions and -types print. Newer releases only add to it, so
# ai-edge-litert 2.3.0 stands for those that follow.
_LITERT = Runtime(
    option="litert",
    name="ai-edge-litert",
    backend="litert",
    release="",
    versions=AI_EDGE_LITERT_2_3,
    refused=REFUSED_BY_AI_EDGE_LITERT_2_3,
    dtypes=_ALL_DTYPES,
)
_TFLITE_RUNTIME = Runtime(
    option="tflite-runtime-2.14",
    name="tflite-runtime 2.14.0",
    backend="tflite-runtime",
    release="2.14.",
    versions=TFLITE_RUNTIME_2_14,
    refused=REFUSED_BY_TFLITE_RUNTIME_2_14,
    dtypes=_ALL_DTYPES[:18],
)
RUNTIMES: dict[str, Runtime] = {each.option: each for each in (_LITERT, _TFLITE_RUNTIME)}


def runtime_support(summary: ModelSummary) -> tuple[RuntimeSupport, ...]:
    """Return, for each runtime, whether it can load the model, and what stands in the way.

    This is necessary, not sufficient: a kernel may still refuse a shape, or a type that was not
    measured. Loading the model in the runtime is the proof.

    Args:
        summary: What `inspect_model` said about the model.
    """
    return tuple(runtime.support(summary) for runtime in RUNTIMES.values())
