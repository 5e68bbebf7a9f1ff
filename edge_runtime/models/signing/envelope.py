"""The layers of a signature file: a Sigstore bundle, in it a DSSE envelope, in it the statement.

Sources: OpenSSF Model Signing v1.0, sections 4, 5, 6.5, 8 and 11
(https://github.com/ossf/model-signing-spec), and DSSE v1.0
(https://github.com/secure-systems-lab/dsse/blob/v1.0.0/protocol.md).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from edge_runtime.errors import SignatureError
from edge_runtime.files.reading import sha256
from edge_runtime.models.signing.strict_json import base64_bytes, fields, items, parse, shown, text

PAYLOAD_TYPE = "application/vnd.in-toto+json"
_MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_PREDICATE_TYPE = "https://model_signing/signature/v1.0"
_HASH = "sha256"


@dataclass(frozen=True)
class Envelope:
    """What was signed, and the signature.

    Attributes:
        payload: the bytes of the statement.
        signature: an ECDSA signature over their `pre_authentication_encoding`, in DER.
        key: the fingerprint of the key that it names. Nobody vouches for that: it only tells which
            key to verify with.
        key_details: what older files say of that key's algorithm; "" where nothing is said.
    """

    payload: bytes
    signature: bytes
    key: str
    key_details: str = ""


def pre_authentication_encoding(payload: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """Return the bytes that a DSSE signature is over, so that type and payload are bound."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def read_envelope(data: bytes) -> Envelope:
    """Return the envelope in the bytes of a signature file; nothing is verified yet.

    Raises:
        SignatureError: it is not one of a signature by a key.
    """
    document = fields(parse(data), "it", ("mediaType", "verificationMaterial", "dsseEnvelope"))
    text(document["mediaType"], "its mediaType", _MEDIA_TYPE)
    key, details = _key(document["verificationMaterial"])
    envelope = fields(
        document["dsseEnvelope"], "its dsseEnvelope", ("payload", "payloadType", "signatures")
    )
    text(envelope["payloadType"], "its payloadType", PAYLOAD_TYPE)
    signatures = items(envelope["signatures"], "its signatures")
    if len(signatures) != 1:
        raise SignatureError(f"expected one signature, got {len(signatures)}")
    signature = fields(signatures[0], "its signature", ("sig",), ("keyid",))
    # The specification leaves `keyid` without a meaning, and names these three values.
    if signature.get("keyid") not in (None, ""):
        raise SignatureError(f"expected no keyid, got {shown(signature['keyid'])}")
    return Envelope(
        payload=base64_bytes(envelope["payload"], "its payload"),
        signature=base64_bytes(signature["sig"], "its sig"),
        key=key,
        key_details=details,
    )


def _key(material: object) -> tuple[str, str]:
    """Return the fingerprint of the key that is named, and what is said of its algorithm."""
    found = fields(material, "its verificationMaterial", (), None)
    if "publicKey" not in found:
        raise SignatureError("it is not by a key, which is the only kind that is accepted here")
    found = fields(material, "its verificationMaterial", ("publicKey",), ("tlogEntries",))
    if found.get("tlogEntries", []) != []:
        raise SignatureError("it has tlogEntries, which a signature by a key has not")
    public = fields(found["publicKey"], "its publicKey", (), None)
    if "hint" in public:
        return text(fields(public, "its publicKey", ("hint",))["hint"], "its hint"), ""
    # As model-signing wrote before 1.1: the key itself, as PEM.
    public = fields(public, "its publicKey", ("rawBytes",), ("keyDetails",))
    fingerprint = sha256(base64_bytes(public["rawBytes"], "its rawBytes"))
    if "keyDetails" not in public:
        return fingerprint, ""
    return fingerprint, text(public["keyDetails"], "its keyDetails")


def read_statement(payload: bytes) -> dict[str, str]:
    """Return the SHA-256 of each file that a statement is about, after checking all that it says.

    Raises:
        SignatureError: it is another kind of statement, or contradicts itself.
    """
    document = fields(
        parse(payload), "its statement", ("_type", "subject", "predicateType", "predicate")
    )
    text(document["_type"], "its statement's _type", _STATEMENT_TYPE)
    text(document["predicateType"], "its predicateType", _PREDICATE_TYPE)
    predicate = fields(document["predicate"], "its predicate", ("resources", "serialization"))
    _check_serialization(predicate["serialization"])
    resources = [_resource(found) for found in items(predicate["resources"], "its resources")]
    names = [name for name, _ in resources]
    if not names:
        raise SignatureError("it is over no file")
    if names != sorted(set(names)):
        raise SignatureError("its resources are not in order, each once")
    hashes = dict(resources)
    _check_subject(document["subject"], hashes)
    return hashes


def refuse_other_file(hashes: Mapping[str, str], digest: str) -> None:
    """Raise unless a statement is about one file, and that has this SHA-256.

    The file's name decides nothing: bundles are renamed and copied.

    Raises:
        SignatureError: it is about more files, or about another.
    """
    if len(hashes) != 1:
        raise SignatureError(f"it is over {len(hashes)} files; expected the bundle alone")
    ((name, signed),) = hashes.items()
    # The specification calls the model's own file "."; model-signing 1.1 gives its name.
    if "/" in name or name == "..":
        raise SignatureError(f"it is over {shown(name)}; expected the bundle alone")
    if signed != digest:
        raise SignatureError(
            f"it is over another file (SHA-256 expected: {signed[:12]}…, got: {digest[:12]}…)"
        )


def _check_serialization(value: object) -> None:
    found = fields(
        value,
        "its serialization",
        ("method", "hash_type", "allow_symlinks"),
        ("ignore_paths", "shard_size"),
    )
    if found["method"] == "shards":
        raise SignatureError("it is over shards of files; sign whole files (method 'files')")
    text(found["method"], "its method", "files")
    text(found["hash_type"], "its hash_type", _HASH)
    if "shard_size" in found:
        raise SignatureError("it has a shard_size, though it is over whole files")
    if type(found["allow_symlinks"]) is not bool:
        raise SignatureError(
            f"expected allow_symlinks to be true or false, got {shown(found['allow_symlinks'])}"
        )
    for path in items(found.get("ignore_paths", []), "its ignore_paths"):
        text(path, "a path in its ignore_paths")


def _resource(value: object) -> tuple[str, str]:
    # Further fields are to be ignored: section 5.2.1.
    found = fields(value, "a resource", ("name", "digest", "algorithm"), None)
    text(found["algorithm"], "a resource's algorithm", _HASH)
    return text(found["name"], "a resource's name"), _digest(found["digest"])


def _digest(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch("[0-9a-f]{64}", value):
        raise SignatureError(f"expected a SHA-256 in hexadecimal digits, got {shown(value)}")
    return value


def _check_subject(value: object, hashes: Mapping[str, str]) -> None:
    """Raise unless there is one subject, with the hash over the hashes of all resources."""
    subjects = items(value, "its subject")
    if len(subjects) != 1:
        raise SignatureError(f"expected one subject, got {len(subjects)}")
    subject = fields(subjects[0], "its subject", ("name", "digest"), None)
    text(subject["name"], "its subject's name")
    digest = fields(subject["digest"], "its subject's digest", (_HASH,), None)
    root = sha256(bytes.fromhex("".join(hashes.values())))
    if _digest(digest[_HASH]) != root:
        raise SignatureError("its subject's hash is not the one of its resources")
