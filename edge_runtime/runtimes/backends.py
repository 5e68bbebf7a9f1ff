"""The interpreters that can run a .tflite file: LiteRT, tflite-runtime, TensorFlow."""

import importlib
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Literal, Protocol, get_args

from edge_runtime.errors import EdgeError, MissingDependencyError, ModelError, nearest_name
from edge_runtime.runtimes.availability import (
    LITERT,
    TFLITE_RUNTIME,
    installed_version,
    runtime_here,
)
from edge_runtime.runtimes.forking import keep_in_forks
from edge_runtime.runtimes.native import native_messages_silenced

Kernels = Literal["auto", "built-in", "reference"]

# The names in each runtime's OpResolverType, as LiteRT's interpreter.py describes them.
_RESOLVERS: dict[Kernels, str] = {
    "built-in": "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
    "reference": "BUILTIN_REF",
}


class Interpreter(Protocol):
    """What the three interpreters have in common, as far as it is used here."""

    def allocate_tensors(self) -> None: ...  # noqa: D102
    def get_input_details(self) -> list[dict[str, Any]]: ...  # noqa: D102
    def get_output_details(self) -> list[dict[str, Any]]: ...  # noqa: D102
    def set_tensor(self, tensor_index: int, value: Any) -> None: ...  # noqa: D102
    def get_tensor(self, tensor_index: int) -> Any: ...  # noqa: D102
    def invoke(self) -> None: ...  # noqa: D102


@dataclass(frozen=True)
class Backend:
    """One runtime.

    Attributes:
        name: what `--backend` takes.
        package: its name for pip.
        module: the module to import.
        interpreter: where its interpreter class is in that module.
        requirement: what to give to `pip install`.
        resolver: where the enumeration of its sets of kernels is in that module.
        numpy_below: the first major version of NumPy that it fails with; None if any will do.
    """

    name: str
    package: str
    module: str
    interpreter: str
    requirement: str
    resolver: str = "OpResolverType"
    numpy_below: int | None = None

    @property
    def version(self) -> str:
        """The installed version, or "not installed"."""
        return installed_version(self.package) or "not installed"

    def load(
        self,
        model: bytes,
        *,
        threads: int = 1,
        kernels: Kernels = "auto",
        keep_all_tensors: bool = False,
    ) -> Interpreter:
        """Return an interpreter with its tensors allocated.

        Check the bytes first (`open_model`): a damaged file can end the process.

        Args:
            model: the .tflite bytes.
            threads: threads of the interpreter.
            kernels: "auto" is the runtime's default, which uses XNNPACK where it can; "built-in"
                leaves XNNPACK out; "reference" takes the slow kernels that define what is right.
            keep_all_tensors: leave the inner tensors readable after a run; other kernels run then.

        Raises:
            EdgeError: ``kernels`` is none of its words.
            MissingDependencyError: the runtime is not installed, or cannot be imported, or does not
                work with this NumPy, or is too old to choose its kernels.
            ModelError: the runtime refuses the model.
        """
        self._refuse_new_numpy()
        options = self._kernel_options(kernels)
        if keep_all_tensors:
            options["experimental_preserve_all_tensors"] = True
        interpreter_class = self._interpreter_class()
        try:
            with native_messages_silenced():
                interpreter: Interpreter = interpreter_class(
                    model_content=model, num_threads=threads, **options
                )
                keep_in_forks(interpreter)
                interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise ModelError(
                f"{self.package} {self.version} cannot run this model: {reason} "
                "`fmnist-edge inspect` shows which runtimes can."
            ) from error
        except SystemError as error:  # tflite-runtime with NumPy 2 can be imported, and no more
            reason = " ".join(str(error.__cause__ or error).split())
            raise MissingDependencyError(
                f"{self.package} {self.version} is installed but does not work ({reason}); fix it "
                f"with: pip install {self.requirement}"
            ) from error
        return interpreter

    def _kernel_options(self, kernels: Kernels) -> dict[str, Any]:
        if kernels == "auto":
            return {}
        if kernels not in _RESOLVERS:
            words = ", ".join(get_args(Kernels))
            raise EdgeError(f"Expected kernels to be one of {words}, got {kernels!r}.")
        self.import_runtime()  # a runtime that is missing altogether has its own sentence
        try:
            resolver = getattr(self._import(self.resolver), _RESOLVERS[kernels])
        except (AttributeError, MissingDependencyError) as error:
            raise MissingDependencyError(
                f"{self.package} {self.version} has no choice of kernels; use the kernels auto, or "
                f"install another version with: pip install {self.requirement}"
            ) from error
        return {"experimental_op_resolver_type": resolver}

    def import_runtime(self) -> None:
        """Import the runtime, which `load` does too.

        Raises:
            MissingDependencyError: the runtime is not installed, or cannot be imported.
        """
        self._refuse_new_numpy()
        self._interpreter_class()

    def _interpreter_class(self) -> Any:
        return self._import(self.interpreter)

    def _refuse_new_numpy(self) -> None:
        """Raise if NumPy is too new: the import would pass, and the first model fail oddly."""
        if self.numpy_below is None or self.version == "not installed":
            return
        found = installed_version("numpy")  # None: the import says so
        if found is not None and int(found.split(".")[0]) >= self.numpy_below:
            raise MissingDependencyError(
                f"{self.package} {self.version} is made for NumPy {self.numpy_below - 1}, and "
                f"NumPy {found} is installed; fix it with: pip install 'numpy<{self.numpy_below}'"
            )

    def _import(self, name: str) -> Any:
        try:
            # By name: this package must not import TensorFlow unless it is asked for by name.
            with native_messages_silenced():
                return attrgetter(name)(importlib.import_module(self.module))
        except (ImportError, AttributeError) as error:
            if self.version != "not installed":
                raise MissingDependencyError(
                    f"{self.package} {self.version} is installed but cannot be imported ({error}); "
                    f"fix it with: pip install {self.requirement}"
                ) from error
            raise self._missing() from error

    def refuse_missing(self) -> None:
        """Raise unless the package is installed, without importing it.

        Raises:
            MissingDependencyError: it is not installed.
        """
        if self.version == "not installed":
            raise self._missing()

    def _missing(self) -> MissingDependencyError:
        return MissingDependencyError(
            f"The backend {self.name} needs {self.package}, which is not installed; install it "
            f"with: pip install {self.requirement}"
        )


