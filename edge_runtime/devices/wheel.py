"""Make a wheel of this project's device part from the package itself; no source tree is needed.

Format: https://packaging.python.org/en/latest/specifications/binary-distribution-format/
"""

import base64
import hashlib
import importlib.metadata
import io
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

_FOLDER = Path(__file__).resolve().parent.parent
_FIRST_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can say
_MODE = 0o100644 << 16


def device_wheel(requirements: Sequence[str]) -> tuple[str, bytes]:
    """Return the name and the bytes of a wheel with which pip installs the requirements, too.

    The same code and requirements give the same bytes.
    """
    stem = f"fmnist_edge-{project_version()}"
    information = f"{stem}.dist-info"
    files = {
        f"{_FOLDER.name}/{path.relative_to(_FOLDER).as_posix()}": path.read_bytes()
        for path in sorted(_FOLDER.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }
    files |= {
        f"{information}/METADATA": _metadata(requirements),
        f"{information}/WHEEL": (
            b"Wheel-Version: 1.0\nGenerator: fmnist-edge\nRoot-Is-Purelib: true\n"
            b"Tag: py3-none-any\n"
        ),
        f"{information}/entry_points.txt": (
            b"[console_scripts]\nfmnist-edge = edge_runtime.cli:main\n"
        ),
    }
    record = f"{information}/RECORD"
    files[record] = _record(files, record)
    return f"{stem}-py3-none-any.whl", _zip(files)


def project_version() -> str:
    """Return this project's version: the source tree's, if the package lies in one."""
    project = _FOLDER.parent / "pyproject.toml"
    if project.is_file():
        found = re.search(r'^version = "([^"]+)"', project.read_text("utf-8"), re.MULTILINE)
        if found:
            return found.group(1)
    return importlib.metadata.version("fmnist-edge")


def _metadata(requirements: Sequence[str]) -> bytes:
    lines = [
        "Metadata-Version: 2.1",
        "Name: fmnist-edge",
        f"Version: {project_version()}",
        "Summary: The device part of fmnist-edge.",
        "Requires-Python: >=3.10",
        *(f"Requires-Dist: {requirement}" for requirement in requirements),
    ]
    return ("\n".join(lines) + "\n").encode()


def _record(files: dict[str, bytes], record: str) -> bytes:
    lines = []
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        lines.append(f"{name},sha256={digest},{len(data)}")
    return ("\n".join([*lines, f"{record},,"]) + "\n").encode()


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            member = zipfile.ZipInfo(name, _FIRST_DATE)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = _MODE
            archive.writestr(member, data)
    return buffer.getvalue()
