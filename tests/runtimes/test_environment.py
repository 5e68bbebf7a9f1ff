"""What is looked at on a machine, and what is said of what is missing there."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edge_runtime.runtimes.environment import Machine, check_environment, this_machine

PI = Machine(
    (3, 11, 2),
    "Linux",
    "armv7l",
    32,
    {
        "numpy": "1.26.4",
        "pillow": "10.4.0",
        "click": "8.1.7",
        "jinja2": "3.1.6",
        "tflite-runtime": "2.14.0",
    },
    {},
)


def problems(machine: Machine) -> dict[str, str]:
    return {finding.name: finding.mend for finding in check_environment(machine) if not finding.ok}


def test_a_raspberry_pi_with_the_base_install_has_no_problem() -> None:
    assert problems(PI) == {}


def test_numpy_2_with_tflite_runtime_is_a_problem_with_its_pip_line() -> None:
    machine = replace(PI, versions={**PI.versions, "numpy": "2.1.0"})
    assert problems(machine) == {"NumPy": "pip install 'numpy<2'"}


def test_numpy_2_is_fine_where_litert_works_too() -> None:
    versions = {**PI.versions, "numpy": "2.1.0", "ai-edge-litert": "2.3.0"}
    assert problems(replace(PI, versions=versions, pointer_bits=64)) == {}


@pytest.mark.parametrize(
    ("architecture", "bits", "python", "line"),
    [
        ("aarch64", 64, (3, 12, 0), "pip install ai-edge-litert"),
        ("aarch64", 64, (3, 14, 0), "pip install ai-edge-litert"),
        ("armv7l", 32, (3, 11, 0), "pip install tflite-runtime==2.14.0 'numpy<2'"),
        ("aarch64", 32, (3, 11, 0), "pip install tflite-runtime==2.14.0 'numpy<2'"),
        (
            *("armv7l", 32, (3, 13, 0)),
            "install the 64-bit Raspberry Pi OS, then: pip install ai-edge-litert; or use Python "
            "3.11, which Bookworm has, and: pip install tflite-runtime==2.14.0 'numpy<2'",
        ),
    ],
)
def test_a_missing_runtime_gets_the_line_for_this_machine(
    architecture: str, bits: int, python: tuple[int, ...], line: str
) -> None:
    versions = {name: PI.versions[name] for name in ("numpy", "pillow", "click", "jinja2")}
    machine = replace(
        PI, architecture=architecture, pointer_bits=bits, python=python, versions=versions
    )
    assert problems(machine) == {"TFLite runtime": line}


def test_a_runtime_that_cannot_be_imported_is_reinstalled() -> None:
    machine = replace(
        PI, pointer_bits=64, versions={**PI.versions, "ai-edge-litert": "2.3.0"},
        import_errors={"ai-edge-litert": "ImportError: libstdc++.so.6"},
    )  # fmt: skip
    assert problems(machine) == {"ai-edge-litert": "pip install --force-reinstall ai-edge-litert"}


def test_a_32_bit_userland_on_a_64_bit_kernel_is_told_when_nothing_can_run_there() -> None:
    machine = replace(PI, architecture="aarch64", python=(3, 13, 0))
    assert "64-bit Raspberry Pi OS" in problems(machine)["system"]
    assert "system" not in problems(replace(PI, architecture="aarch64"))


@pytest.mark.parametrize("architecture", ["armv6l", "i686"])
def test_a_32_bit_processor_that_no_runtime_is_made_for_is_told_so(architecture: str) -> None:
    versions = {name: PI.versions[name] for name in ("numpy", "pillow", "click", "jinja2")}
    found = problems(replace(PI, architecture=architecture, versions=versions))
    assert list(found) == ["TFLite runtime"]
    assert "64-bit" in found["TFLite runtime"]


@pytest.mark.parametrize(("bits", "newest"), [(32, "3.11"), (64, "3.14")])
def test_an_unsupported_python_is_a_problem(bits: int, newest: str) -> None:
    line = f"python{newest} -m venv .venv && .venv/bin/pip install ."
    assert problems(replace(PI, python=(3, 9, 2), pointer_bits=bits)) == {"Python": line}


def test_the_pip_line_is_for_the_python_that_asks() -> None:
    versions = {name: PI.versions[name] for name in ("numpy", "pillow", "click", "jinja2")}
    machine = replace(
        PI,
        python=(3, 9, 2),
        versions=versions,
        pointer_bits=64,
        architecture="aarch64",
        pip="/home/pi/.venv/bin/python -m pip",
    )
    assert problems(machine) == {
        "Python": "python3.14 -m venv .venv && .venv/bin/pip install .",
        "TFLite runtime": "/home/pi/.venv/bin/python -m pip install ai-edge-litert",
    }


def test_pip_alone_is_named_only_if_it_is_this_pythons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = tmp_path / "pip"
    pip.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert this_machine().pip == f"{sys.executable} -m pip"
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert this_machine().pip == "pip"


def test_json_of_a_machine_is_plain() -> None:
    json.dumps([finding.to_dict() for finding in check_environment(PI)])
