"""Which devices are fit for this project, and what they get: packages and a wheel."""

import io
import re
import zipfile
from dataclasses import replace

import pytest
from conftest import ROOT
from devices import PI

from edge_runtime.devices.facts import refuse_full, refuse_unfit, requirements
from edge_runtime.devices.packages import device_wheel, fetch_packages, platforms, project_version
from edge_runtime.errors import DeviceError

PI_32 = replace(PI, pointer_bits=32)


@pytest.mark.parametrize(
    "facts",
    [
        PI,
        PI_32,
        replace(PI, machine="x86_64"),
        replace(PI, python=(3, 13, 5), libc=("glibc", "2.41")),
        replace(PI_32, machine="armv7l"),
    ],
)
def test_a_pi_that_can_run_it_is_accepted(facts):
    refuse_unfit("pi", facts)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (replace(PI, system="Darwin"), "it is Darwin; Linux is supported"),
        (
            replace(PI, python=(3, 9, 2)),
            "it has Python 3.9.2, but 3.10 to 3.14 is supported; install",
        ),
        (replace(PI, python=(3, 15, 0)), "install one of these there, for example python3.14"),
        (replace(PI_32, machine="armv6l"), "ARMv6"),
        (
            replace(PI_32, python=(3, 13, 5)),
            "32-bit programs on a 64-bit kernel (aarch64), and there is no TFLite runtime for "
            "32-bit Python 3.12 or newer (it has 3.13.5); install the 64-bit Raspberry Pi OS",
        ),
        (replace(PI, machine="riscv64"), "there is no TFLite runtime for riscv64, 64-bit"),
        (replace(PI_32, machine="i686"), "there is no TFLite runtime for i686, 32-bit"),
        (replace(PI, libc=("", "")), "made for glibc"),
        (replace(PI, libc=("glibc", "2.27")), "glibc 2.27, but ai-edge-litert needs 2.28"),
        (replace(PI_32, libc=("glibc", "2.31")), "glibc 2.31, but tflite-runtime needs 2.34"),
        (replace(PI, has_venv=False), "sudo apt install python3-venv"),
    ],
)
def test_what_cannot_run_it_is_told_why_and_what_to_do(facts, expected):
    with pytest.raises(DeviceError, match=re.escape(expected)) as caught:
        refuse_unfit("pi", facts)
    assert str(caught.value).startswith("pi cannot run this: ")


def test_a_full_card_is_refused_before_anything_is_copied():
    with pytest.raises(DeviceError, match=r"pi has 120 MB free .* takes 500 MB"):
        refuse_full("pi", replace(PI, free_bytes=120 * 10**6))


# What it gets.


def test_a_device_gets_one_runtime_and_the_numpy_that_fits_it():
    assert requirements(PI, litert="2.3.0") == (
        "click>=8.1",
        "jinja2>=3.1",
        "pillow>=10.1",
        "numpy>=1.23.2",
        "ai-edge-litert==2.3.0",
    )
    assert requirements(PI)[-1] == "ai-edge-litert>=2.0"
    assert requirements(PI_32)[-2:] == ("numpy<2", "tflite-runtime==2.14.0")
    assert "tomli>=2.0" in requirements(replace(PI, python=(3, 10, 12)))


def test_the_requirements_are_those_of_the_project():
    text = (ROOT / "setup.py").read_text()
    for requirement in (*requirements(PI), *requirements(PI_32), "tomli>=2.0"):
        assert f'"{requirement}' in text


def test_the_wheel_is_the_package_and_the_same_each_time():
    name, data = device_wheel(["click>=8.1"])
    assert (name, data) == device_wheel(["click>=8.1"])
    assert name == f"fmnist_edge-{project_version()}-py3-none-any.whl"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        metadata = archive.read(f"fmnist_edge-{project_version()}.dist-info/METADATA").decode()
    assert "edge_runtime/cli.py" in names
    assert "edge_runtime/data/datasets/data/fashion_mnist_sample.npz" in names
    assert not any("__pycache__" in name or name.startswith(("trainer", "tests")) for name in names)
    assert "Requires-Dist: click>=8.1\n" in metadata


def test_pip_is_told_the_platforms_of_the_device_newest_first():
    found = platforms(PI)
    assert found[0] == "manylinux_2_36_aarch64"
    assert "manylinux_2_28_aarch64" in found
    assert found[-2:] == ["manylinux2014_aarch64", "linux_aarch64"]
    assert platforms(replace(PI_32, libc=("glibc", "2.36")))[0] == "manylinux_2_36_armv7l"


def test_packages_are_fetched_once_and_a_failure_keeps_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    pip = tmp_path / "python"
    pip.write_text(
        '#!/bin/sh\necho "$@" >>"$0.log"\nwhile [ "$1" != --dest ]; do shift; done\n'
        'mkdir -p "$2"\necho x >"$2/a.whl"\n'
    )
    pip.chmod(0o755)
    found = fetch_packages(PI, ["a"], python=str(pip))
    assert found == fetch_packages(PI, ["a"], python=str(pip))
    assert [path.name for path in found] == ["a.whl"]
    (call,) = (tmp_path / "python.log").read_text().splitlines()
    assert "--python-version 3.11" in call
    assert "--abi cp311" in call
    pip.write_text('#!/bin/sh\necho "ERROR: No matching distribution found for b" >&2\nexit 1\n')
    with pytest.raises(DeviceError, match="cannot be fetched here: No matching distribution"):
        fetch_packages(PI, ["b"], python=str(pip))
    assert len(list((tmp_path / "cache" / "fmnist-edge" / "packages").iterdir())) == 1
