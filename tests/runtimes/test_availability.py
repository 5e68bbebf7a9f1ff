"""Which version of a package is installed, without importing anything for it."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from edge_runtime.runtimes.availability import installed_version


@pytest.mark.parametrize("package", ["numpy", "pillow", "click", "ai-edge-litert", "fmnist-edge"])
def test_it_is_what_importlib_metadata_says(package: str) -> None:
    try:
        expected = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{package} is not installed here")
    assert installed_version(package) == expected


def test_what_is_not_installed_has_none() -> None:
    assert installed_version("numpy-of-another-world") is None
    assert installed_version("num") is None


@pytest.mark.parametrize(
    ("folder", "version"),
    [
        ("some_runtime-2.14.0.dist-info", "2.14.0"),
        ("Some.Runtime-2.14.0rc1.dist-info", "2.14.0rc1"),
        ("some_runtime-2.14.0-py3.11.egg-info", "2.14.0"),
        ("some_runtime.dist-info", None),
        ("some_runtime_extra-1.0.dist-info", None),
    ],
)
def test_names_are_compared_as_pip_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, version: str | None
) -> None:
    (tmp_path / folder).mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(tmp_path / "missing.zip"), "/dev/null"])
    assert installed_version("some-runtime") == version


def test_classifying_loads_nothing_that_only_other_commands_need() -> None:
    code = (
        "import edge_runtime.cli, edge_runtime.commands.classify, sys; "
        "heavy = {'email', 'importlib.metadata', 'hashlib', 'tempfile', 'subprocess', 'zipfile',"
        " 'PIL.JpegImagePlugin', 'csv', 'matplotlib', 'tensorflow'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
