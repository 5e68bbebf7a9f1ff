"""What is sent to a device: a wheel of this project's device part, and the packages that it needs.

The wheel is made from the package itself; no source tree is needed. Its format:
https://packaging.python.org/en/latest/specifications/binary-distribution-format/
"""

import base64
import hashlib
import importlib.metadata
import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from edge_runtime.devices.facts import Facts
from edge_runtime.errors import DeviceError
from edge_runtime.files.folders import put_folder_in_place, remove
from edge_runtime.files.locks import folder_lock
from edge_runtime.files.reading import cache_folder

_FOLDER = Path(__file__).resolve().parent.parent
_METADATA = """\
Metadata-Version: 2.1
Name: fmnist-edge
Version: {version}
Summary: The device part of fmnist-edge.
Requires-Python: >=3.10
{requires}"""
_WHEEL = b"""\
Wheel-Version: 1.0
Generator: fmnist-edge
Root-Is-Purelib: true
Tag: py3-none-any
"""
_ENTRY_POINTS = b"[console_scripts]\nfmnist-edge = edge_runtime.cli:main\n"
_FIRST_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can say
_MODE = 0o100644 << 16
_OLDEST_MANYLINUX = 17  # manylinux2014 is manylinux_2_17: PEP 600
_SHOWN = 300


def device_wheel(requirements: Sequence[str]) -> tuple[str, bytes]:
    """Return the name and the bytes of a wheel with which pip installs the requirements, too.

    The same code and requirements give the same bytes.
    """
    version = project_version()
    information = f"fmnist_edge-{version}.dist-info"
    requires = "".join(f"Requires-Dist: {requirement}\n" for requirement in requirements)
    files = {
        f"{_FOLDER.name}/{path.relative_to(_FOLDER).as_posix()}": path.read_bytes()
        for path in sorted(_FOLDER.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }
    files |= {
        f"{information}/METADATA": _METADATA.format(version=version, requires=requires).encode(),
        f"{information}/WHEEL": _WHEEL,
        f"{information}/entry_points.txt": _ENTRY_POINTS,
    }
    record = f"{information}/RECORD"
    rows = [f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in files.items()]
    files[record] = "".join([*rows, f"{record},,\n"]).encode()
    return f"fmnist_edge-{version}-py3-none-any.whl", _zip(files)


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def project_version() -> str:
    """Return this project's version: the source tree's, if the package lies in one."""
    project = _FOLDER.parent / "pyproject.toml"
    if project.is_file():
        found = re.search(r'^version = "([^"]+)"', project.read_text("utf-8"), re.MULTILINE)
        if found:
            return found.group(1)
    return importlib.metadata.version("fmnist-edge")


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            member = zipfile.ZipInfo(name, _FIRST_DATE)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = _MODE
            archive.writestr(member, data)
    return buffer.getvalue()


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
