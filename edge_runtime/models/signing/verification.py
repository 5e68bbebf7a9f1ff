"""Is this signature by one of these keys, and over this bundle?

The signature of `int8.edge.zip` is `int8.edge.zip.sig`, beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.errors import EdgeError, SignatureError
from edge_runtime.files.reading import read_capped
from edge_runtime.models.signing.envelope import (
    pre_authentication_encoding,
    read_envelope,
    read_statement,
    refuse_other_file,
)
from edge_runtime.models.signing.keys import PublicKey, short
from edge_runtime.models.signing.strict_json import shown

SIGNATURE_SUFFIX = ".sig"
# One over a single file has 1.5 KiB.
SIGNATURE_LIMIT_BYTES = 64 * 1024


def signature_path(bundle: Path) -> Path:
    """Return where the signature of a bundle lies."""
    return bundle.with_name(bundle.name + SIGNATURE_SUFFIX)


def read_signature(bundle: Path) -> bytes | None:
    """Return the bytes of the signature beside a bundle; None if there is none.

    Raises:
        SignatureError: it is too large, or cannot be read.
    """
    path = signature_path(bundle)
    try:
        return read_capped(path, limit_bytes=SIGNATURE_LIMIT_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SignatureError(f"{path}: it cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise SignatureError(f"{path}: this is no signature; it has more than 64 KiB.") from error


def verify(digest: str, signature: bytes, keys: Sequence[PublicKey]) -> PublicKey:
    """Return which of the trusted keys has signed a bundle of that SHA-256.

    Raises:
        SignatureError: it is by none of them, over something else, or damaged. The message is the
            part of a sentence that says why.
        MissingDependencyError: cryptography is not installed.
    """
    if len(signature) > SIGNATURE_LIMIT_BYTES:
        raise SignatureError("it has more than 64 KiB")
    envelope = read_envelope(signature)
    key = next((key for key in keys if key.fingerprint == envelope.key), None)
    if key is None:
        raise SignatureError(f"it is by the key {shown(envelope.key[:16])}…, which is not trusted")
    message = pre_authentication_encoding(envelope.payload)
    if not key.verifies(envelope.signature, message, details=envelope.key_details):
        raise SignatureError(f"it was not made with the key {key.short} that it names")
    # Only now is it known who says it.
    refuse_other_file(read_statement(envelope.payload), digest)
    return key


def check_signature(
    name: str, digest: str, signature: bytes | None, trusted: Sequence[PublicKey]
) -> PublicKey | None:
    """Return the trusted key that has signed a bundle; None where no key is trusted.

    Where no key is trusted a bundle needs no signature; if it has one, that must be over it.

    Args:
        name: what to call the bundle.
        digest: its SHA-256; "" will do where it has no signature.
        signature: the bytes of its signature file, if there is one.
        trusted: the keys that this device trusts.

    Raises:
        SignatureError: it has no signature although one is demanded, or not a valid one.
        MissingDependencyError: a key is trusted, but cryptography is not installed.
    """
    if signature is None:
        if trusted:
            raise SignatureError(
                f"{name}: it is not signed, and this device demands a signature by "
                f"{' or '.join(key.short for key in trusted)}; sign it with `fmnist-edge bundle "
                f"--sign KEY`, and copy the {SIGNATURE_SUFFIX} file with it."
            )
        return None
    try:
        if trusted:
            return verify(digest, signature, trusted)
        refuse_other_file(read_statement(read_envelope(signature).payload), digest)
    except SignatureError as error:
        raise SignatureError(
            f"{name}: its signature is refused: {error}; copy both files again, or sign it again."
        ) from error
    return None


@dataclass(frozen=True)
class SignatureState:
    """Whether a bundle is signed, and what that is worth here.

    Attributes:
        key: the fingerprint of the key that its signature names; "" where it has none.
        verified: whether it was verified with a key that is trusted here.
        demanded: whether one is demanded here.
        problem: why it is refused; "" where it is not.
    """

    key: str
    verified: bool
    demanded: bool
    problem: str

    @property
    def in_words(self) -> str:
        """All of it in a few words."""
        if self.verified:
            return f"by {short(self.key)}, which is trusted here"
        if self.problem:
            return f"refused: {self.problem}"
        if not self.key:
            return "none"
        return f"names {short(self.key)}; not verified, as no key is trusted here"

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "key": self.key or None,
            "verified": self.verified,
            "demanded": self.demanded,
            "problem": self.problem or None,
        }


def signature_state(bundle: Path, digest: str, trusted: Sequence[PublicKey]) -> SignatureState:
    """Return what the signature beside a bundle of that SHA-256 is worth here."""
    key, demanded = "", bool(trusted)
    try:
        signature = read_signature(bundle)
        if signature is not None:
            key = read_envelope(signature).key
        signer = check_signature(str(bundle), digest, signature, trusted)
    except EdgeError as error:
        return SignatureState(key, verified=False, demanded=demanded, problem=str(error))
    return SignatureState(key, verified=signer is not None, demanded=demanded, problem="")
