"""What `pip install` requires on each machine, and what is said where there is no runtime."""

import os
import runpy
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from packaging.requirements import Requirement

from edge_runtime.errors import MissingDependencyError
from edge_runtime.runtimes import backends
from edge_runtime.runtimes.availability import LITERT, TFLITE_RUNTIME, Availability, runtime_for
from edge_runtime.runtimes.backends import choose_backend

NOTHING = ""
BOOKWORM, TRIXIE = (3, 11), (3, 13)

# system, machine, pointer bits, glibc, Python; and the runtime that it gets. Of the wheels on PyPI.
MACHINES = {
    "Bookworm, 64 bit": ("Linux", "aarch64", 64, (2, 36), BOOKWORM, LITERT),
    "Trixie, 64 bit": ("Linux", "aarch64", 64, (2, 41), TRIXIE, LITERT),
    "Bookworm, 32 bit": ("Linux", "armv7l", 32, (2, 36), BOOKWORM, TFLITE_RUNTIME),
    "Trixie, 32 bit": ("Linux", "armv7l", 32, (2, 41), TRIXIE, NOTHING),
    "Bookworm, 32 bit on a 64-bit kernel": (
        "Linux", "aarch64", 32, (2, 36), BOOKWORM, TFLITE_RUNTIME,
    ),
    "Trixie, 32 bit on a 64-bit kernel": ("Linux", "aarch64", 32, (2, 41), TRIXIE, NOTHING),
    "a 32-bit container on a 64-bit kernel": (
        "Linux", "armv8l", 32, (2, 36), BOOKWORM, TFLITE_RUNTIME,
    ),
    "Raspberry Pi Zero": ("Linux", "armv6l", 32, (2, 36), BOOKWORM, NOTHING),
    "Bullseye, 32 bit, with a newer Python": ("Linux", "armv7l", 32, (2, 31), (3, 10), NOTHING),
    "Bullseye, 64 bit, with a newer Python": ("Linux", "aarch64", 64, (2, 31), (3, 10), LITERT),
    "Debian on a PC": ("Linux", "x86_64", 64, (2, 36), BOOKWORM, LITERT),
    "Python 3.14": ("Linux", "aarch64", 64, (2, 41), (3, 14), LITERT),
    "Python of the future": ("Linux", "aarch64", 64, (2, 41), (3, 15), NOTHING),
    "Alpine": ("Linux", "x86_64", 64, None, (3, 12), NOTHING),
    "Alpine, 32 bit": ("Linux", "armv7l", 32, None, BOOKWORM, NOTHING),
    "32-bit Python on a PC": ("Linux", "x86_64", 32, (2, 36), BOOKWORM, NOTHING),
    "RISC-V": ("Linux", "riscv64", 64, (2, 41), TRIXIE, NOTHING),
    "Mac": ("Darwin", "arm64", 64, None, (3, 12), LITERT),
    "old Mac": ("Darwin", "x86_64", 64, None, (3, 12), NOTHING),
    "Windows": ("Windows", "AMD64", 64, None, (3, 12), LITERT),
}  # fmt: skip
PLATFORMS = {"Linux": "linux", "Darwin": "darwin", "Windows": "win32"}


@pytest.fixture(scope="module")
def requirements() -> Callable[..., tuple[list[str], bool]]:
    found: Any = runpy.run_path(str(ROOT / "setup.py"))["requirements"]
    return found  # type: ignore[no-any-return]


def required(lines: list[str], system: str, machine: str, python: tuple[int, ...]) -> set[str]:
    """The names and versions that pip would want on a machine."""
    environment = {
        "sys_platform": PLATFORMS[system],
        "platform_machine": machine,
        "python_version": ".".join(map(str, python)),
    }
    parsed = [Requirement(line) for line in lines]
    return {
        f"{item.name}{item.specifier}"
        for item in parsed
        if item.marker is None or item.marker.evaluate(environment)
    }


def runtimes_of(wanted: set[str]) -> str:
    found = {item for item in wanted if item.startswith(("ai-edge", "tflite")) or item == "numpy<2"}
    return {
        frozenset(): NOTHING,
        frozenset({"ai-edge-litert>=2.0"}): LITERT,
        frozenset({"tflite-runtime==2.14.0", "numpy<2"}): TFLITE_RUNTIME,
    }[frozenset(found)]


@pytest.mark.parametrize("name", MACHINES)
def test_a_source_install_requires_the_runtime_that_the_machine_can_have(
    requirements: Callable[..., tuple[list[str], bool]], name: str
) -> None:
    system, machine, bits, glibc, python, expected = MACHINES[name]
    lines, _ = requirements(system, machine, bits, glibc)
    wanted = required(lines, system, machine, python)
    assert runtimes_of(wanted) == expected
    assert {"click>=8.1", "jinja2>=3.1", "pillow>=10.1", "numpy>=1.23.2"} <= wanted
    assert ("tomli>=2.0" in wanted) == (python < (3, 11))


@pytest.mark.parametrize("name", MACHINES)
def test_what_is_said_at_first_use_is_what_the_installation_required(name: str) -> None:
    system, machine, bits, glibc, python, expected = MACHINES[name]
    found = runtime_for(python, system, machine, bits, glibc)
    assert found.requirement == expected
    assert bool(found.problem) == bool(found.mend) == (expected == NOTHING)


