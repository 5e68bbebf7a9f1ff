"""Setting up a device, and installing a bundle there: against this machine under another home."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import ROOT
from devices import PI, FakeHost, make_fake_host, packages_without_ours
from signatures import KEY, OTHER_KEY, public_key, public_pem, signed

from edge_runtime.devices import SshDevice, provision, setup, transfer
from edge_runtime.devices.facts import Facts, requirements
from edge_runtime.devices.packages import project_version
from edge_runtime.devices.setup import SetUp, look, set_up
from edge_runtime.errors import DeviceError, DeviceLostError

# What the lead's commands do on a device, as far as `deploy` sees it.
FAKE_PROGRAM = """\
import json, os, sys
home = os.environ["FMNIST_EDGE_HOME"]
what = sys.argv[1:]
open(os.path.join(home, "asked"), "a").write(json.dumps(what) + "\\n")
if what[0] == "install":
    data = open(what[1], "rb").read()
    if data == b"bad":
        sys.exit("Error: the bundle is damaged; copy it again.")
elif what[0] == "selftest":
    print(json.dumps({"ok": True, "answer": "it does"}))
"""


# On a device.


def no_packages(facts: Facts, litert: str | None, verifies: bool) -> tuple[str, ...]:
    return ("click>=8.1",)


def stand_in(patch: pytest.MonkeyPatch, program: str) -> None:
    """Let a program stand for ssh; the device has all packages, so that pip fetches nothing."""
    patch.setenv("FMNIST_EDGE_SSH", program)
    patch.setattr(transfer, "_PAUSES_S", ())
    patch.setattr(setup, "requirements", no_packages)


def new_host(folder: Path) -> tuple[FakeHost, str]:
    packages = packages_without_ours(folder.parent / "packages")
    return make_fake_host(folder, PYTHONPATH=packages, PIP_NO_INDEX="1")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """A device without anything."""
    host, program = new_host(tmp_path / "host")
    stand_in(monkeypatch, program)
    return host


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[FakeHost, str, SetUp]:
    """A device that was set up, once for all tests, since that takes seconds."""
    host, program = new_host(tmp_path_factory.mktemp("prepared") / "host")
    with pytest.MonkeyPatch.context() as patch:
        stand_in(patch, program)
        return host, program, set_up(host.device, look(host.device))


@pytest.fixture
def installed(prepared: tuple[FakeHost, str, SetUp], monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """The device that was set up."""
    stand_in(monkeypatch, prepared[1])
    return prepared[0]


def software(host):
    return host.home / ".local" / "share" / "fmnist-edge"


def test_looking_says_what_the_device_is(host):
    facts = look(host.device)
    assert facts.home == str(software(host))
    assert facts.python == tuple(sys.version_info[:3])
    assert (facts.system, facts.pointer_bits, facts.installed_key) == ("Linux", 64, "")
    assert look(host.device, "elsewhere").home == str(host.home / "elsewhere")


def test_the_set_up_program_runs_on_an_old_python():
    # Raspberry Pi OS 10 has 3.7: no match statements, no `X | Y` outside annotations, no walrus.
    compile_for = "import ast, sys; ast.parse(sys.stdin.read(), feature_version=(3, 7))"
    subprocess.run(
        [sys.executable, "-c", compile_for],
        input=Path(provision.__file__).read_text(),
        text=True,
        check=True,
    )


def test_a_device_without_python_is_told_to_install_it(tmp_path, monkeypatch):
    empty = tmp_path / "bin"
    empty.mkdir()
    for program in ("sh", "printf", "env"):
        (empty / program).symlink_to(f"/usr/bin/{program}")
    host, program = make_fake_host(tmp_path / "host", PATH=str(empty))
    monkeypatch.setenv("FMNIST_EDGE_SSH", program)
    with pytest.raises(DeviceError, match="has no python3; install it there with: sudo apt"):
        look(host.device)


def test_set_up_installs_once_and_then_changes_nothing(installed, prepared):
    host, _, done = prepared
    assert done.changed
    assert done.sent_bytes > 100_000
    shown = host.device.run([done.program, "--version"])
    assert project_version() in shown.text
    link = (software(host) / "venv").readlink()
    calls = len(host.calls)
    again = set_up(host.device, look(host.device))
    assert (again.changed, again.sent_bytes) == (False, 0)
    assert len(host.calls) == calls + 1
    assert (software(host) / "venv").readlink() == link


def test_a_set_up_that_fails_leaves_the_old_one(installed, monkeypatch):
    host = installed
    link = (software(host) / "venv").readlink()
    monkeypatch.setattr(setup, "requirements", lambda *_, **__: ("no-such-package-here",))
    with pytest.raises(DeviceError, match=r"could not set up Python: .*no-such-package") as caught:
        set_up(host.device, look(host.device))
    assert "--offline" in str(caught.value)
    assert (software(host) / "venv").readlink() == link
    assert look(host.device).installed_key == link.name


def test_a_connection_that_breaks_during_set_up_loses_nothing(host):
    host.breaks_input_after(100_000)  # of the look, which reads less: its answer is lost
    with pytest.raises(DeviceLostError):
        look(host.device)
    facts = look(host.device)
    calls = []

    def run(command, **options):
        calls.append(command)
        if len(calls) == 2:
            host.breaks_input_after(50_000)
        if len(calls) in (5, 7):
            host.breaks_output_after(0)  # it is installed, and nobody hears of it
        return SshDevice.run(host.device, command, **options)

    device = type("Device", (), {"run": staticmethod(run), "name": "pi", "label": "pi"})()
    with pytest.raises(DeviceLostError):
        set_up(device, facts)
    assert not (software(host) / "venv").exists()
    with pytest.raises(DeviceLostError):
        set_up(device, facts)
    # As a power cut leaves it: an environment that is not whole, and no link to it.
    (folder,) = (software(host) / "venvs").iterdir()
    (folder / ".complete").unlink()
    (folder / "bin" / "python").unlink()
    (software(host) / "venv").unlink()
    with pytest.raises(DeviceLostError):
        set_up(device, facts)
    assert set_up(device, look(device)).changed is False


def test_two_set_ups_at_once_are_kept_apart(host):
    home = software(host)
    home.mkdir(parents=True)
    import fcntl

    with (home / ".setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(DeviceError, match="another set-up is running there"):
            set_up(host.device, look(host.device))


# The command.


@pytest.fixture
def ready(installed: FakeHost, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHost]:
    """The same, but its `fmnist-edge` is a small program that notes what it is asked."""
    monkeypatch.setattr("edge_runtime.commands.deploy.read_model", lambda path: None)
    program = software(installed) / "venv" / "bin" / "fmnist-edge"
    real = program.read_text()
    program.write_text(f"#!{sys.executable}\n{FAKE_PROGRAM}")
    (software(installed) / "asked").unlink(missing_ok=True)
    shutil.rmtree(software(installed) / "incoming", ignore_errors=True)
    yield installed
    program.write_text(real)


def asked(host):
    log = software(host) / "asked"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def test_deploy_copies_installs_and_tests_a_bundle(cli, ready, tmp_path):
    (tmp_path / "a.edge.zip").write_bytes(b"good")
    done = cli("deploy", "pi@raspberrypi", tmp_path / "a.edge.zip", "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["software_changed"] is False
    assert report["bundle_sent_bytes"] == 4
    assert report["selftest"] == {"ok": True, "answer": "it does"}
    install, selftest = asked(ready)
    assert install[0] == "install"
    assert Path(install[1]).read_bytes() == b"good"
    assert selftest == ["selftest", "--json"]


def test_deploying_twice_sends_nothing_again_and_says_so(cli, ready, tmp_path):
    (tmp_path / "a.edge.zip").write_bytes(b"good")
    cli("deploy", "pi@raspberrypi", tmp_path / "a.edge.zip")
    done = cli("deploy", "ssh:pi@raspberrypi", tmp_path / "a.edge.zip", "--allow-downgrade")
    assert "unchanged" in done.out
    assert "was there" in done.out
    assert "self-test yes: it does" in done.out
    assert asked(ready)[2][-1] == "--allow-downgrade"
    (tmp_path / "b.edge.zip").write_bytes(b"another")
    cli("deploy", "pi@raspberrypi", tmp_path / "b.edge.zip")
    assert len(list((software(ready) / "incoming").iterdir())) == 1


def test_a_bundle_that_the_device_refuses_is_told_in_its_own_words(cli, ready, tmp_path):
    (tmp_path / "a.edge.zip").write_bytes(b"bad")
    done = cli("deploy", "pi@raspberrypi", tmp_path / "a.edge.zip")
    assert done.code == 1
    assert done.out == ""
    assert done.err.splitlines()[-1] == (
        "Error: pi@raspberrypi could not install the bundle: the bundle is damaged; copy it again."
    )


def test_without_a_bundle_deploy_says_which_command_makes_it(cli, tmp_path):
    run = tmp_path / "runs" / "a-1"
    run.mkdir(parents=True)
    config = {"dataset": {}, "dataset_fingerprint": "0"}
    (run / "config.json").write_text(json.dumps(config))
    done = cli("deploy", "pi@raspberrypi", "--runs-dir", tmp_path / "runs")
    assert done.code == 1
    assert done.err == "Error: a-1 has no bundle yet; make one with: fmnist-edge bundle\n"
    (tmp_path / "damaged.edge.zip").write_bytes(b"PK")
    done = cli("deploy", "pi@raspberrypi", tmp_path / "damaged.edge.zip")
    assert (done.code, "damaged.edge.zip" in done.err) == (1, True)
    done = cli("deploy", "pi@raspberrypi", tmp_path / "none.edge.zip")
    assert "There is no bundle" in done.err
    assert cli("deploy", "pi@raspberrypi", tmp_path / "x.tflite").code == 2


@pytest.fixture
def trusting(
    installed: FakeHost, bundle_of: Callable[[str], bytes], tmp_path: Path
) -> Iterator[tuple[FakeHost, Path]]:
    """A device that trusts no key yet, the real `fmnist-edge` on it, and a signed bundle for it."""
    bundle = tmp_path / "tiny.edge.zip"
    bundle.write_bytes(bundle_of("int8"))
    bundle.with_name("tiny.edge.zip.sig").write_bytes(signed(bundle_of("int8")))
    bundle.with_name("tiny.edge.zip.pub").write_text(public_pem(KEY))
    yield installed, bundle
    for name in ("releases", "incoming"):
        shutil.rmtree(software(installed) / name, ignore_errors=True)
    for name in ("current", "history.json", "trusted-keys.pem"):
        (software(installed) / name).unlink(missing_ok=True)


def test_a_device_trusts_the_key_of_the_first_signed_bundle_and_no_other(cli, trusting):
    host, bundle = trusting
    first = cli("deploy", "pi@raspberrypi", bundle)
    assert first.code == 0, first.err
    fingerprint = public_key(KEY).fingerprint
    assert (
        f"signature by {fingerprint[:16]}…; pi@raspberrypi trusts this key from now on, and no "
        "other\n"
    ) in first.out
    assert (software(host) / "trusted-keys.pem").read_text() == public_pem(KEY)
    again = json.loads(cli("deploy", "pi@raspberrypi", bundle, "--json").out)
    assert again["first_trusted_key"] is None
    assert again["bundle_sent_bytes"] == 0
    assert again["selftest"]["signature"] == {
        "key": fingerprint,
        "verified": True,
        "demanded": True,
        "problem": None,
    }
    bundle.with_name("tiny.edge.zip.sig").write_bytes(signed(bundle.read_bytes(), OTHER_KEY))
    bundle.with_name("tiny.edge.zip.pub").write_text(public_pem(OTHER_KEY))
    refused = cli("deploy", "pi@raspberrypi", bundle)
    assert refused.code == 1
    assert "pi@raspberrypi could not install the bundle: " in refused.err
    assert "which is not trusted" in refused.err
    assert (software(host) / "trusted-keys.pem").read_text() == public_pem(KEY)


def test_a_signature_that_is_wrong_here_never_reaches_the_device(cli, trusting):
    host, bundle = trusting
    bundle.with_name("tiny.edge.zip.sig").write_bytes(signed(b"another bundle"))
    calls = len(host.calls)
    refused = cli("deploy", "pi@raspberrypi", bundle)
    assert refused.code == 1
    assert "tiny.edge.zip: its signature is refused: it is over another file" in refused.err
    assert len(host.calls) == calls


def test_only_a_device_that_verifies_signatures_gets_cryptography(host, monkeypatch):
    asked_for = []

    def note(facts, *, litert, verifies):
        asked_for.append(verifies)
        raise DeviceError("enough")

    monkeypatch.setattr(setup, "requirements", note)
    facts = look(host.device)
    software(host).mkdir(parents=True)
    (software(host) / "trusted-keys.pem").write_text(public_pem(KEY))
    trusts = look(host.device)
    for known, verifies in ((facts, False), (facts, True), (trusts, False)):
        with pytest.raises(DeviceError, match="enough"):
            set_up(host.device, known, verifies=verifies)
    assert asked_for == [False, True, True]
    assert requirements(PI, verifies=True)[-2:] == ("cryptography>=42", "ai-edge-litert>=2.0")
    assert f'"{requirements(PI, verifies=True)[-2]}"' in (ROOT / "pyproject.toml").read_text()


def test_the_software_alone_can_be_set_up(cli, installed):
    done = cli("deploy", "pi@raspberrypi", "--no-bundle")
    assert done.code == 0, done.err
    assert "unchanged" in done.out
    assert "self-test" not in done.out


# The device stage of the chain.


def test_parity_runs_the_last_quantized_model_on_the_device(cli, installed, run_folder, tmp_path):
    host = installed
    options = ("--runs-dir", run_folder.parent, "--out", tmp_path / "out", "--json")
    device = ("--device", "ssh:pi@raspberrypi")
    done = cli("parity", run_folder / "int8.tflite", *options, *device)
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert [item["model"] for item in report["comparisons"]][-1] == "int8@raspberrypi"
    assert report["steps"][-1]["kinds"] == ["runtime"]
    assert (tmp_path / "out" / "int8@raspberrypi.predictions.npz").is_file()
    sent = sorted(path.name for path in (host.home / ".cache" / "fmnist-edge").rglob("*.*"))
    before = len(host.calls)
    assert cli("parity", run_folder / "int8.tflite", *options, *device).code == 0
    assert sent == sorted(path.name for path in (host.home / ".cache" / "fmnist-edge").rglob("*.*"))
    # look, look for the files, run, size and hash, fetch, forget: nothing is sent.
    assert len(host.calls) - before == 6


def test_a_device_without_the_software_is_named_before_anything_is_run(cli, host, run_folder):
    options = ("--runs-dir", run_folder.parent)
    done = cli("parity", run_folder / "int8.tflite", *options, "--device", "ssh:pi@raspberrypi")
    assert done.code == 1
    assert "has no fmnist-edge yet; set it up with: fmnist-edge deploy pi@raspberrypi" in done.err


def test_predictions_alone_cannot_be_sent_to_a_device(cli, host, run_folder):
    stored = run_folder / "parity" / "int8.predictions.npz"
    options = ("--runs-dir", run_folder.parent, "--device", "ssh:pi@raspberrypi")
    done = cli("parity", "--reference", run_folder / "full.predictions.npz", stored, *options)
    assert done.code == 1
    assert "no .tflite file or bundle in this chain" in done.err


def test_the_fake_device_has_a_home_of_its_own(host):
    assert os.environ["HOME"] != str(host.home)
    assert host.device.run(["sh", "-c", 'echo "$HOME"']).text == str(host.home)
