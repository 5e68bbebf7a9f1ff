"""Which version of a package is installed."""

import sys
from pathlib import Path

_DESCRIPTIONS = (".dist-info", ".egg-info")


def installed_version(package: str) -> str | None:
    """Return the version of an installed package, or None if it is not installed.

    `importlib.metadata` says the same, but brings the email package along, a tenth of the time that
    a picture takes from the command line. The names of the folders that describe what is installed
    are enough: NAME-VERSION.dist-info (packaging.python.org, "Recording installed projects").
    """
    wanted = _normalized(package)
    for folder in sys.path:
        try:
            entries = list(Path(folder).iterdir())
        except OSError:
            continue
        for entry in entries:
            if entry.suffix in _DESCRIPTIONS:
                found, _, version = entry.stem.partition("-")
                if version and _normalized(found) == wanted:
                    return version.partition("-")[0]
    return None


def _normalized(name: str) -> str:
    return name.lower().replace("-", "_").replace(".", "_")