@pytest.mark.parametrize("name", MACHINES)
def test_a_wheel_from_a_pc_is_right_wherever_a_marker_can_tell(
    requirements: Callable[..., tuple[list[str], bool]], name: str
) -> None:
    lines, everywhere = requirements("Linux", "x86_64", 64, (2, 36))
    assert everywhere
    system, machine, bits, glibc, python, expected = MACHINES[name]
    told_by_markers = (system, bits) != ("Linux", 64) or glibc is not None
    if machine in ("aarch64", "x86_64") and bits == 32:
        told_by_markers = False  # why setup.py exists
    if name.startswith("Bullseye, 32") or name == "Alpine, 32 bit" or not told_by_markers:
        return
    assert runtimes_of(required(lines, system, machine, python)) == expected


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (runtime_for(TRIXIE, "Linux", "armv7l", 32, (2, 41)), "64-bit Raspberry Pi OS"),
        (runtime_for(TRIXIE, "Linux", "aarch64", 32, (2, 41)), "use Python 3.11, which Bookworm"),
        (runtime_for(BOOKWORM, "Linux", "armv6l", 32, (2, 36)), "Raspberry Pi Zero 2 or newer"),
        (runtime_for(BOOKWORM, "Linux", "x86_64", 64, None), "this C library is another one"),
        (runtime_for((3, 10), "Linux", "armv7l", 32, (2, 31)), "glibc 2.34 or newer, and here is"),
        (runtime_for(TRIXIE, "Linux", "riscv64", 64, (2, 41)), "made for Linux on riscv64"),
    ],
)
def test_where_no_runtime_exists_the_first_use_says_why_and_what_to_do(
    found: Availability, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "installed_version", lambda package: None)
    monkeypatch.setattr(backends, "runtime_here", lambda: found)
    with pytest.raises(MissingDependencyError, match=words) as caught:
        choose_backend()
    assert str(caught.value) == f"{found.problem} {found.mend[0].upper()}{found.mend[1:]}."


# The wheel itself.

FAKE = """
import platform, struct
real = struct.calcsize
struct.calcsize = lambda kind: 4 if kind == "P" else real(kind)
platform.machine = lambda: "aarch64"
platform.libc_ver = lambda *arguments, **options: ("glibc", "2.36")
"""
BUILD = """
import sys
out = sys.argv[1]
from setuptools import build_meta
build_meta.build_wheel(out)
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as it is built from, away from the checkout, which building writes into."""
    if int(version("setuptools").split(".")[0]) < 77:
        pytest.skip("building a wheel needs setuptools 77; pip install '.[dev]'")
    folder = tmp_path_factory.mktemp("source") / "fmnist-edge"
    folder.mkdir()
    for entry in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / entry, folder)
    for package in ("edge_runtime", "trainer", "converter"):
        shutil.copytree(ROOT / package, folder / package)
    return folder


def wheel(source: Path, out: Path, *, fake: bool) -> tuple[str, list[str], str]:
    """Build a wheel; return its name, what its base install requires, and its metadata."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-c", (FAKE if fake else "") + BUILD, str(out)]
    done = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (made,) = out.glob("*.whl")
    with zipfile.ZipFile(made) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        text = archive.read(name).decode()
    found = [line.partition(": ")[2] for line in text.splitlines() if "Requires-Dist" in line]
    return made.name, [line for line in found if "extra ==" not in line], text


def test_a_32_bit_python_on_a_64_bit_kernel_builds_a_wheel_for_itself(
    source: Path, tmp_path: Path
) -> None:
    name, base, _ = wheel(source, tmp_path, fake=True)
    assert name.endswith("-py3-none-linux_armv7l.whl")
    assert runtimes_of(required(base, "Linux", "aarch64", BOOKWORM)) == TFLITE_RUNTIME
    assert runtimes_of(required(base, "Linux", "aarch64", TRIXIE)) == NOTHING


def test_a_usual_python_builds_a_wheel_for_all_machines(source: Path, tmp_path: Path) -> None:
    name, base, text = wheel(source, tmp_path, fake=False)
    assert name.endswith("-py3-none-any.whl")
    for machine, python, runtime in (
        ("aarch64", TRIXIE, LITERT),
        ("armv7l", BOOKWORM, TFLITE_RUNTIME),
        ("armv7l", TRIXIE, NOTHING),
    ):
        assert runtimes_of(required(base, "Linux", machine, python)) == runtime
    assert "Requires-Python: >=3.10" in text


def test_the_wheel_holds_every_file_of_the_packages(source: Path, tmp_path: Path) -> None:
    # What is only installed in place never shows that a folder was forgotten.
    name, _, _ = wheel(source, tmp_path, fake=False)
    with zipfile.ZipFile(tmp_path / name) as archive:
        packed = {Path(entry) for entry in archive.namelist() if ".dist-info/" not in entry}
    files = {
        path.relative_to(source)
        for package in ("edge_runtime", "trainer", "converter")
        for path in (source / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert Path("edge_runtime/data/decoding/png.py") in files
    assert Path("edge_runtime/proof/report/templates/base.html.jinja") in files
    assert packed == files
