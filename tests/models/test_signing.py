"""Signatures in the format of OpenSSF Model Signing: read, verified, and made."""

import base64
import json
import os
import re
import socket
import stat
import subprocess
import sys
from importlib.metadata import entry_points

import pytest
from click.testing import CliRunner
from conftest import ROOT
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from signatures import (
    KEY,
    ORDER_OF_P256,
    OTHER_KEY,
    P384,
    P521,
    private_key,
    private_pem,
    public_key,
    public_pem,
    signature_over,
    signed,
    statement,
)

from edge_runtime.errors import MissingDependencyError, SignatureError
from edge_runtime.files.reading import sha256
from edge_runtime.models.signing.envelope import pre_authentication_encoding, read_envelope
from edge_runtime.models.signing.keys import new_private_key, public_half, read_public_key
from edge_runtime.models.signing.making import Signer
from edge_runtime.models.signing.trust import MOST_KEYS, TrustStore
from edge_runtime.models.signing.verification import SIGNATURE_LIMIT_BYTES, verify

FIXTURES = ROOT / "tests" / "fixtures" / "oms"
DATA = b"the bytes of a bundle"
TRUSTED = [public_key(KEY)]


def standard_tool(*arguments: object) -> tuple[int, str]:
    """Run the command `model_signing`, in this process."""
    (entry,) = entry_points(group="console_scripts", name="model_signing")
    result = CliRunner().invoke(entry.load(), [str(argument) for argument in arguments])
    return result.exit_code, result.output


# What is signed, and how it is read.


def test_type_and_payload_are_bound_as_dsse_says():
    # The test vector of DSSE v1.0's protocol.md.
    encoded = pre_authentication_encoding(b"hello world", "http://example.com/HelloWorld")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pre_authentication_encoding(b"{}") == b"DSSEv1 28 application/vnd.in-toto+json 2 {}"
    assert pre_authentication_encoding("é".encode(), "ü") == b"DSSEv1 2 \xc3\xbc 2 \xc3\xa9"


def test_a_signature_by_a_trusted_key_names_that_key():
    assert verify(sha256(DATA), signed(DATA), [public_key(OTHER_KEY), *TRUSTED]) == TRUSTED[0]


@pytest.mark.parametrize("curve", [P384, P521])
def test_the_other_curves_of_the_standard_verify_with_their_hashes(curve):
    key = private_key(77, curve)
    assert verify(sha256(DATA), signed(DATA, key), [public_key(key)]) == public_key(key)
    weak = json.dumps(signature_over(statement(DATA), key, hashed=hashes.SHA256())).encode()
    with pytest.raises(SignatureError, match="was not made with the key"):
        verify(sha256(DATA), weak, [public_key(key)])


@pytest.mark.parametrize("name", ["p256", "p384", "p521", "basename", "raw-bytes"])
def test_what_model_signing_and_others_have_signed_is_accepted(name):
    # scripts/make-signature-fixtures tells what each is.
    curve = name if name.startswith("p") else "p256"
    key = read_public_key(FIXTURES / f"{curve}.pub")
    data = (FIXTURES / "model.bin").read_bytes()
    signature = (FIXTURES / f"{name}.sig").read_bytes()
    assert verify(sha256(data), signature, [key]) == key
    with pytest.raises(SignatureError, match="it is over another file"):
        verify(sha256(data + b" "), signature, [key])


def test_what_is_left_open_by_the_standard_is_accepted():
    def says(document):
        document["predicate"]["resources"][0].update(name="v1.edge.zip", annotations={"a": 1})
        document["predicate"]["serialization"]["allow_symlinks"] = True
        del document["predicate"]["serialization"]["ignore_paths"]
        document["subject"][0].update(name="model", uri="x")

    def then(document):
        del document["verificationMaterial"]["tlogEntries"]
        del document["dsseEnvelope"]["signatures"][0]["keyid"]

    assert verify(sha256(DATA), signed(DATA, says=says, then=then), TRUSTED) == TRUSTED[0]
    spaced = json.dumps(json.loads(signed(DATA)), indent=2).encode() + b"\n"
    assert verify(sha256(DATA), spaced, TRUSTED) == TRUSTED[0]


