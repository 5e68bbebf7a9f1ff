"""A device that trusts a key: what it installs, what it refuses, and what it says."""

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from bundles import edited, rehashed, sealed, selftest, tiny_bundle
from conftest import ROOT
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from signatures import (
    KEY,
    ORDER_OF_P256,
    OTHER_KEY,
    P384,
    private_key,
    private_pem,
    public_key,
    public_pem,
    signature_over,
    signed,
    statement,
)

from edge_runtime.devices.releases import FILE_NAME, Releases, device_home
from edge_runtime.errors import MissingDependencyError, ReleaseError, SignatureError
from edge_runtime.files.reading import sha256
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


@pytest.fixture(autouse=True)
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


# Signatures that say something else, or were changed. Each pair is a change and what is said of it.


def field(*path, value):
    """Give a field another value; `...` removes it."""

    def change(document):
        for key in path[:-1]:
            document = document[key]
        if value is ...:
            del document[path[-1]]
        else:
            document[path[-1]] = value

    return change


MATERIAL = "verificationMaterial"
ENVELOPE = "dsseEnvelope"
SIGNATURE = (ENVELOPE, "signatures", 0)
SERIALIZATION = ("predicate", "serialization")
OTHER_HINT = public_key(OTHER_KEY).fingerprint
NOT_MADE = "was not made with the key"


def first_of(text, start="A", other="B"):
    return (other if text[0] != other else start) + text[1:]


def flip(*path, at):
    """Flip one bit of what a field of Base64 stands for."""

    def change(document):
        for key in path[:-1]:
            document = document[key]
        found = bytearray(base64.b64decode(document[path[-1]]))
        found[at] ^= 1
        document[path[-1]] = base64.b64encode(bytes(found)).decode()

    return change


def other_spelling(document):
    """Spell two bytes so that the bits of the last digit that mean nothing are set."""
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    found = base64.b64encode(b"{}").decode()
    end = len(found.rstrip("="))
    digit = digits[digits.index(found[end - 1]) + 1]
    document[ENVELOPE]["payload"] = found[: end - 1] + digit + found[end:]


