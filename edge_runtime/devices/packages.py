"""Fetch the packages of a device here, for one that has no internet."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from edge_runtime.devices.facts import Facts
from edge_runtime.errors import DeviceError
from edge_runtime.files.folders import put_folder_in_place, remove
from edge_runtime.files.locks import folder_lock
from edge_runtime.files.reading import cache_folder

_OLDEST_MANYLINUX = 17  # manylinux2014 is manylinux_2_17: PEP 600
_SHOWN = 300


def fetch_packages(
    facts: Facts, requirements: Sequence[str], *, python: str = sys.executable
) -> list[Path]:
    """Return the wheels that a device needs; those that were fetched before are kept in the cache.

    The pip of ``python`` follows its own configuration here: index, proxies, folders.

    Raises:
        DeviceError: pip is not there, or does not find a package for this device.
    """
    what = json.dumps([requirements, facts.python[:2], facts.machine, facts.libc, facts.is_32_bit])
    folder = cache_folder() / "packages" / hashlib.sha256(what.encode()).hexdigest()[:16]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder_lock(folder.parent):  # another process may be fetching the same
        if not folder.is_dir():
            partial = folder.with_name(f".{folder.name}.partial")
            remove(partial)  # what a killed process left
            try:
                _download(partial, facts, requirements, python)
                put_folder_in_place(partial, folder)
            finally:
                remove(partial)
    return sorted(folder.glob("*.whl"))


def _download(folder: Path, facts: Facts, requirements: Sequence[str], python: str) -> None:
    major, minor = facts.python[:2]
    command = [
        *(python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--dest", str(folder), "--only-binary=:all:"),
        *("--python-version", f"{major}.{minor}", "--implementation", "cp"),
        *("--abi", f"cp{major}{minor}", "--abi", "abi3", "--abi", "none"),
        *(part for platform in platforms(facts) for part in ("--platform", platform)),
        *requirements,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
        errors = [line for line in lines if line.startswith("ERROR")] or lines
        reason = errors[-1].removeprefix("ERROR: ")[:_SHOWN]
        raise DeviceError(
            f"The packages for Python {major}.{minor} on {facts.machine} cannot be fetched here: "
            f"{reason}"
        )


def platforms(facts: Facts) -> list[str]:
    """Return what pip calls the platforms whose wheels a device takes, the newest first."""
    machine = "armv7l" if facts.is_32_bit else facts.machine
    newest = (*facts.libc_version, 0)[1]
    versions = range(newest, _OLDEST_MANYLINUX - 1, -1)
    names = [*(f"manylinux_2_{minor}" for minor in versions), "manylinux2014", "linux"]
    return [f"{name}_{machine}" for name in names]
