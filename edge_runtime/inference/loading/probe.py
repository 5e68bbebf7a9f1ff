"""Load a model and run it in a process of its own, so that a crash of the runtime harms nobody.

The child gets the very bytes that were checked on its standard input, not a path that might have
changed since, and prints what it found as JSON; `loading.child` is what it runs.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import MissingDependencyError, ModelError
from edge_runtime.models.model_file import ModelFile
from edge_runtime.runtimes.backends import Kernels
from edge_runtime.runtimes.children import TRUSTED_PATH, command_of

_TIMEOUT_SECONDS = 120

# What another Python says of a runtime: its version, or why there is none.
_ASK_VERSION = f"""\
{TRUSTED_PATH}
try:
    from edge_runtime.runtimes.backends import choose_backend
    from edge_runtime.errors import EdgeError
except ImportError as error:
    sys.exit(f"Error: {{error}}; install fmnist-edge there with: {{sys.argv[2]}} -m pip install .")
try:
    backend = choose_backend(sys.argv[1])
    backend.import_runtime()
except EdgeError as error:
    sys.exit(f"Error: {{error}}")
print(backend.version)
"""


@dataclass(frozen=True)
class ProbeResult:
    """What a runtime made of a model.

    Attributes:
        backend: the runtime's package.
        backend_version: its version.
        outside_xnnpack: the operators that XNNPACK left to the runtime's own, slower kernels.
        operator_count: how many operators there are.
        selftest: of a bundle, what came of its golden vectors, as in `SelfTest.to_dict`.
    """

    backend: str
    backend_version: str
    outside_xnnpack: tuple[str, ...]
    operator_count: int
    selftest: Mapping[str, Any] | None = None

    @property
    def xnnpack(self) -> str:
        """How much of the graph XNNPACK takes over, in words."""
        if not self.outside_xnnpack:
            return "whole graph"
        if len(self.outside_xnnpack) == self.operator_count:
            return "none"
        if len(self.outside_xnnpack) > 2:
            return f"all but {len(self.outside_xnnpack)} of {self.operator_count} operators"
        return f"all but {', '.join(self.outside_xnnpack)}"

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON, with the words."""
        return {**asdict(self), "xnnpack": self.xnnpack}


def probe(
    file: ModelFile,
    *,
    backend: str | None = None,
    kernels: Kernels = "auto",
    finite: bool = True,
    python: str = sys.executable,
) -> ProbeResult:
    """Load and invoke a model in a child process, under limits of time and memory.

    Of one that came in a bundle the golden vectors are tested.

    Args:
        file: the model.
        backend: name of a backend; by default the one that would be chosen.
        kernels: which kernels to use.
        finite: refuse a model that answers with NaN or infinity.
        python: the interpreter to use, which must be able to import this package.

    Raises:
        ModelError: the runtime refused the model, died of it, took too long, or answered with NaN.
    """
    whole = file.bundle.data if file.bundle else file.data
    kind = "bundle" if file.bundle else "model"
    numbers = "finite" if finite else "any"
    arguments = (kind, kernels, numbers, *([backend] if backend else []))
    found = run_child(
        command_of("edge_runtime.inference.loading.child", *arguments, python=python), whole
    )
    return ProbeResult(**{**found, "outside_xnnpack": tuple(found["outside_xnnpack"])})


def probe_images(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return a black image, a white one, and one with every brightness, (3, H, W, C) uint8."""
    ramp = (np.arange(np.prod(shape)) % 256).astype(np.uint8).reshape(shape)
    return np.stack([np.zeros_like(ramp), np.full_like(ramp, 255), ramp])


def run_child(command: Sequence[str], data: bytes) -> Any:
    """Run a process that gets a model on standard input, and return what `answer` prints there.

    Raises:
        ModelError: the runtime refused the model, died of it or took too long.
    """
    # Here, since a model that has passed before should not wait for them.
    import signal
    import subprocess

    from edge_runtime.inference.loading.limits import CPU_SECONDS

    try:
        child = subprocess.run(
            command, input=data, capture_output=True, timeout=_TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"the model did not answer within {_TIMEOUT_SECONDS} s.") from error
    if child.returncode == -signal.SIGXCPU:
        raise ModelError(f"the model did not answer within {CPU_SECONDS} s of processor time.")
    if child.returncode < 0:
        raise ModelError(f"the runtime dies of this model (signal {-child.returncode}).")
    if child.returncode != 0:
        lines = child.stderr.decode(errors="replace").strip().splitlines()
        raise ModelError((lines or ["it gave no reason"])[-1].removeprefix("Error: "))
    try:
        return json.loads(child.stdout)
    except ValueError as error:
        raise ModelError("the runtime gave no answer that can be read.") from error


def version_in(python: str, backend: str) -> str:
    """Return the version of a runtime, by the backend's name, that another Python has.

    Raises:
        MissingDependencyError: it is no Python, or cannot import this package or the runtime.
    """
    import subprocess

    try:
        child = subprocess.run(
            [python, "-c", _ASK_VERSION, backend, python],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except OSError as error:
        raise MissingDependencyError(
            f"{python} cannot be started ({error.strerror}); name a Python that has the runtime, "
            "as in .venv-tflite-runtime/bin/python."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise MissingDependencyError(
            f"{python} did not answer within {_TIMEOUT_SECONDS} s."
        ) from error
    answer = child.stdout.strip()
    if child.returncode == 0 and answer:
        return answer
    lines = child.stderr.strip().splitlines() or ["it does not answer like a Python"]
    raise MissingDependencyError(f"{python}: {lines[-1].removeprefix('Error: ')}")