# Changed after they were signed.
CHANGED = {
    "media type": (field("mediaType", value="application/json"), "its mediaType"),
    "older media type": (
        field("mediaType", value="application/vnd.dev.sigstore.bundle+json;version=0.1"),
        "its mediaType",
    ),
    "no media type": (field("mediaType", value=...), "it has no 'mediaType'"),
    "no material": (field(MATERIAL, value=...), "it has no 'verificationMaterial'"),
    "no envelope": (field(ENVELOPE, value=...), "it has no 'dsseEnvelope'"),
    "field too many": (field("messageSignature", value={}), "'messageSignature' that it must not"),
    "material is a list": (field(MATERIAL, value=[]), "verificationMaterial to be a JSON object"),
    "certificate": (
        field(MATERIAL, value={"certificate": {"rawBytes": "AA=="}, "tlogEntries": [{}]}),
        "it is not by a key",
    ),
    "certificate beside the key": (
        field(MATERIAL, "certificate", value={"rawBytes": "AA=="}),
        "'certificate' that it must not",
    ),
    "log entries": (field(MATERIAL, "tlogEntries", value=[{}]), "it has tlogEntries"),
    "log entries are none": (field(MATERIAL, "tlogEntries", value=None), "it has tlogEntries"),
    "no hint": (field(MATERIAL, "publicKey", value={}), "its publicKey has no 'rawBytes'"),
    "empty hint": (field(MATERIAL, "publicKey", "hint", value=""), "its hint to be a string"),
    "hint is a number": (field(MATERIAL, "publicKey", "hint", value=7), "its hint to be a string"),
    "hint of another key": (
        field(MATERIAL, "publicKey", "hint", value=OTHER_HINT),
        "which is not trusted",
    ),
    "hint in capitals": (
        field(MATERIAL, "publicKey", "hint", value=FINGERPRINT.upper()),
        "which is not trusted",
    ),
    "key beside its hint": (
        field(MATERIAL, "publicKey", "rawBytes", value="AA=="),
        "'rawBytes' that it must not",
    ),
    "another key itself": (
        field(
            MATERIAL,
            "publicKey",
            value={"rawBytes": base64.b64encode(public_pem(OTHER_KEY).encode()).decode()},
        ),
        "which is not trusted",
    ),
    "another algorithm": (
        field(
            MATERIAL,
            "publicKey",
            value={
                "rawBytes": base64.b64encode(public_pem(KEY).encode()).decode(),
                "keyDetails": "PKIX_ECDSA_P384_SHA_384",
            },
        ),
        NOT_MADE,
    ),
    "payload type": (field(ENVELOPE, "payloadType", value="text/plain"), "its payloadType"),
    "no payload type": (field(ENVELOPE, "payloadType", value=...), "has no 'payloadType'"),
    "no payload": (field(ENVELOPE, "payload", value=...), "has no 'payload'"),
    "empty payload": (field(ENVELOPE, "payload", value=""), "its payload to be a string"),
    "first bit of the payload": (flip(ENVELOPE, "payload", at=0), NOT_MADE),
    "bit in the payload": (flip(ENVELOPE, "payload", at=200), NOT_MADE),
    "last bit of the payload": (flip(ENVELOPE, "payload", at=-1), NOT_MADE),
    "payload in another spelling": (other_spelling, "not the usual Base64"),
    "payload with a space": (
        lambda document: field(ENVELOPE, "payload", value=f" {document[ENVELOPE]['payload']}")(
            document
        ),
        "its payload is not Base64",
    ),
    "payload is not ASCII": (field(ENVELOPE, "payload", value="ä"), "its payload is not Base64"),
    "no signatures": (field(ENVELOPE, "signatures", value=[]), "one signature, got 0"),
    "signature twice": (
        lambda document: document[ENVELOPE]["signatures"].append(
            document[ENVELOPE]["signatures"][0]
        ),
        "one signature, got 2",
    ),
    "signature is no object": (field(*SIGNATURE, value="sig"), "its signature to be a JSON object"),
    "no sig": (field(*SIGNATURE, "sig", value=...), "its signature has no 'sig'"),
    "empty sig": (field(*SIGNATURE, "sig", value=""), "its sig to be a string"),
    "first bit of the sig": (flip(*SIGNATURE, "sig", at=0), NOT_MADE),
    "bit in r": (flip(*SIGNATURE, "sig", at=10), NOT_MADE),
    "bit in s": (flip(*SIGNATURE, "sig", at=-10), NOT_MADE),
    "key id": (field(*SIGNATURE, "keyid", value="1"), "expected no keyid"),
    "certificate in the signature": (
        field(*SIGNATURE, "cert", value=""),
        "'cert' that it must not",
    ),
}