def test_a_field_that_stands_twice_among_thousands_is_named():
    names = ",".join(f'"{number:x}":0' for number in range(7000))
    with pytest.raises(SignatureError, match=r"it has '1b57' twice in one object"):
        read_envelope(f'{{{names},"1b57":0}}'.replace('"0":0', '"1b57":0', 1).encode())


def test_no_file_is_too_deep_or_too_large_to_be_refused():
    for data in (b"[" * 50_000, b'{"a":' * 10_000, b" " * (SIGNATURE_LIMIT_BYTES + 1), b""):
        with pytest.raises(SignatureError):
            verify(sha256(DATA), data, TRUSTED)


# Signatures that differ in their bytes.


def with_der(change):
    def then(document):
        found = document["dsseEnvelope"]["signatures"][0]
        found["sig"] = base64.b64encode(change(base64.b64decode(found["sig"]))).decode()

    return signed(DATA, then=then)


def twin(der):
    """The other signature that each ECDSA signature implies: (r, n - s)."""
    r, s = decode_dss_signature(der)
    return encode_dss_signature(r, ORDER_OF_P256 - s)


def longer(der):
    """The same numbers, r with a zero byte too many in front."""
    return bytes([0x30, der[1] + 1, 2, der[3] + 1, 0]) + der[4:]


def test_the_twin_of_a_signature_is_as_valid_as_the_standard_tool_finds_it(tmp_path):
    # It is over the very same bytes, so nothing is gained by it.
    (tmp_path / "bundle").write_bytes(DATA)
    (tmp_path / "key.pub").write_text(public_pem(KEY))
    (tmp_path / "sig").write_bytes(with_der(twin))
    key = ("--public_key", tmp_path / "key.pub")
    code, _ = standard_tool(
        "verify", "key", tmp_path / "bundle", "--signature", tmp_path / "sig", *key
    )
    assert code == 0
    assert verify(sha256(DATA), with_der(twin), TRUSTED) == TRUSTED[0]


@pytest.mark.parametrize(
    "change",
    [
        longer,
        lambda der: der + b"\0",
        lambda der: der[:-1],
        lambda der: bytes([0x30, 0x81, der[1]]) + der[2:],  # the length in its long form
        lambda der: b"",
        lambda der: encode_dss_signature(0, 0),
        lambda der: encode_dss_signature(decode_dss_signature(der)[0], ORDER_OF_P256),
        lambda der: b"".join(number.to_bytes(32, "big") for number in decode_dss_signature(der)),
    ],
)
def test_a_signature_in_any_other_spelling_is_refused(change):
    with pytest.raises(SignatureError, match=r"was not made with the key|to be a string"):
        verify(sha256(DATA), with_der(change), TRUSTED)


def test_signatures_with_short_numbers_verify():
    # One signature in 128 has an r or an s with a leading zero byte; that none of 5,000 has one
    # has a chance of (255/256)^10,000, which is below 1e-16.
    lengths = set()
    for number in range(5_000):
        data = str(number).encode()
        der = base64.b64decode(
            json.loads(signed(data))["dsseEnvelope"]["signatures"][0]["sig"], validate=True
        )
        lengths.add(min(number.bit_length() for number in decode_dss_signature(der)) <= 248)
        if lengths == {True, False}:
            break
    else:
        pytest.fail("no short number came")
    assert verify(sha256(data), signed(data), TRUSTED) == TRUSTED[0]


# Keys.


