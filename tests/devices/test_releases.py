"""What a device holds: installing, switching, going back, and what interrupts them."""

import fcntl
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from bundles import edited
from conftest import ROOT
from trusting_device import contents

from edge_runtime.devices.installed import FILE_NAME, device_home
from edge_runtime.devices.releases import KEPT, Releases
from edge_runtime.errors import BundleError, ModelError, ReleaseError
from edge_runtime.files.reading import sha256

Cli = Callable[..., "object"]


@pytest.fixture
def releases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Releases:
    monkeypatch.setenv("FMNIST_EDGE_HOME", str(tmp_path / "home"))
    return Releases(device_home())


def test_a_bundle_is_installed_under_its_hash_and_the_link_points_to_it(releases, bundles):
    release, changed = releases.install(bundles[0])
    digest = sha256(bundles[0].read_bytes())
    assert changed
    assert release.sha256 == digest
    assert release.version == 1
    assert (releases.home / "current").readlink() == Path("releases", digest)
    assert (releases.home / "current" / FILE_NAME).read_bytes() == bundles[0].read_bytes()
    assert releases.current().sha256 == digest


def test_installing_the_same_bundle_again_changes_nothing(releases, bundles):
    releases.install(bundles[0])
    before = contents(releases.home)
    _, changed = releases.install(bundles[0])
    assert not changed
    assert contents(releases.home) == before


def test_rollback_goes_back_step_by_step_and_no_further(releases, bundles):
    for bundle in bundles[:3]:
        releases.install(bundle)
    assert releases.rollback().version == 2
    assert releases.rollback().version == 1
    with pytest.raises(ReleaseError, match="no release before the current one"):
        releases.rollback()
    assert releases.current().version == 1


def test_what_was_rolled_back_can_be_installed_again(releases, bundles):
    releases.install(bundles[0])
    releases.install(bundles[1])
    releases.rollback()
    assert releases.install(bundles[1])[0].version == 2
    assert releases.rollback().version == 1


def test_an_older_bundle_is_refused_unless_asked_for(releases, bundles):
    releases.install(bundles[1])
    before = contents(releases.home)
    with pytest.raises(ReleaseError, match="version 1, but version 2 is installed"):
        releases.install(bundles[0])
    assert contents(releases.home) == before
    assert releases.install(bundles[0], allow_downgrade=True)[0].version == 1
    assert releases.rollback().version == 2


def test_only_the_last_few_are_kept(releases, bundles):
    for bundle in bundles:
        releases.install(bundle)
    kept = {path.name for path in (releases.home / "releases").iterdir()}
    assert kept == {sha256(bundle.read_bytes()) for bundle in bundles[-KEPT:]}
    assert [releases.rollback().version for _ in range(KEPT - 1)] == [4, 3]


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:500] + b"?" * 9])
def test_a_damaged_bundle_leaves_the_device_as_it_was(releases, bundles, tmp_path, damage):
    releases.install(bundles[0])
    before = contents(releases.home)
    broken = tmp_path / "broken.edge.zip"
    broken.write_bytes(damage(bundles[1].read_bytes()))
    with pytest.raises(ModelError, match=r"broken\.edge\.zip: this bundle cannot be used"):
        releases.install(broken)
    assert contents(releases.home) == before


def test_a_bundle_that_does_not_reproduce_its_golden_vectors_is_not_installed(
    releases, bundles, tmp_path
):
    """Every hash is right here, only the numbers are not."""

    releases.install(bundles[0])
    before = contents(releases.home)
    wrong = tmp_path / "wrong.edge.zip"

    def forbid(manifest: dict) -> None:
        for tolerance in manifest["golden"]["tolerances"]:
            tolerance["runtime"] = "another"

    wrong.write_bytes(edited(bundles[1].read_bytes(), forbid))
    with pytest.raises(ModelError, match="no tolerance for"):
        releases.install(wrong)
    assert contents(releases.home) == before


def test_only_a_bundle_can_be_installed(releases, tiny_model):
    with pytest.raises(BundleError, match=r"Expected a bundle \(\.edge\.zip\)"):
        releases.install(tiny_model("int8"))
    assert not releases.home.exists()


def test_what_is_no_bundle_is_named_in_quotes(cli, releases):
    done = cli("install", ".")
    assert (done.code, done.err) == (1, "Error: Expected a bundle (.edge.zip), got '.'.\n")


def test_a_release_damaged_on_the_disk_is_noticed_and_mended_by_installing(releases, bundles):
    releases.install(bundles[0])
    path = releases.current().path
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    with pytest.raises(ReleaseError, match="is damaged"):
        releases.current()
    assert releases.install(bundles[0])[1]
    assert releases.current().version == 1


def test_a_release_whose_file_is_another_sound_bundle_is_noticed(releases, bundles):
    releases.install(bundles[0])
    path = releases.current().path
    path.chmod(0o644)
    path.write_bytes(bundles[1].read_bytes())
    with pytest.raises(ReleaseError, match="another bundle than its folder's name says"):
        releases.current()


