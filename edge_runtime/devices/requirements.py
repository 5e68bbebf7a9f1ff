"""What the device part of this project needs on one certain device.

`setup.py` says the same for the machine that it runs on; here the device was asked.
"""

import importlib.metadata

from edge_runtime.devices.facts import TFLITE_RUNTIME, Facts
from edge_runtime.models.signing.keys import CRYPTOGRAPHY

LITERT = "ai-edge-litert>=2.0"
_PYTHON_WITH_TOMLLIB = (3, 11)


def requirements(
    facts: Facts, *, litert: str | None = None, verifies: bool = False
) -> tuple[str, ...]:
    """Return the packages for a device, as pip reads them, without markers.

    Args:
        facts: what it is like.
        litert: the version of ai-edge-litert; by default any that is supported.
        verifies: whether it must be able to verify signatures.
    """
    found = ["click>=8.1", "pillow>=10.1", "numpy>=1.23.2"]
    if verifies:
        found.append(CRYPTOGRAPHY)
    if facts.python[:2] < _PYTHON_WITH_TOMLLIB:
        found.append("tomli>=2.0")
    if facts.is_32_bit:
        # Compiled against NumPy 1 although its metadata does not say so.
        return (*found, "numpy<2", TFLITE_RUNTIME)
    return (*found, f"ai-edge-litert=={litert}" if litert else LITERT)


def litert_here() -> str | None:
    """Return the version of ai-edge-litert on this machine.

    The device gets the same, so that what was proved here is what runs there.
    """
    try:
        return importlib.metadata.version("ai-edge-litert")
    except importlib.metadata.PackageNotFoundError:
        return None