BACKENDS = (
    Backend("litert", "ai-edge-litert", "ai_edge_litert.interpreter", "Interpreter", LITERT),
    Backend(
        "tflite-runtime",
        "tflite-runtime",
        "tflite_runtime.interpreter",
        "Interpreter",
        TFLITE_RUNTIME,
        numpy_below=2,
    ),
    Backend(
        "tensorflow",
        "tensorflow",
        "tensorflow",
        "lite.Interpreter",
        "'.[train]'",
        "lite.experimental.OpResolverType",
    ),
)


def available_backends() -> tuple[Backend, ...]:
    """Return the backends whose packages are installed, the preferred one first.

    Examples:
        >>> [backend.name for backend in available_backends()][0]
        'litert'
    """
    return tuple(backend for backend in BACKENDS if backend.version != "not installed")


def choose_backend(name: Backend | str | None = None) -> Backend:
    """Return the backend of that name, or else the first installed of LiteRT and tflite-runtime.

    One that was chosen before is returned as it is.

    TensorFlow is never chosen unasked: importing it takes seconds and 400 MB.

    Args:
        name: litert, tflite-runtime or tensorflow.

    Raises:
        EdgeError: no backend has that name.
        MissingDependencyError: none is installed.

    Examples:
        >>> choose_backend("litert").package
        'ai-edge-litert'
    """
    if isinstance(name, Backend):
        return name
    by_name = {backend.name: backend for backend in BACKENDS}
    if name is not None and name not in by_name:
        raise EdgeError(
            f"There is no backend '{name}'; choose one of {', '.join(by_name)}."
            + nearest_name(name, by_name)
        )
    if name is not None:
        return by_name[name]
    for backend in BACKENDS:
        if backend.name != "tensorflow" and backend.version != "not installed":
            return backend
    possible = runtime_here()
    if possible.requirement:
        raise MissingDependencyError(
            "No TFLite runtime is installed; install the one for this machine with: pip install "
            f"{possible.requirement}"
        )
    mend = possible.mend
    raise MissingDependencyError(f"{possible.problem} {mend[0].upper()}{mend[1:]}.")
