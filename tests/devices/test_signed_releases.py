"""A device that trusts a key: what it installs, what it refuses, and what it says."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from bundles import selftest
from signatures import (
    KEY,
    OTHER_KEY,
    private_pem,
    public_key,
    public_pem,
    signed,
)
from trusting_device import FINGERPRINT, contents, malicious, nothing_is_installed

from edge_runtime.devices.installed import FILE_NAME, device_home
from edge_runtime.devices.releases import Releases
from edge_runtime.errors import MissingDependencyError, ReleaseError, SignatureError
from edge_runtime.files.reading import sha256

pytest_plugins = ["trusting_device"]
pytestmark = pytest.mark.usefixtures("each_bundle_is_examined_once")


def test_a_bundle_signed_by_a_trusted_key_is_installed_with_its_signature(releases, data, put):
    bundle = put(data[0], signed(data[0]))
    release, changed = releases.install(bundle)
    assert changed
    assert release.path.with_name(f"{FILE_NAME}.sig").read_bytes() == signed_beside(bundle)
    state = releases.trusted.state(release.path, sha256(data[0]))
    assert (state.key, state.verified, state.demanded, state.problem) == (
        FINGERPRINT,
        True,
        True,
        "",
    )
    before = contents(releases.home)
    assert releases.install(bundle)[1] is False
    assert contents(releases.home) == before


def signed_beside(bundle):
    return bundle.with_name(f"{bundle.name}.sig").read_bytes()


def test_a_malicious_bundle_that_proves_itself_is_refused_where_a_key_is_trusted(
    home, data, put, tmp_path
):
    evil = malicious()
    assert selftest(evil).ok  # a hash is no signature, and its golden vectors are its own
    device = Releases(home)
    for signature in (None, signed(data[0]), signed(evil, OTHER_KEY)):
        device.trust(public_key(KEY))
        with pytest.raises(SignatureError):
            device.install(put(evil, signature))
        assert nothing_is_installed(device)
    open_device = Releases(tmp_path / "open")
    assert open_device.install(put(evil))[0].version == 9


def test_a_signature_is_refused_before_the_bundle_is_unpacked(releases, data, put, monkeypatch):
    monkeypatch.setattr(
        "edge_runtime.devices.releases.read_model", lambda *a, **k: pytest.fail("read")
    )
    for signature in (None, signed(data[1]), b"{}"):
        with pytest.raises(SignatureError):
            releases.install(put(data[0], signature))


def test_an_unsigned_bundle_is_refused_with_the_key_that_must_sign_it(releases, data, put):
    expected = f"it is not signed, and this device demands a signature by {FINGERPRINT[:16]}…; sign"
    with pytest.raises(SignatureError, match=expected):
        releases.install(put(data[0]))
    assert nothing_is_installed(releases)


@pytest.mark.parametrize(
    ("installed", "other", "signed_over", "error", "said"),
    [
        (0, 1, 0, SignatureError, "it is over another file"),
        (1, 0, 0, ReleaseError, "version 1, but version 2 is installed"),
    ],
    ids=["signature of another bundle", "older bundle, although it is signed"],
)
def test_what_is_refused_leaves_what_is_installed(
    releases, data, put, installed, other, signed_over, error, said
):
    releases.install(put(data[installed], signed(data[installed])))
    before = contents(releases.home)
    with pytest.raises(error, match=said):
        releases.install(put(data[other], signed(data[signed_over])))
    assert contents(releases.home) == before


# Going back, and changing keys.


def test_a_release_whose_signature_still_verifies_can_be_gone_back_to(releases, data, put):
    for one in data:
        releases.install(put(one, signed(one)))
    assert releases.rollback().version == 1


def test_a_release_from_before_the_first_key_cannot_be_gone_back_to(home, data, put, monkeypatch):
    device = Releases(home)
    device.install(put(data[0]))
    device.trust(public_key(KEY))
    device.install(put(data[1], signed(data[1])))
    before = contents(home)
    monkeypatch.setattr(Releases, "open", lambda *a: pytest.fail("unpacked"))
    with pytest.raises(SignatureError, match="it is not signed"):
        device.rollback()
    assert contents(home) == before


def test_a_release_whose_signature_was_changed_cannot_be_gone_back_to(releases, data, put):
    for one in data:
        releases.install(put(one, signed(one)))
    old = releases.path_of(releases.history()[0])
    old.with_name(f"{FILE_NAME}.sig").write_bytes(signed(data[0], OTHER_KEY))
    with pytest.raises(SignatureError, match="which is not trusted"):
        releases.rollback()
    assert releases.current().version == 2


def test_keys_are_changed_by_trusting_the_new_one_and_removing_the_old(releases, data, put):
    releases.install(put(data[0], signed(data[0])))
    releases.trust(public_key(OTHER_KEY))
    releases.install(put(data[1], signed(data[1], OTHER_KEY)))
    assert releases.rollback().version == 1
    releases.install(put(data[1], signed(data[1], OTHER_KEY)))
    releases.distrust(FINGERPRINT)
    with pytest.raises(SignatureError, match="which is not trusted"):
        releases.rollback()
    with pytest.raises(SignatureError, match="which is not trusted"):
        releases.install(put(data[0], signed(data[0])), allow_downgrade=True)
    assert releases.current().version == 2


def test_the_same_bundle_can_be_installed_with_the_signature_of_a_new_key(releases, data, put):
    releases.install(put(data[0], signed(data[0])))
    releases.trust(public_key(OTHER_KEY))
    release, changed = releases.install(put(data[0], signed(data[0], OTHER_KEY)))
    assert not changed
    assert (
        releases.trusted.state(release.path, sha256(data[0])).key
        == public_key(OTHER_KEY).fingerprint
    )


def test_damaged_trusted_keys_let_nothing_in(releases, data, put):
    releases.trusted.path.write_text("")
    with pytest.raises(SignatureError, match="the trusted keys cannot be read"):
        releases.install(put(data[0], signed(data[0])))
    assert releases.current() is None


def test_without_cryptography_a_device_that_trusts_a_key_installs_nothing(
    releases, data, put, monkeypatch
):
    bundle = put(data[0], signed(data[0]))
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(
        MissingDependencyError, match=f"{re.escape(sys.executable)} -m pip install 'cryptography"
    ):
        releases.install(bundle)
    assert nothing_is_installed(releases)


def test_where_no_key_is_trusted_a_signature_is_kept_and_must_be_over_the_bundle(home, data, put):
    device = Releases(home)
    release, _ = device.install(put(data[0], signed(data[0])))
    state = device.trusted.state(release.path, sha256(data[0]))
    assert (state.key, state.verified, state.problem) == (FINGERPRINT, False, "")
    with pytest.raises(SignatureError, match="it is over another file"):
        device.install(put(data[1], signed(data[0])))
    device.trust(public_key(KEY))
    assert device.trusted.state(release.path, sha256(data[0])).verified


# The commands.


@pytest.fixture
def workshop(tmp_path, monkeypatch, home, data):
    """A folder with a key, made by its command, and two bundles."""
    monkeypatch.chdir(tmp_path)
    for number, one in enumerate(data, 1):
        Path(f"v{number}.edge.zip").write_bytes(one)
    return tmp_path


def test_the_commands_from_the_key_to_the_device(workshop, cli):
    made = cli("keys", "new", "--json")
    assert made.code == 0, made.err
    key = json.loads(made.out)
    assert (key["private"], key["public"]) == ("release-key", "release-key.pub")
    assert Path("release-key").stat().st_mode & 0o777 == 0o600
    assert cli("keys", "show", "release-key.pub").out == f"{key['fingerprint']}\n"

    bundled = cli("bundle", "v1.edge.zip", "--sign", "release-key")
    assert bundled.code == 0, bundled.err
    assert f"signed by {key['fingerprint'][:16]}…: v1.edge.zip.sig\n" in bundled.out
    assert Path("v1.edge.zip.pub").read_bytes() == Path("release-key.pub").read_bytes()
    assert "not verified, as no key is trusted here" in cli("inspect", "v1.edge.zip").out

    assert cli("trust", "release-key.pub").out == f"trusted         {key['fingerprint']}\n"
    assert cli("trust", "release-key.pub").out == f"trusted already {key['fingerprint']}\n"
    assert cli("trust").out == f"{key['fingerprint']}\n"
    installed = cli("install", "v1.edge.zip")
    assert installed.code == 0, installed.err
    trusted_here = f"by {key['fingerprint'][:16]}…, which is trusted here"
    assert f"signature  {trusted_here}\n" in installed.out
    assert f"signature  {trusted_here}\n" in cli("status").out
    assert f"; signed {trusted_here} (" in cli("selftest").out
    assert f"signature   {trusted_here}\n" in cli("inspect", "installed").out

    refused = cli("install", "v2.edge.zip")
    assert refused.code == 1
    assert refused.err.startswith("Error: v2.edge.zip: it is not signed, and this device demands")
    assert refused.err.count("\n") == 1


def test_json_says_which_key_and_whether_it_was_verified(workshop, cli):
    Path("key").write_bytes(private_pem(KEY))
    assert json.loads(cli("bundle", "v1.edge.zip", "--sign", "key", "--json").out)["signed_by"] == (
        FINGERPRINT
    )
    Releases(device_home()).trust(public_key(KEY))
    expected = {"key": FINGERPRINT, "verified": True, "demanded": True, "problem": None}
    assert json.loads(cli("install", "v1.edge.zip", "--json").out)["signature"] == expected
    status = json.loads(cli("status", "--json").out)
    assert status["release"]["signature"] == expected
    assert status["trusted_keys"] == [FINGERPRINT]
    assert json.loads(cli("selftest", "--json").out)["signature"] == expected
    assert json.loads(cli("inspect", "v1.edge.zip", "--json").out)["signature"] == expected


def test_what_was_installed_unsigned_fails_the_self_test_once_a_key_is_trusted(workshop, cli):
    assert cli("install", "v1.edge.zip").code == 0
    Path("key.pub").write_text(public_pem(KEY))
    said = cli("trust", "key.pub")
    assert said.code == 0
    assert "What is installed is not signed by" in said.err
    answer = cli("selftest")
    assert answer.code == 1
    assert answer.out.startswith("no: ")
    assert "it is not signed" in answer.out
    status = cli("status")
    assert status.code == 0
    assert "signature  refused: " in status.out


def test_a_key_is_never_overwritten_and_a_half_made_one_is_completed(workshop, cli):
    assert cli("keys", "new", "mine").code == 0
    private, public = Path("mine").read_bytes(), Path("mine.pub").read_bytes()
    again = cli("keys", "new", "mine")
    assert (again.code, again.err) == (
        1,
        "Error: mine exists already; a key is never overwritten.\n",
    )
    Path("mine.pub").unlink()
    assert cli("keys", "new", "mine").code == 0
    assert (Path("mine").read_bytes(), Path("mine.pub").read_bytes()) == (private, public)
    Path("mine").unlink()
    assert cli("keys", "new", "mine").code == 1
    assert Path("mine.pub").read_bytes() == public


def test_a_passphrase_comes_from_a_file_or_the_environment(workshop, cli, monkeypatch):
    Path("secret").write_text("correct horse\nmore\n")
    assert cli("keys", "new", "locked", "--passphrase-file", "secret").code == 0
    assert Path("locked").read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    refused = cli("bundle", "v1.edge.zip", "--sign", "locked")
    assert refused.code == 1
    assert "it has a passphrase; give it with --passphrase-file" in refused.err
    assert not Path("v1.edge.zip.sig").exists()
    monkeypatch.setenv("FMNIST_EDGE_PASSPHRASE", "correct horse")
    assert cli("bundle", "v1.edge.zip", "--sign", "locked").code == 0
    monkeypatch.setenv("FMNIST_EDGE_PASSPHRASE", "wrong")
    assert "or the passphrase is wrong" in cli("bundle", "v1.edge.zip", "--sign", "locked").err
    Path("secret").write_text("\n")
    assert "it is empty" in cli("keys", "new", "x", "--passphrase-file", "secret").err


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (["keys", "show", "none.pub"], 1, "there is no such key"),
        (["keys", "new", "no/such/folder/key"], 1, "No such file or directory"),
        (["keys", "new", ""], 1, "Expected the name of a file for the private key, got '.'."),
        (["keys", "new", ".."], 1, "Expected the name of a file for the private key, got '..'."),
        (["trust", "v1.edge.zip"], 1, "more than 16 KiB"),
        (["trust", "x.pub", "--remove", "0"], 2, "Give a KEY.pub or --remove, not both."),
        (["trust", "--force"], 2, "--force is for --remove."),
        (["trust", "--remove", "00000000"], 1, "Expected the fingerprint of a trusted key"),
        (["bundle", "v1.edge.zip", "--sign", "none"], 1, "there is no such key"),
        (["bundle", "v1.edge.zip", "--passphrase-file", "x"], 2, "--passphrase-file is for --sign"),
        (
            ["bundle", "v1.edge.zip", "--sign", "key", "--bundle-version", "7"],
            2,
            "it is signed as it is",
        ),
    ],
)
def test_bad_input_gets_one_sentence(workshop, cli, arguments, code, expected):
    Path("key").write_bytes(private_pem(KEY))
    answer = cli(*arguments)
    assert answer.code == code
    assert expected in answer.err
    assert "Traceback" not in answer.err
    assert not Path("v1.edge.zip.sig").exists()


def test_a_signature_does_not_outlive_the_bundle_that_it_is_over(
    workshop, cli, tiny_model, pictures
):
    Path("key").write_bytes(private_pem(KEY))
    bundle = (
        "bundle",
        tiny_model("int8"),
        "--dataset",
        f"folder:{pictures}",
        "--out",
        "a.edge.zip",
    )
    signature = Path("a.edge.zip.sig")
    assert cli(*bundle, "--sign", "key").code == 0
    first = signature.read_bytes()
    assert cli(*bundle, "--sign", "key").code == 0  # the same bundle is signed already
    assert signature.read_bytes() == first
    assert cli(*bundle).code == 0
    assert signature.read_bytes() == first
    made = cli(*bundle, "--bundle-version", "2", "--force")
    assert made.code == 0
    assert "removing a.edge.zip.sig, the signature of what was there" in made.err
    assert [path.name for path in Path().glob("a.edge.zip*")] == ["a.edge.zip"]


def test_signing_does_not_make_the_start_slower():
    # `installed` and the commands of a device load none of the cryptography before it is needed.
    code = (
        "import edge_runtime.commands.releases, edge_runtime.commands.inspect, sys\n"
        "import edge_runtime.commands.keys, edge_runtime.commands.bundle\n"
        "import edge_runtime.commands.deploy\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ)
    )
    loaded = set(done.stdout.split())
    assert "edge_runtime" in loaded
    assert loaded.isdisjoint({"cryptography", "model_signing", "OpenSSL", "sigstore"})


def test_classifying_with_what_is_installed_loads_nothing_about_signatures():
    code = "import edge_runtime.devices.releases, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "edge_runtime.devices.releases" in done.stdout.split()
    assert "edge_runtime.models.signing" not in done.stdout