def test_a_damaged_older_release_is_not_gone_back_to(releases, bundles):
    releases.install(bundles[0])
    old = releases.current().path
    releases.install(bundles[1])
    old.chmod(0o644)
    old.write_bytes(b"nothing")
    with pytest.raises(ReleaseError, match="is damaged"):
        releases.rollback()
    assert releases.current().version == 2


@pytest.mark.parametrize("history", [None, b"", b"{", b"[]", b'{"releases": 7}', b'{"x": 1}'])
def test_a_lost_history_only_costs_the_way_back(releases, bundles, history):
    releases.install(bundles[0])
    releases.install(bundles[1])
    file = releases.home / "history.json"
    file.unlink() if history is None else file.write_bytes(history)
    assert releases.current().version == 2
    with pytest.raises(ReleaseError, match="no release before"):
        releases.rollback()
    assert releases.install(bundles[2])[0].version == 3
    assert releases.rollback().version == 2


def test_what_was_about_to_be_installed_is_no_way_back(releases, bundles):
    """The history is written before the link is switched, and the power may fail in between."""
    for bundle in bundles[:2]:
        releases.install(bundle)
    entries = [sha256(bundle.read_bytes()) for bundle in bundles[:3]]
    (releases.home / "history.json").write_text(json.dumps({"releases": entries}))
    assert releases.history() == entries[:2]
    assert releases.rollback().version == 1


def test_what_an_interrupted_installation_left_is_deleted(releases, bundles):
    releases.install(bundles[0])
    leftovers = [
        releases.home / ".history.json.12345678.tmp",
        releases.home / ".current.12345678.tmp",
        releases.current().path.with_name(f".{FILE_NAME}.12345678.tmp"),
    ]
    for path in leftovers:
        path.write_text("half")
    releases.install(bundles[0])
    assert not any(path.exists() for path in leftovers)


def killed(*arguments):
    raise KeyboardInterrupt


def test_a_rollback_that_was_killed_after_the_switch_is_finished_and_not_repeated(
    releases, bundles, monkeypatch
):
    for bundle in bundles[:3]:
        releases.install(bundle)
    with monkeypatch.context() as patch:
        patch.setattr(Releases, "_write_history", killed)
        with pytest.raises(KeyboardInterrupt):
            releases.rollback()
    assert releases.current().version == 2
    assert releases.rollback().version == 2
    entries = json.loads((releases.home / "history.json").read_text())["releases"]
    assert entries == [sha256(bundle.read_bytes()) for bundle in bundles[:2]]
    assert releases.rollback().version == 1
    assert not (releases.home / ".rollback").exists()


def test_an_installation_ends_a_rollback_that_was_killed(releases, bundles, monkeypatch):
    for bundle in bundles[:3]:
        releases.install(bundle)
    with monkeypatch.context() as patch:
        patch.setattr("edge_runtime.devices.releases.switch_link", killed)
        with pytest.raises(KeyboardInterrupt):
            releases.rollback()
    releases.install(bundles[3])
    assert releases.rollback().version == 3


def test_an_installation_that_was_killed_before_it_had_pruned_prunes_when_it_is_repeated(
    releases, bundles, monkeypatch
):
    for bundle in bundles[:KEPT]:
        releases.install(bundle)
    with monkeypatch.context() as patch:
        patch.setattr(Releases, "_prune", killed)
        with pytest.raises(KeyboardInterrupt):
            releases.install(bundles[KEPT])
    releases.install(bundles[KEPT])
    kept = {path.name for path in (releases.home / "releases").iterdir()}
    assert kept == {sha256(bundle.read_bytes()) for bundle in bundles[1 : KEPT + 1]}


def test_an_installation_does_not_wait_for_ever(releases, bundles, monkeypatch):
    releases.install(bundles[0])
    monkeypatch.setattr("edge_runtime.devices.releases._MOST_SECONDS_TO_WAIT", 0)
    descriptor = os.open(releases.home / ".lock", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(ReleaseError, match="Another install or rollback has been running in"):
        releases.install(bundles[1])
    os.close(descriptor)
    assert releases.current().version == 1


def test_two_installations_wait_for_each_other(releases, bundles):
    releases.install(bundles[0])
    descriptor = os.open(releases.home / ".lock", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    waiting = threading.Thread(target=releases.install, args=(bundles[1],), daemon=True)
    waiting.start()
    waiting.join(0.5)
    assert waiting.is_alive()
    assert releases.current().version == 1
    os.close(descriptor)
    waiting.join(60)
    assert releases.current().version == 2


def test_a_short_run_of_faults_leaves_the_old_bundle_or_the_new_one():
    script = ROOT / "scripts" / "inject-faults"
    options = ["--commands", "rollback", "--count", "8", "--seed", "4"]
    done = subprocess.run([sys.executable, script, *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 faults, 0 failures" in done.stdout
