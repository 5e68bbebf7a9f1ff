"""Load a model and run it in a process of its own, so that a crash of the runtime harms nobody.

The child prints what it found as JSON; `probe` starts it and reads that.
"""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.classifier import Classifier
from edge_runtime.errors import EdgeError, ModelError
from edge_runtime.manifest import ModelFile, read_model_bytes

_TIMEOUT_SECONDS = 120.0

# Nothing in the current folder may pass for a module of ours or of NumPy.
_CHILD = """\
import sys
sys.path[:] = [path for path in sys.path if path]
from edge_runtime.probe import main
sys.exit(main())
"""


@dataclass(frozen=True)
class ProbeResult:
    """What a runtime made of a model.

    Attributes:
        backend: the runtime's package.
        backend_version: its version.
        outside_xnnpack: the operators that XNNPACK left to the runtime's own, slower kernels.
        operator_count: how many operators there are.
    """

    backend: str
    backend_version: str
    outside_xnnpack: tuple[str, ...]
    operator_count: int

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


def probe(model: Path, *, backend: str | None = None, python: str = sys.executable) -> ProbeResult:
    """Load and invoke a model in a child process.

    Args:
        model: the .tflite file.
        backend: name of a backend; by default the one that would be chosen.
        python: the interpreter to use, which must be able to import this package.

    Raises:
        ModelError: the runtime refused the model, died of it, or answered with NaN.
    """
    command = [python, "-c", _CHILD, str(model), *([backend] if backend else [])]
    try:
        child = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"The model did not answer within {_TIMEOUT_SECONDS:.0f} s.") from error
    if child.returncode < 0:
        raise ModelError(f"The runtime died of this model (signal {-child.returncode}).")
    if child.returncode != 0:
        lines = child.stderr.strip().splitlines() or ["it gave no reason"]
        raise ModelError(lines[-1].removeprefix("Error: "))
    found = json.loads(child.stdout)
    return ProbeResult(**{**found, "outside_xnnpack": tuple(found["outside_xnnpack"])})


def _run_probe(model: Path, backend: str | None) -> ProbeResult:
    classifier = Classifier(ModelFile(model.name, read_model_bytes(model)), backend=backend)
    height, width, channels = classifier.preprocessing.shape
    ramp = np.arange(height * width * channels, dtype=np.uint32).reshape(height, width, channels)
    images = np.stack([np.zeros_like(ramp), np.full_like(ramp, 255), ramp % 256]).astype(np.uint8)
    answers = classifier.predict(images)
    if not np.isfinite(answers).all():
        raise ModelError("The model answers with NaN or infinity.")
    delegation = classifier.delegation()
    return ProbeResult(
        classifier.backend.package,
        classifier.backend.version,
        delegation.outside_xnnpack,
        delegation.operator_count,
    )


def main() -> int:
    """Probe the model that the command line names."""
    try:
        result = _run_probe(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
    except EdgeError as error:
        sys.stderr.write(f"Error: {' '.join(str(error).split())}\n")
        return 1
    sys.stdout.write(json.dumps(asdict(result)))
    return 0