# Said by the right key itself: a mistake, or another tool's work.
SAID = {
    "statement type": (field("_type", value="https://in-toto.io/Statement/v0.1"), "_type"),
    "predicate type": (
        field("predicateType", value="https://slsa.dev/provenance/v1"),
        "its predicateType",
    ),
    "deprecated predicate": (
        field("predicateType", value="https://model_signing/Digests/v0.1"),
        "its predicateType",
    ),
    "no subject": (field("subject", value=[]), "one subject, got 0"),
    "two subjects": (
        lambda document: document["subject"].append(document["subject"][0]),
        "one subject, got 2",
    ),
    "nameless subject": (field("subject", 0, "name", value=""), "subject's name"),
    "subject's hash": (
        field("subject", 0, "digest", "sha256", value="0" * 64),
        "not the one of its resources",
    ),
    "subject without SHA-256": (
        field("subject", 0, "digest", value={"sha512": "00"}),
        "has no 'sha256'",
    ),
    "field of the statement": (field("more", value=1), "'more' that it must not"),
    "no predicate": (field("predicate", value=...), "its statement has no 'predicate'"),
    "field of the predicate": (field("predicate", "more", value=1), "'more' that it must not"),
    "no resources": (field("predicate", "resources", value=[]), "it is over no file"),
    "resource twice": (
        lambda document: document["predicate"]["resources"].append(
            document["predicate"]["resources"][0]
        ),
        "not in order, each once",
    ),
    "another resource": (
        lambda document: document["predicate"]["resources"].append(
            {"name": "b", "algorithm": "sha256", "digest": "0" * 64}
        ),
        "over 2 files",
    ),
    "resource in a folder": (
        field("predicate", "resources", 0, "name", value="a/tiny.edge.zip"),
        "expected the bundle alone",
    ),
    "resource above": (
        field("predicate", "resources", 0, "name", value=".."),
        "expected the bundle alone",
    ),
    "nameless resource": (field("predicate", "resources", 0, "name", value=""), "resource's name"),
    "another hash": (
        field("predicate", "resources", 0, "digest", value="0" * 64),
        "it is over another file",
    ),
    "hash in capitals": (
        lambda document: field(
            "predicate",
            "resources",
            0,
            "digest",
            value=document["predicate"]["resources"][0]["digest"].upper(),
        )(document),
        "a SHA-256 in hexadecimal digits",
    ),
    "short hash": (
        field("predicate", "resources", 0, "digest", value="00"),
        "a SHA-256 in hexadecimal digits",
    ),
    "hash algorithm": (
        field("predicate", "resources", 0, "algorithm", value="blake3"),
        "a resource's algorithm",
    ),
    "hash type": (field(*SERIALIZATION, "hash_type", value="blake2b"), "its hash_type"),
    "shards": (field(*SERIALIZATION, "method", value="shards"), "over shards of files"),
    "unknown method": (field(*SERIALIZATION, "method", value="tensors"), "its method"),
    "shard size": (field(*SERIALIZATION, "shard_size", value=1), "it has a shard_size"),
    "links": (field(*SERIALIZATION, "allow_symlinks", value="no"), "allow_symlinks to be true"),
    "ignored paths": (field(*SERIALIZATION, "ignore_paths", value=".git"), "its ignore_paths"),
    "no serialization": (field(*SERIALIZATION, value=...), "has no 'serialization'"),
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_changed_signature_installs_nothing(releases, data, put, name):
    change, expected = CHANGED[name]
    bundle = put(data[0], signed(data[0], then=change))
    with pytest.raises(SignatureError, match=f"its signature is refused: .*({expected})"):
        releases.install(bundle)
    assert nothing_is_installed(releases)


@pytest.mark.parametrize("name", SAID)
def test_a_signature_that_says_something_else_installs_nothing(releases, data, put, name):
    change, expected = SAID[name]
    bundle = put(data[0], signed(data[0], says=change))
    with pytest.raises(SignatureError, match=f"its signature is refused: .*({expected})"):
        releases.install(bundle)
    assert nothing_is_installed(releases)


def wrongly_signed(data, **options):
    return json.dumps(signature_over(statement(data), **options)).encode()


def says_its_key_is_trusted(data):
    document = json.loads(signed(data, OTHER_KEY))
    document[MATERIAL]["publicKey"]["hint"] = FINGERPRINT
    return json.dumps(document).encode()


def zero_signature(data):
    """r = s = 0, which a careless verifier of ECDSA accepts for every message."""
    return signed(
        data,
        then=field(
            *SIGNATURE, "sig", value=base64.b64encode(b"\x30\x06\x02\x01\0\x02\x01\0").decode()
        ),
    )


def full_signature(data):
    """r = s = n, likewise."""
    number = b"\x02\x21\0" + ORDER_OF_P256.to_bytes(32, "big")
    value = base64.b64encode(b"\x30\x46" + number + number).decode()
    return signed(data, then=field(*SIGNATURE, "sig", value=value))


def over_the_payload_alone(data):
    """Signed without DSSE's encoding."""
    document = json.loads(signed(data))
    payload = base64.b64decode(document[ENVELOPE]["payload"])
    value = base64.b64encode(KEY.sign(payload, ec.ECDSA(hashes.SHA256()))).decode()
    field(*SIGNATURE, "sig", value=value)(document)
    return json.dumps(document).encode()


WHOLE_FILES = {
    "another key": (lambda data: signed(data, OTHER_KEY), "which is not trusted"),
    "another key by the name of the trusted one": (says_its_key_is_trusted, NOT_MADE),
    "a key on another curve": (
        lambda data: signed(data, private_key(20250411, P384)),
        "which is not trusted",
    ),
    "another hash": (lambda data: wrongly_signed(data, hashed=hashes.SHA1()), NOT_MADE),
    "another payload type": (
        lambda data: wrongly_signed(data, payload_type="text/plain"),
        "its payloadType",
    ),
    "no DSSE": (over_the_payload_alone, NOT_MADE),
    "zeros": (zero_signature, NOT_MADE),
    "the order of the curve": (full_signature, NOT_MADE),
    "a signature over no JSON": (
        lambda data: json.dumps(signature_over(b"\xff")).encode(),
        "it is not JSON",
    ),
    "a signature over a list": (
        lambda data: json.dumps(signature_over(b"[]")).encode(),
        "its statement to be a JSON object",
    ),
    "a signed statement with a field twice": (
        lambda data: json.dumps(
            signature_over(
                json.dumps(statement(data)).encode().replace(b'{"_type"', b'{"_type": 1, "_type"')
            )
        ).encode(),
        "'_type' twice",
    ),
    "an empty file": (lambda data: b"", "it is not JSON"),
    "no JSON": (lambda data: b"-----BEGIN SIGNATURE-----", "it is not JSON"),
    "no UTF-8": (lambda data: b"\xff\xfe", "it is not JSON"),
    "a list": (lambda data: b"[]", "it to be a JSON object"),
    "NaN": (lambda data: b'{"mediaType": NaN}', "NaN, which is not JSON"),
    "a cut file": (lambda data: signed(data)[:-1], "it is not JSON"),
    "trailing data": (lambda data: signed(data) + b"{}", "it is not JSON"),
    "a trailing zero byte": (lambda data: signed(data) + b"\0", "it is not JSON"),
    "a mark in front": (lambda data: b"\xef\xbb\xbf" + signed(data), "it is not JSON"),
    "a field twice": (
        lambda data: signed(data).replace(b'{"mediaType"', b'{"mediaType":"x","mediaType"'),
        "'mediaType' twice",
    ),
    "a nested field twice": (
        lambda data: signed(data).replace(b'"keyid":""', b'"keyid":"","keyid":""'),
        "'keyid' twice",
    ),
    "nesting": (lambda data: b"[" * 60_000, "it is not JSON"),
    "a huge number": (lambda data: b"1" * 10_000, "it is not JSON|it to be a JSON object"),
    "too much": (lambda data: signed(data) + b" " * 65_536, "more than 64 KiB"),
}


@pytest.mark.parametrize("name", WHOLE_FILES)
def test_another_file_instead_of_the_signature_installs_nothing(releases, data, put, name):
    make, expected = WHOLE_FILES[name]
    with pytest.raises(SignatureError, match=expected):
        releases.install(put(data[0], make(data[0])))
    assert nothing_is_installed(releases)


def malicious():
    """A bundle of another model that answers otherwise, with golden vectors of its own."""
    model = (ROOT / "tests" / "fixtures" / "tiny-float32.tflite").read_bytes()
    return edited(
        tiny_bundle(model, version=9),
        lambda document: document["class_names"].reverse(),
    )


TAMPERED = {
    "one bit": lambda data: data[:500] + bytes([data[500] ^ 1]) + data[501:],
    "one bit, sealed again": lambda data: sealed(data[:500] + bytes([data[500] ^ 1]) + data[501:]),
    "cut": lambda data: data[:-1],
    "longer": lambda data: data + b"\0",
    "empty": lambda data: b"",
    "another version": lambda data: edited(
        data, lambda document: document["bundle"].update(version=5)
    ),
    "other class names": lambda data: edited(
        data, lambda document: document["class_names"].reverse()
    ),
    "another card": lambda data: rehashed(data, card=b"# Trust me\n"),
    "another model with its own golden vectors": lambda data: malicious(),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_a_tampered_bundle_under_a_good_signature_installs_nothing(releases, data, put, name):
    with pytest.raises(SignatureError, match="it is over another file"):
        releases.install(put(TAMPERED[name](data[0]), signed(data[0])))
    assert nothing_is_installed(releases)


def test_the_tampers_are_more_than_forty():
    assert len(CHANGED) + len(SAID) + len(WHOLE_FILES) + len(TAMPERED) >= 100


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


def test_another_bundles_signature_is_refused(releases, data, put):
    releases.install(put(data[0], signed(data[0])))
    before = contents(releases.home)
    with pytest.raises(SignatureError, match="it is over another file"):
        releases.install(put(data[1], signed(data[0])))
    assert contents(releases.home) == before


def test_an_older_bundle_is_refused_although_it_is_signed(releases, data, put):
    releases.install(put(data[1], signed(data[1])))
    before = contents(releases.home)
    with pytest.raises(ReleaseError, match="version 1, and version 2 is installed"):
        releases.install(put(data[0], signed(data[0])))
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
    assert releases.trusted.state(release.path, sha256(data[0])).key == OTHER_HINT


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
