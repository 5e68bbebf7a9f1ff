"""From a path to a model whose bytes may be loaded."""

from pathlib import Path

from edge_runtime.errors import ModelError
from edge_runtime.inference.loading.probe import ProbeResult, probe
from edge_runtime.inference.loading.remembered import has_passed, remember_passed
from edge_runtime.inference.tensors import inspect_file
from edge_runtime.models.inspection import ModelSummary, runtime_support
from edge_runtime.models.model_file import ModelFile, read_model
from edge_runtime.runtimes.backends import Backend, Kernels, choose_backend


def open_model(
    path: Path, *, backend: Backend | str | None = None, kernels: Kernels = "auto"
) -> ModelFile:
    """Read a .tflite or a bundle, and return it when it has passed every check.

    Args:
        path: the file.
        backend: what will run it, or its name; by default what `choose_backend` takes.
        kernels: which kernels will run it.

    Raises:
        ModelError: the file is missing, damaged, needs what the runtime lacks, makes the runtime
            crash or hang, or does not answer the golden vectors of its bundle.
        MissingDependencyError: the backend is not installed.
    """
    chosen = choose_backend(backend)
    file = read_model(path)
    if not has_passed(file, backend=chosen, kernels=kernels):
        chosen.refuse_missing()
        examine(file, backend=chosen, kernels=kernels)
        remember_passed(file, backend=chosen, kernels=kernels)
    return file


def examine(file: ModelFile, *, backend: Backend, kernels: Kernels = "auto") -> ProbeResult:
    """Check the structure of a model that was read, and run it in a process of its own.

    Args:
        file: the model; one that came in a bundle must reproduce its golden vectors.
        backend: what will run it.
        kernels: which kernels will run it.

    Raises:
        ModelError: it is damaged, needs what the runtime lacks, makes it crash or hang, or does not
            answer its golden vectors.
    """
    check_structure(file, backend)
    try:
        found = probe(file, backend=backend.name, kernels=kernels)
    except ModelError as error:
        raise ModelError(f"{file.name}: {error}") from error
    if found.selftest is not None and not found.selftest["ok"]:
        raise ModelError(f"{file.name}: {found.selftest['in_words']}; do not use it here.")
    return found


def check_structure(file: ModelFile, backend: Backend) -> ModelSummary:
    """Check the bytes of a model, and its operators against a runtime; nothing is run.

    Raises:
        ModelError: they are damaged, or the runtime lacks an operator, a version or a type.
    """
    summary = inspect_file(file)
    for support in runtime_support(summary):
        if support.runtime.split()[0] == backend.package and not support.supported:
            raise ModelError(
                f"{file.name}: {support.runtime} cannot run this model: "
                f"{'; '.join(support.problems)}. Convert it for that runtime."
            )
    return summary
