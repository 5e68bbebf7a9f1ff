"""The runtime that files are made for, and the Python that proves them in it."""

import sys
from dataclasses import dataclass

from edge_runtime.errors import (
    ConversionError,
    MissingDependencyError,
    ModelError,
    UnsupportedError,
    nearest_name,
)
from edge_runtime.inference.loading.probe import ProbeResult, probe, version_in
from edge_runtime.models.inspection import RUNTIMES, ModelSummary, Runtime
from edge_runtime.models.model_file import ModelFile
from edge_runtime.runtimes.backends import choose_backend


@dataclass(frozen=True)
class Target:
    """Where converted files shall run.

    Attributes:
        runtime: the runtime that they are made for.
        python: an interpreter that has it, to load and run each file with; None if there is none
            here, so that files are judged by operator versions and tensor types only.
    """

    runtime: Runtime
    python: str | None

    @property
    def is_proved(self) -> bool:
        """Whether each file is loaded and run in this runtime before it is written."""
        return self.python is not None


def choose_target(option: str, python: str | None = None) -> Target:
    """Return the target of that name.

    Args:
        option: a key of `RUNTIMES`.
        python: an interpreter that has the runtime; by default the one that is running, if it has.

    Raises:
        ConversionError: there is no runtime of that name.
        MissingDependencyError: ``python`` does not have the runtime, or has another release of it.
    """
    if option not in RUNTIMES:
        raise ConversionError(
            f"There is no runtime '{option}'; choose from {', '.join(RUNTIMES)}."
            + nearest_name(option, RUNTIMES)
        )
    runtime = RUNTIMES[option]
    if python is None:
        here = choose_backend(runtime.backend)
        has_it = here.version.startswith(runtime.release) and here.version != "not installed"
        return Target(runtime, sys.executable if has_it else None)
    version = version_in(python, runtime.backend)
    if not version.startswith(runtime.release):
        raise MissingDependencyError(
            f"{python} has {runtime.backend} {version}, expected {runtime.name}; install that "
            f"there with: {python} -m pip install {choose_backend(runtime.backend).requirement}"
        )
    return Target(runtime, python)


def prove(file: ModelFile, summary: ModelSummary, target: Target | None) -> ProbeResult:
    """Load and run a converted file in the runtime here, and in the one that it is made for.

    Returns:
        What the target made of it, or if that runtime is not here, what the one here did.

    Raises:
        UnsupportedError: the target lacks what the file needs, or fails to run it.
        ModelError: the runtime here cannot run it.
    """
    if target is None:
        return probe(file)
    support = target.runtime.support(summary)
    if not support.supported:
        problems = ", ".join(support.problems)
        raise UnsupportedError(f"{support.runtime} cannot run it ({problems})")
    if target.python != sys.executable:
        here = probe(file)
        if target.python is None:
            return here
    try:
        return probe(file, backend=target.runtime.backend, python=target.python)
    except ModelError as error:
        raise UnsupportedError(str(error)) from error


def made_for(target: Target | None, probed: ProbeResult) -> dict[str, str]:
    """Return what the manifest says of the runtime that a file was made for, and of the proof."""
    ran = f"{probed.backend} {probed.backend_version}"
    if target is None:
        backends = {choose_backend(item.backend).package: item for item in RUNTIMES.values()}
        return {"runtime": backends[probed.backend].option, "proof": "run", "ran_in": ran}
    proof = "run" if target.is_proved else "operator versions and tensor types"
    return {"runtime": target.runtime.option, "proof": proof, "ran_in": ran}
