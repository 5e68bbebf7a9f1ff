"""The whole path to a Raspberry Pi: an emulated arm64 Debian, entered directly and over real ssh.

Not part of the default run: `./scripts/test -m emulated`, as root. The first time builds the root
folder, which takes about ten minutes.
"""

import json
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, Finished
from loopback import Loopback, cutting_proxy, free_port, loopback, make_key
from PIL import Image

from edge_runtime.data.predictions import Predictions
from edge_runtime.devices import EmulatedDevice, SshDevice, open_device
from edge_runtime.devices.device import check
from edge_runtime.devices.facts import requirements
from edge_runtime.devices.packages import fetch_packages
from edge_runtime.devices.setup import look, set_up
from edge_runtime.devices.transfer import Parcel, get_file, put_files
from edge_runtime.errors import DeviceError, DeviceLostError

pytestmark = [pytest.mark.emulated, pytest.mark.timeout(3600)]

PACKAGES = ("edge_runtime", "trainer", "converter")
Cli = Callable[..., Finished]


@pytest.fixture(scope="module")
def device() -> EmulatedDevice:
    """The emulated Pi with the code that is here; built if it is not there yet."""
    script = ROOT / "scripts" / "emulated-pi"
    subprocess.run([sys.executable, script, "--build"], check=True)
    device = open_device("emulated")
    assert isinstance(device, EmulatedDevice)
    assert device.run(["uname", "-m"]).text == "aarch64"
    return device


@pytest.fixture(scope="module")
def server(device: EmulatedDevice, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loopback]:
    """A real ssh server whose account lives in the emulated Pi."""
    with loopback(tmp_path_factory.mktemp("sshd"), device) as server:
        yield server


