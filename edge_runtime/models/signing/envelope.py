"""The outer layers of a signature file: the Sigstore bundle and the DSSE envelope in it.

Sources: OpenSSF Model Signing v1.0, sections 4 and 11 (https://github.com/ossf/model-signing-spec),
and DSSE v1.0 (https://github.com/secure-systems-lab/dsse/blob/v1.0.0/protocol.md).
"""

from dataclasses import dataclass

from edge_runtime.errors import SignatureError
from edge_runtime.files.reading import sha256
from edge_runtime.models.signing.strict_json import base64_bytes, fields, items, parse, shown, text

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"


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
    text(document["mediaType"], "its mediaType", MEDIA_TYPE)
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