def test_a_new_key_is_p256_and_pkcs8():
    pem = new_private_key()
    assert pem.startswith(b"-----BEGIN PRIVATE KEY-----\n")
    key = serialization.load_pem_private_key(pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.curve.name == "secp256r1"
    assert public_half(pem) == public_key(key)
    encrypted = new_private_key(b"secret")
    assert encrypted.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    assert public_half(encrypted, b"secret") != public_half(pem)


@pytest.mark.parametrize(
    ("pem", "passphrase", "expected"),
    [
        (b"no key", None, "it is no private key as PEM"),
        (private_pem(KEY, b"secret"), None, "it has a passphrase; give it with --passphrase-file"),
        (private_pem(KEY, b"secret"), b"wrong", "or the passphrase is wrong"),
        (private_pem(KEY), b"secret", "it has no passphrase, but one was given"),
        (private_pem(private_key(5, ec.SECP256K1())), None, "P-521.*, got one on secp256k1"),
    ],
)
def test_a_private_key_that_cannot_be_used_says_why(pem, passphrase, expected):
    with pytest.raises(SignatureError, match=expected):
        public_half(pem, passphrase)


def other_public_key(key):
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


@pytest.mark.parametrize(
    ("pem", "expected"),
    [
        (private_pem(KEY), r"it is a private key; give the public one, key\.pub"),
        (other_public_key(ed25519.Ed25519PrivateKey.generate()), "got another kind of key"),
        (other_public_key(rsa.generate_private_key(65537, 1024)), "got another kind of key"),
        (other_public_key(private_key(5, ec.SECP256K1())), "got one on secp256k1"),
        (other_public_key(private_key(5, ec.SECP224R1())), "got one on secp224r1"),
        (public_pem(KEY).encode()[:-40], "it is no public key as PEM"),
        (b"", "it is no public key as PEM"),
        (b"x" * 20_000, "more than 16 KiB"),
        (2 * public_pem(KEY).encode(), "it holds several keys"),
    ],
)
def test_only_public_keys_on_the_curves_of_the_standard_are_read(tmp_path, pem, expected):
    path = tmp_path / "key"
    path.write_bytes(pem)
    with pytest.raises(SignatureError, match=expected) as caught:
        read_public_key(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_the_fingerprint_is_the_one_that_model_signing_names_a_key_by():
    hint = json.loads((FIXTURES / "p256.sig").read_text())["verificationMaterial"]["publicKey"]
    assert read_public_key(FIXTURES / "p256.pub").fingerprint == hint["hint"]
    assert read_envelope((FIXTURES / "raw-bytes.sig").read_bytes()).key == hint["hint"]


def test_the_fingerprint_does_not_depend_on_how_the_file_is_written(tmp_path):
    (tmp_path / "key.pub").write_bytes(public_pem(KEY).replace("\n", "\r\n").encode() + b"\n\n")
    assert read_public_key(tmp_path / "key.pub") == public_key(KEY)


# The keys that a device trusts.


def test_trusted_keys_are_kept_in_order_and_each_once(tmp_path):
    store = TrustStore(tmp_path / "home")
    assert store.read() == ()
    assert [store.add(public_key(key)) for key in (OTHER_KEY, KEY, OTHER_KEY)] == [
        True,
        True,
        False,
    ]
    assert store.read() == (public_key(OTHER_KEY), public_key(KEY))
    assert store.path.read_text() == public_pem(OTHER_KEY) + public_pem(KEY)
    assert store.remove(public_key(OTHER_KEY).fingerprint[:8]) == public_key(OTHER_KEY)
    assert store.read() == (public_key(KEY),)


def test_the_last_trusted_key_stays_unless_that_is_meant(tmp_path):
    store = TrustStore(tmp_path)
    store.add(public_key(KEY))
    with pytest.raises(SignatureError, match="is the only trusted key"):
        store.remove(public_key(KEY).fingerprint)
    assert store.read() == (public_key(KEY),)
    store.remove(public_key(KEY).fingerprint, even_last=True)
    assert store.read() == ()
    assert list(tmp_path.iterdir()) == []


def test_others_may_read_the_trusted_keys_and_only_the_owner_may_change_them(tmp_path):
    before = os.umask(0)
    try:
        store = TrustStore(tmp_path)
        store.add(public_key(KEY))
    finally:
        os.umask(before)
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o644
    store.path.chmod(0o664)
    with pytest.raises(SignatureError, match="other users may change it"):
        store.read()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "\n",
        "no key",
        public_pem(KEY)[:-1],
        public_pem(KEY) + "\n",
        public_pem(KEY) + "more",
        private_pem(KEY).decode(),
        "é",
        public_pem(KEY) * 200,
    ],
)
def test_a_damaged_file_of_trusted_keys_is_never_the_same_as_none(tmp_path, content):
    store = TrustStore(tmp_path)
    store.path.write_text(content, "utf-8")
    with pytest.raises(SignatureError, match="nothing is installed until"):
        store.read()
    with pytest.raises(SignatureError):
        store.add(public_key(KEY))
    assert store.path.read_text("utf-8") == content


def test_a_link_to_trusted_keys_that_are_gone_is_not_the_same_as_none(tmp_path):
    store = TrustStore(tmp_path)
    store.path.symlink_to(tmp_path / "gone.pem")
    with pytest.raises(SignatureError, match="points nowhere; nothing is installed until"):
        store.read()
    (tmp_path / "gone.pem").write_text(public_pem(KEY))
    assert store.read() == (public_key(KEY),)