@pytest.fixture
def pi(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> SshDevice:
    """The emulated Pi over ssh."""
    monkeypatch.setenv("FMNIST_EDGE_SSH", server.configure())
    return SshDevice.to("pi")


# Directly.


def test_parity_runs_the_device_stage_and_names_the_step(
    cli: Cli, device: EmulatedDevice, run_folder: Path, tmp_path: Path
) -> None:
    options = ("--runs-dir", run_folder.parent, "--out", tmp_path, "--json")
    done = cli("parity", run_folder / "int8.tflite", *options, "--device", "emulated")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert [item["model"] for item in report["comparisons"]][-1] == "int8@emulated-pi4"
    assert report["steps"][-1]["kinds"] == ["runtime"]
    there = Predictions.load(tmp_path / "int8@emulated-pi4.predictions.npz")
    assert there.details["machine"] == "aarch64"
    assert there.details["cpu"] == "Raspberry Pi 4, emulated"
    assert there.details["latency_us"] is None
    # Not the plain kernels: XNNPACK must have found a processor that it knows.
    assert there.details["kernels"] == "XNNPACK, 14 of 15 operators"
    here = Predictions.load(tmp_path / "int8.predictions.npz")
    assert here.details["kernels"] == there.details["kernels"]
    # One step of the int8 output; scripts/measure-architectures has the count over 10,000 images.
    assert np.abs(here.probabilities - there.probabilities).max() <= 1 / 256


def test_the_device_classifies_a_picture_of_the_current_folder(
    device: EmulatedDevice, run_folder: Path, tmp_path: Path
) -> None:
    Image.fromarray(np.zeros((28, 28), np.uint8)).save(tmp_path / "a picture.png")
    for path in run_folder.glob("int8.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    script = ROOT / "scripts" / "emulated-pi"
    command = [sys.executable, script, "fmnist-edge", "classify", "int8.tflite", "a picture.png"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("a picture.png ")


def test_an_unchanged_project_is_not_installed_again(device: EmulatedDevice) -> None:
    done = set_up(device, look(device), offline=True, compiled=False)
    assert (done.changed, done.sent_bytes) == (False, 0)


# Runs a command line, then prints in KiB how much memory its own pages take. Under qemu the process
# has the emulator's pages too; /proc/self/maps lists only the guest's, /proc/self/smaps all.
OWN_MEMORY = """\
import re, sys
from edge_runtime.cli import run
code = run(sys.argv[1:])
def span(line):
    found = re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line)
    return found and (int(found[1], 16), int(found[2], 16))
guest = [span(line) for line in open("/proc/self/maps") if span(line)]
own = 0
for line in open("/proc/self/smaps"):
    here = span(line) or here
    if line.startswith("Rss:") and any(a < here[1] and here[0] < b for a, b in guest):
        own += int(line.split()[1])
print(own)
sys.exit(code)
"""


def test_a_plain_pip_install_works_on_a_clean_system_and_classifies_in_60_mib(
    device: EmulatedDevice, run_folder: Path, tmp_path: Path
) -> None:
    facts = look(device)
    wheels = fetch_packages(facts, [*requirements(facts), "setuptools>=77"])
    source = tmp_path / "source.tar"
    with tarfile.open(source, "w") as archive:
        for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", *PACKAGES):
            archive.add(ROOT / name, name, filter=lambda m: None if "__pycache__" in m.name else m)
    picture = tmp_path / "picture.png"
    Image.fromarray(np.zeros((28, 28), np.uint8)).save(picture)
    files = [source, picture, *run_folder.glob("int8.[mt]*")]
    device.run(["rm", "-rf", "plain"])
    put_files(device, [Parcel(path.read_bytes(), f"plain/{path.name}") for path in files])
    put_files(device, [Parcel(path.read_bytes(), f"plain/wheels/{path.name}") for path in wheels])
    script = (
        "set -e; cd plain; mkdir project; tar -xf source.tar -C project; python3 -m venv venv; "
        "venv/bin/pip install --quiet --no-index --find-links wheels --no-compile ./project"
    )
    check(device, device.run(["sh", "-c", script]), "pip install .")
    command = ["plain/venv/bin/python", "-c", OWN_MEMORY, "classify"]
    done = device.run([*command, "plain/int8.tflite", "plain/picture.png"])
    assert done.code == 0, done.err
    answer, own_kib = done.text.splitlines()
    assert answer.startswith("plain/picture.png ")
    assert 30 < int(own_kib) / 1024 <= 60


# Over ssh.


def test_deploy_over_ssh_sets_the_device_up_and_the_second_time_changes_nothing(
    cli: Cli, pi: SshDevice, run_folder: Path
) -> None:
    bundle = run_folder / "int8.edge.zip"
    if not bundle.exists():
        made = cli("bundle", run_folder / "int8.tflite")
        assert made.code == 0, made.err
    options = ("--offline", "--home", "/root/deployed", "--json")
    pi.run(["rm", "-rf", "/root/deployed"])
    done = cli("deploy", "pi", bundle, *options)
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert (report["machine"], report["pointer_bits"]) == ("aarch64", 64)
    assert report["libc"] == "glibc 2.36"
    assert report["software_changed"] is True
    assert report["bundle_sent_bytes"] == bundle.stat().st_size
    assert report["selftest"]["ok"] is True
    again = json.loads(cli("deploy", "pi", bundle, *options).out)
    assert (again["software_changed"], again["software_sent_bytes"]) == (False, 0)
    assert again["bundle_sent_bytes"] == 0
    program = "/root/deployed/venv/bin/fmnist-edge"
    asked = pi.run(["env", "FMNIST_EDGE_HOME=/root/deployed", program, "status", "--json"])
    assert json.loads(asked.text)["release"]["sha256"] == report["bundle_sha256"]


def test_parity_over_ssh_completes_the_chain(
    cli: Cli, pi: SshDevice, run_folder: Path, tmp_path: Path
) -> None:
    options = ("--runs-dir", run_folder.parent, "--out", tmp_path, "--json")
    done = cli("parity", run_folder / "int8.tflite", *options, "--device", "ssh:pi")
    assert done.code == 0, done.err
    there = Predictions.load(tmp_path / "int8@pi.predictions.npz")
    assert there.details["machine"] == "aarch64"
    assert there.details["latency_us"]["n"] == 1000


def test_every_argument_survives_the_real_shell(pi: SshDevice) -> None:
    arguments = ["a b", "", "*", "$HOME", "`id`", "'", '"', "\\", "a\nb", "-n", "~", "é", "!x"]
    answer = pi.run(["printf", "<%s>", *arguments])
    assert answer.out.decode() == "".join(f"<{argument}>" for argument in arguments)


def test_a_real_connection_that_is_cut_goes_on_where_it_stopped(
    pi: SshDevice, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = np.random.default_rng(0).bytes(2_000_000)
    pi.run(["rm", "-rf", "cut"])
    # The first connection looks; the next ones are cut while they send.
    sizes = [10**9, 500_000, 10**9, 1_000_000]
    sent: list[int] = []
    with cutting_proxy(server.port, sizes) as port:
        known = (server.folder / "host_key.pub").read_text()
        (server.folder / "known_hosts").open("a").write(f"[127.0.0.1]:{port} {known}")
        monkeypatch.setenv("FMNIST_EDGE_SSH", server.configure(port))
        put_files(pi, [Parcel(data, "cut/file")], progress=sent.append)
    assert sizes == []
    monkeypatch.setenv("FMNIST_EDGE_SSH", server.configure())
    assert get_file(pi, "cut/file") == data
    assert put_files(pi, [Parcel(data, "cut/file")]) == 0
    assert sum(sent) < 3 * len(data)


@pytest.mark.parametrize("size", [0, 1000, 3000, 5000])
def test_a_connection_that_is_cut_early_is_said_to_be_broken(
    pi: SshDevice, server: Loopback, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    with cutting_proxy(server.port, [max(size, 1)]) as port:
        known = (server.folder / "host_key.pub").read_text()
        (server.folder / "known_hosts").open("a").write(f"[127.0.0.1]:{port} {known}")
        monkeypatch.setenv("FMNIST_EDGE_SSH", server.configure(port))
        with pytest.raises(DeviceLostError, match="The connection to pi broke"):
            pi.run(["cat"], data=bytes(100_000))


def test_each_way_to_fail_is_one_sentence(
    pi: SshDevice, server: Loopback, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def failure(port: int | None = None, **changes: str) -> str:
        monkeypatch.setenv("FMNIST_EDGE_SSH", server.configure(port, **changes))
        with pytest.raises(DeviceError) as caught:
            pi.run(["true"], timeout_s=60)
        assert not isinstance(caught.value, DeviceLostError)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "refuses the connection" in failure(port=free_port())
    assert "There is no host 'no-such-host.invalid'" in failure(HostName="no-such-host.invalid")
    empty = tmp_path / "known_hosts"
    empty.touch()
    assert "host key of pi is not known here yet" in failure(UserKnownHostsFile=str(empty))
    make_key(tmp_path / "other")
    other = (tmp_path / "other.pub").read_text()
    empty.write_text(f"[127.0.0.1]:{server.port} {other}")
    assert "host key of pi has changed" in failure(UserKnownHostsFile=str(empty))
    assert "accepts none of your ssh keys" in failure(PubkeyAuthentication="no")
    (server.folder / "config").write_text("Nonsense yes\n")
    monkeypatch.setenv("FMNIST_EDGE_SSH", f"ssh -F {server.folder / 'config'}")
    with pytest.raises(DeviceError, match=r"cannot read its configuration: .*nonsense"):
        pi.run(["true"])
