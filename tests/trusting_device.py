"""A device that trusts a key, and bundles for it: what the tests of signed releases share.

A test file takes the fixtures with ``pytest_plugins = ["trusting_device"]``. The rest is imported,
too, before pytest could rewrite it: PYTEST_DONT_REWRITE.
"""

import pytest
from bundles import edited, tiny_bundle
from conftest import ROOT
from signatures import KEY, public_key

from edge_runtime.devices.installed import device_home
from edge_runtime.devices.releases import Releases
from edge_runtime.inference.loading.opening import examine

FINGERPRINT = public_key(KEY).fingerprint


@pytest.fixture(scope="module")
def data():
    """Versions 1 and 2 of a small bundle."""
    model = (ROOT / "tests" / "fixtures" / "tiny-int8.tflite").read_bytes()
    return [tiny_bundle(model, version=version) for version in (1, 2)]


@pytest.fixture(scope="module")
def examined():
    return {}


@pytest.fixture
def each_bundle_is_examined_once(examined, monkeypatch):
    """What golden vectors are good for is tested elsewhere, and takes a process each time."""

    def once(file, **options):
        if file.sha256 not in examined:
            examined[file.sha256] = examine(file, **options)
        return examined[file.sha256]

    monkeypatch.setattr("edge_runtime.devices.releases.examine", once)
    monkeypatch.setattr("edge_runtime.commands.releases.examine", once)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FMNIST_EDGE_HOME", str(tmp_path / "home"))
    return device_home()


@pytest.fixture
def releases(home):
    """A device that trusts KEY."""
    device = Releases(home)
    device.trust(public_key(KEY))
    return device


@pytest.fixture
def put(tmp_path):
    """`put(data, signature)` is the path of a bundle with its signature beside it."""

    def write(data, signature=None, *, name="tiny.edge.zip"):
        path = tmp_path / name
        path.write_bytes(data)
        beside = path.with_name(f"{name}.sig")
        beside.unlink(missing_ok=True)
        if signature is not None:
            beside.write_bytes(signature)
        return path

    return write


def contents(folder):
    return {
        str(path.relative_to(folder)): path.readlink() if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.name != ".lock" and (path.is_symlink() or path.is_file())
    }


def nothing_is_installed(releases):
    return list(contents(releases.home)) == ["trusted-keys.pem"] and releases.current() is None


def malicious():
    """A bundle of another model that answers otherwise, with golden vectors of its own."""
    model = (ROOT / "tests" / "fixtures" / "tiny-float32.tflite").read_bytes()
    return edited(
        tiny_bundle(model, version=9),
        lambda document: document["class_names"].reverse(),
    )