def test_there_is_a_limit_to_trust(tmp_path):
    store = TrustStore(tmp_path)
    for number in range(MOST_KEYS):
        store.add(public_key(private_key(number + 1)))
    with pytest.raises(SignatureError, match="16 keys are trusted already"):
        store.add(public_key(KEY))


@pytest.mark.parametrize("start", ["", "1234567", "0" * 64, "…"])
def test_only_one_known_key_at_a_time_is_removed(tmp_path, start):
    store = TrustStore(tmp_path)
    store.add(public_key(KEY))
    with pytest.raises(SignatureError, match="Expected the fingerprint of a trusted key"):
        store.remove(start)


# Made here, verified by the standard tool, and the other way round.


@pytest.fixture
def files(tmp_path):
    """A key pair with a passphrase and without, and a file to sign."""
    (tmp_path / "key").write_bytes(private_pem(KEY))
    (tmp_path / "locked").write_bytes(private_pem(KEY, b"secret"))
    (tmp_path / "key.pub").write_text(public_pem(KEY))
    (tmp_path / "int8.edge.zip").write_bytes(DATA)
    return tmp_path


@pytest.mark.parametrize(("name", "passphrase"), [("key", None), ("locked", b"secret")])
def test_the_standard_tool_verifies_what_was_signed_here(files, monkeypatch, name, passphrase):
    def refuse(*arguments, **options):
        pytest.fail("the network was asked")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    signer = Signer.open(files / name, passphrase)
    signature = files / "int8.edge.zip.sig"
    signature.write_bytes(signer.sign(DATA, name="int8.edge.zip"))
    options = ("--signature", signature, "--public_key", files / "key.pub")
    assert standard_tool("verify", "key", files / "int8.edge.zip", *options) == (
        0,
        "Verification succeeded\n",
    )
    (files / "int8.edge.zip").write_bytes(DATA + b"!")
    code, output = standard_tool("verify", "key", files / "int8.edge.zip", *options)
    assert code == 1
    assert "Signature mismatch" in output


def test_what_the_standard_tool_signs_is_accepted_here(files):
    signature = files / "int8.edge.zip.sig"
    code, _ = standard_tool(
        *("sign", "key", files / "int8.edge.zip", "--signature", signature),
        *("--private_key", files / "key"),
    )
    assert code == 0
    assert verify(sha256(DATA), signature.read_bytes(), TRUSTED) == TRUSTED[0]
    with pytest.raises(SignatureError, match="which is not trusted"):
        verify(sha256(DATA), signature.read_bytes(), [public_key(OTHER_KEY)])


def test_a_signature_by_the_same_key_is_kept_and_any_other_is_replaced(files):
    signer, bundle = Signer.open(files / "key"), files / "int8.edge.zip"
    kept = files / "int8.edge.zip.sig"
    kept.write_bytes(signed(DATA))
    assert signer.files(bundle, DATA)[kept] == kept.read_bytes()
    for other in (signed(DATA, OTHER_KEY), signed(b"other bytes"), b"{}"):
        kept.write_bytes(other)
        made = signer.files(bundle, DATA)
        assert verify(sha256(DATA), made[kept], TRUSTED) == TRUSTED[0]
        assert made[files / "int8.edge.zip.pub"] == public_pem(KEY).encode()


@pytest.mark.parametrize(
    ("missing", "line"),
    [
        ("model_signing", r"pip install '\.\[sign\]'"),
        ("cryptography", r"-m pip install 'cryptography>=42'"),
    ],
)
def test_a_missing_package_is_named_with_the_line_that_installs_it(
    files, monkeypatch, missing, line
):
    signature = signed(DATA)

    def uses_it():
        if missing == "model_signing":
            Signer.open(files / "key")
        else:
            verify(sha256(DATA), signature, TRUSTED)

    for name in [name for name in sys.modules if name.partition(".")[0] == missing]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingDependencyError, match=line):
        uses_it()


def test_the_script_checks_a_folder_of_vectors():
    command = [sys.executable, ROOT / "scripts" / "check-oms-vectors", FIXTURES]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^5 as expected, 0 not$", done.stdout, re.MULTILINE)
