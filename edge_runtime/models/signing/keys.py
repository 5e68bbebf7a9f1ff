"""Keys: made, read, and verified with. All of it needs the package cryptography."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.errors import MissingDependencyError, SignatureError
from edge_runtime.files.reading import read_capped, sha256

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

CRYPTOGRAPHY = "cryptography>=42"
PUBLIC_SUFFIX = ".pub"

_BEGIN = b"-----BEGIN "
_KEY_LIMIT_BYTES = 16 * 1024
# The curves of the specification's registry, the hash that Sigstore pairs with each, and Sigstore's
# name for the two: https://github.com/sigstore/architecture-docs/blob/main/algorithm-registry.md
_CURVES = {
    "secp256r1": ("SHA256", "PKIX_ECDSA_P256_SHA_256"),
    "secp384r1": ("SHA384", "PKIX_ECDSA_P384_SHA_384"),
    "secp521r1": ("SHA512", "PKIX_ECDSA_P521_SHA_512"),
}
_WANTED = "a key on the curve P-256 (or P-384, P-521), as `fmnist-edge keys new` makes"
_CANONICAL = re.compile(
    r"-----BEGIN PUBLIC KEY-----\n(?:[A-Za-z0-9+/=]{1,64}\n)+-----END PUBLIC KEY-----\n"
)


@dataclass(frozen=True)
class PublicKey:
    """A key as its PEM text (SubjectPublicKeyInfo), as cryptography and OpenSSL write it."""

    pem: str

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of its PEM text: what signatures name it by."""
        return sha256(self.pem.encode("ascii"))

    @property
    def short(self) -> str:
        """The beginning of its fingerprint, for people."""
        return short(self.fingerprint)

    def verifies(self, signature: bytes, message: bytes, *, details: str = "") -> bool:
        """Return whether a signature over a message was made with the private half.

        The signature is in DER; ``details`` is Sigstore's name of the algorithm, where the file has
        one.

        Raises:
            SignatureError: this is no key that can be used.
            MissingDependencyError: cryptography is not installed.
        """
        key = _load(self.pem.encode("ascii"))
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        hash_name, expected_details = _CURVES[key.curve.name]
        if details not in ("", expected_details):
            return False
        try:
            key.verify(signature, message, ec.ECDSA(getattr(hashes, hash_name)()))
        except InvalidSignature:
            return False
        return True


def short(fingerprint: str) -> str:
    """Return the beginning of a fingerprint, for people."""
    return f"{fingerprint[:16]}…"


def split_pem(text: str) -> tuple[PublicKey, ...]:
    """Return the keys in a text that consists of their PEM and nothing else.

    Raises:
        SignatureError: there is something else in it.
    """
    blocks = _CANONICAL.findall(text)
    if not blocks or "".join(blocks) != text:
        raise SignatureError("expected public keys as PEM and nothing else")
    return tuple(map(PublicKey, blocks))


def read_public_key(path: Path) -> PublicKey:
    """Read a public key on one of the curves of the specification.

    Raises:
        SignatureError: it is missing, or something else.
        MissingDependencyError: cryptography is not installed.
    """
    data = read_key_file(path)
    try:
        if b"PRIVATE KEY" in data:
            raise SignatureError(
                f"it is a private key; give the public one, {path.name}{PUBLIC_SUFFIX}, and keep "
                "the private one to yourself"
            )
        if data.count(_BEGIN) > 1:
            raise SignatureError("it holds several keys; give each in a file of its own")
        return _public(_load(data))
    except SignatureError as error:
        raise SignatureError(f"{path}: {error}.") from error


def read_key_file(path: Path) -> bytes:
    """Return the bytes of a key's file.

    Raises:
        SignatureError: it is missing, or no key's file.
    """
    try:
        return read_capped(path, limit_bytes=_KEY_LIMIT_BYTES)
    except FileNotFoundError as error:
        raise SignatureError(
            f"{path}: there is no such key; make one with: fmnist-edge keys new"
        ) from error
    except OSError as error:
        raise SignatureError(f"{path}: the key cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise SignatureError(f"{path}: this is not a key; it has more than 16 KiB.") from error


def new_private_key(passphrase: bytes | None = None) -> bytes:
    """Return a new P-256 private key as PEM (PKCS #8), encrypted where there is a passphrase.

    Raises:
        MissingDependencyError: cryptography is not installed.
    """
    _require_cryptography()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        encryption = serialization.BestAvailableEncryption(passphrase)
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )


def public_half(private: bytes, passphrase: bytes | None = None) -> PublicKey:
    """Return the public half of a private key, given as PEM.

    Raises:
        SignatureError: it is no private key that can be used, or the passphrase is wrong.
        MissingDependencyError: cryptography is not installed.
    """
    _require_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        key = serialization.load_pem_private_key(private, passphrase)
    except TypeError as error:  # a passphrase is missing, or one too many
        if passphrase is not None:
            raise SignatureError("it has no passphrase, but one was given") from error
        raise SignatureError(
            "it has a passphrase; give it with --passphrase-file or FMNIST_EDGE_PASSPHRASE"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        wrong = " or the passphrase is wrong" if passphrase is not None else ""
        raise SignatureError(f"it is no private key as PEM{wrong}") from error
    return _public(_on_known_curve(key.public_key()))


def _load(pem: bytes) -> "ec.EllipticCurvePublicKey":
    _require_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SignatureError(f"it is no public key as PEM; expected {_WANTED}") from error
    return _on_known_curve(key)


def _on_known_curve(key: object) -> "ec.EllipticCurvePublicKey":
    """Return a public key, refusing one of another kind or on another curve."""
    from cryptography.hazmat.primitives.asymmetric import ec

    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise SignatureError(f"expected {_WANTED}, got another kind of key")
    if key.curve.name not in _CURVES:
        raise SignatureError(f"expected {_WANTED}, got one on {key.curve.name}")
    return key


def _public(key: "ec.EllipticCurvePublicKey") -> PublicKey:
    from cryptography.hazmat.primitives import serialization

    pem = key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return PublicKey(pem.decode("ascii"))


def _require_cryptography() -> None:
    """Raise the line that installs cryptography unless it can be imported."""
    try:
        import cryptography.hazmat.primitives.asymmetric.ec  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            "Keys and signatures need the package cryptography, which cannot be imported "
            f"({' '.join(str(error).split())}); install it with: {sys.executable} -m pip install "
            f"'{CRYPTOGRAPHY}'"
        ) from error
