"""Signature files for tests, made without the package that makes them for users.

The keys are fixed and known to everybody; they sign nothing but tests.
"""

import base64
import copy
import hashlib
import json
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from edge_runtime.models.signing.keys import PublicKey

P256, P384, P521 = ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()
_HASHES = {"secp256r1": hashes.SHA256(), "secp384r1": hashes.SHA384(), "secp521r1": hashes.SHA512()}
PAYLOAD_TYPE = "application/vnd.in-toto+json"
ORDER_OF_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

Document = dict[str, Any]
Change = Callable[[Document], object]


def private_key(number: int, curve: ec.EllipticCurve = P256) -> ec.EllipticCurvePrivateKey:
    """A key whose secret is a number."""
    return ec.derive_private_key(number, curve)


KEY, OTHER_KEY = private_key(20250411), private_key(20250412)


def private_pem(key: ec.EllipticCurvePrivateKey, passphrase: bytes | None = None) -> bytes:
    """The file of a private key."""
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )


def public_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """The file of its public half."""
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def public_key(key: ec.EllipticCurvePrivateKey) -> PublicKey:
    """Its public half."""
    return PublicKey(public_pem(key))


def statement(data: bytes, change: Change = lambda document: None) -> Document:
    """What a signature over a file says, after a change; the hash over all hashes is kept right."""
    digest = hashlib.sha256(data).hexdigest()
    document = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "tiny.edge.zip", "digest": {}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "resources": [{"name": ".", "algorithm": "sha256", "digest": digest}],
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": [".git"],
            },
        },
    }
    document["subject"][0]["digest"]["sha256"] = _root(document)
    before = _root(document)
    change(document)
    if document.get("subject") and _root(document) != before:
        document["subject"][0]["digest"]["sha256"] = _root(document)
    return document


def _root(document: Document) -> str:
    """The hash over the hashes of all resources; "" where these make no sense."""
    try:
        resources = document["predicate"]["resources"]
        joined = b"".join(bytes.fromhex(resource["digest"]) for resource in resources)
    except (KeyError, TypeError, ValueError):
        return ""
    return hashlib.sha256(joined).hexdigest()


def signature_over(
    payload: Document | bytes,
    key: ec.EllipticCurvePrivateKey = KEY,
    *,
    payload_type: str = PAYLOAD_TYPE,
    hashed: hashes.HashAlgorithm | None = None,
) -> Document:
    """The signature file over a statement, as JSON's objects."""
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    message = b"DSSEv1 %d %b %d %b" % (len(payload_type), payload_type.encode(), len(raw), raw)
    signature = key.sign(message, ec.ECDSA(hashed or _HASHES[key.curve.name]))
    return {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {
            "publicKey": {"hint": hashlib.sha256(public_pem(key).encode()).hexdigest()},
            "tlogEntries": [],
        },
        "dsseEnvelope": {
            "payload": base64.b64encode(raw).decode(),
            "payloadType": payload_type,
            "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
        },
    }


def signed(
    data: bytes,
    key: ec.EllipticCurvePrivateKey = KEY,
    *,
    says: Change = lambda document: None,
    then: Change = lambda document: None,
) -> bytes:
    """The bytes of a signature file over a file.

    Args:
        data: the file.
        key: whose signature it is.
        says: what is changed in the statement before it is signed.
        then: what is changed in the file after that.
    """
    document = copy.deepcopy(signature_over(statement(data, says), key))
    then(document)
    return json.dumps(document, separators=(",", ":")).encode()
