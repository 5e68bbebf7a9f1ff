"""Signatures that were changed or say something else: a device that trusts a key refuses them."""

import base64
import json

import pytest
from bundles import edited, rehashed, sealed
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from signatures import (
    KEY,
    ORDER_OF_P256,
    OTHER_KEY,
    P384,
    private_key,
    public_key,
    public_pem,
    signature_over,
    signed,
    statement,
)
from trusting_device import FINGERPRINT, malicious, nothing_is_installed

from edge_runtime.errors import SignatureError

pytest_plugins = ["trusting_device"]
pytestmark = pytest.mark.usefixtures("each_bundle_is_examined_once")

# Each pair is a change and what is said of it.


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
RESOURCE = ("predicate", "resources", 0)
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
        field(*RESOURCE, "name", value="a/tiny.edge.zip"),
        "expected the bundle alone",
    ),
    "resource above": (field(*RESOURCE, "name", value=".."), "expected the bundle alone"),
    "nameless resource": (field(*RESOURCE, "name", value=""), "resource's name"),
    "another hash": (field(*RESOURCE, "digest", value="0" * 64), "it is over another file"),
    "hash in capitals": (
        lambda document: document["predicate"]["resources"][0].update(
            digest=document["predicate"]["resources"][0]["digest"].upper()
        ),
        "a SHA-256 in hexadecimal digits",
    ),
    "short hash": (field(*RESOURCE, "digest", value="00"), "a SHA-256 in hexadecimal digits"),
    "hash algorithm": (field(*RESOURCE, "algorithm", value="blake3"), "a resource's algorithm"),
    "hash type": (field(*SERIALIZATION, "hash_type", value="blake2b"), "its hash_type"),
    "shards": (field(*SERIALIZATION, "method", value="shards"), "over shards of files"),
    "unknown method": (field(*SERIALIZATION, "method", value="tensors"), "its method"),
    "shard size": (field(*SERIALIZATION, "shard_size", value=1), "it has a shard_size"),
    "links": (field(*SERIALIZATION, "allow_symlinks", value="no"), "allow_symlinks to be true"),
    "ignored paths": (field(*SERIALIZATION, "ignore_paths", value=".git"), "its ignore_paths"),
    "no serialization": (field(*SERIALIZATION, value=...), "has no 'serialization'"),
}


WRONG = {"then": CHANGED, "says": SAID}  # as `signed` takes the changes


@pytest.mark.parametrize(("how", "name"), [(how, name) for how in WRONG for name in WRONG[how]])
def test_a_changed_signature_installs_nothing(releases, data, put, how, name):
    change, expected = WRONG[how][name]
    bundle = put(data[0], signed(data[0], **{how: change}))
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
