"""The errors that a user can cause or meet, in one family, each with the built-in one it is like.

Each message says what was expected, what came, and what to do, in one sentence or two. The command
line prints it and ends with exit code 1.
"""

import sys
from collections.abc import Iterable

# As the extra `train` says in pyproject.toml.
LAST_PYTHON_OF_TENSORFLOW = (3, 13)


class EdgeError(Exception):
    """Whatever this toolkit raises on purpose."""


class PictureError(EdgeError, ValueError):
    """A picture cannot be read, or is too large."""


class ModelError(EdgeError, ValueError):
    """A model file is damaged, or is not an image classifier."""


class BundleError(ModelError):
    """A bundle is damaged, or is not one of ours."""


class ManifestError(ModelError):
    """What is recorded beside a model is damaged, or describes another file."""


class InputError(EdgeError, ValueError):
    """An array has another dtype or shape than the model's input."""


class DatasetError(EdgeError, ValueError):
    """A dataset cannot be found, read, or used for this."""


class PredictionsError(EdgeError, ValueError):
    """Predictions are damaged, or are not of the same images."""


class ArraysError(EdgeError, ValueError):
    """The arrays in a file are damaged, or too large; what reads the file says which file."""


class ContractError(EdgeError, ValueError):
    """A contract has a typo, or asks for what cannot be shown."""


class ReleaseError(EdgeError, ValueError):
    """What is installed on a device is damaged, or in the way."""


class SignatureError(EdgeError, ValueError):
    """A signature is missing or refused, or a key cannot be used."""


class RunError(EdgeError, ValueError):
    """A run is missing, unfinished, or in the way."""


class RecipeError(EdgeError, ValueError):
    """A setting of a training has a value that it cannot have."""


class TrainingError(EdgeError, RuntimeError):
    """Training cannot go on."""


class ConversionError(EdgeError, RuntimeError):
    """A model cannot be converted as asked."""


class UnsupportedError(ConversionError):
    """What was converted does not run in the runtime that it is meant for."""


class DeviceError(EdgeError, RuntimeError):
    """A device cannot be reached, or cannot do what was asked."""


class DeviceLostError(DeviceError):
    """The connection to a device broke.

    Attributes:
        received: what the command had printed until then.
    """

    def __init__(self, message: str, received: bytes = b"") -> None:
        super().__init__(message)
        self.received = received


class DeviceTimeoutError(DeviceError):
    """A device took too long."""


class OutputError(EdgeError, RuntimeError):
    """Standard output is closed, or cannot be written to."""


class MissingDependencyError(EdgeError, ImportError):
    """An optional package is not installed."""


# What the base install has: the name of the module, and what to give to `pip install`.
_BASE_REQUIREMENTS = {"jinja2": "jinja2", "numpy": "numpy", "PIL": "pillow", "tomli": "tomli"}


def nearest_name(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the known name nearest to ``name``, or "" if none is near."""
    import difflib  # for mistakes only

    matches = difflib.get_close_matches(name.lower(), sorted(known), n=1)
    return f" Did you mean '{matches[0]}'?" if matches else ""


def extra_missing(what: str, error: ImportError) -> MissingDependencyError:
    """Return what to raise when TensorFlow, a companion or a base package cannot be imported.

    Args:
        what: what needs it, as in "`fmnist-edge train`".
        error: what the import raised; a package that is there may be broken.
    """
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing in _BASE_REQUIREMENTS:
        package = _BASE_REQUIREMENTS[missing]
        return MissingDependencyError(
            f"{what} needs {package}, which is not installed; install it with: pip install "
            f"{package}"
        )
    if missing == "tensorflow" and sys.version_info[:2] > LAST_PYTHON_OF_TENSORFLOW:
        last = ".".join(map(str, LAST_PYTHON_OF_TENSORFLOW))
        return MissingDependencyError(
            f"{what} needs TensorFlow, which is not made for Python {sys.version_info[0]}."
            f"{sys.version_info[1]}; make another environment with Python 3.10 to {last}: "
            f"python{last} -m venv .venv && .venv/bin/pip install '.[train]'"
        )
    found, options = f" ({missing} is not installed)", ""
    if missing is None:
        reason = " ".join(str(error).split())
        found = f", which are installed but cannot be imported ({reason})"
        options = "--force-reinstall "
    return MissingDependencyError(
        f"{what} needs TensorFlow and its companions{found}; install them from the folder of "
        f"fmnist-edge with: pip install {options}'.[train]'"
    )
