"""Sign a bundle, on the host, with the package model-signing; the network is not used."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import EdgeError, MissingDependencyError, SignatureError
from edge_runtime.files.reading import sha256
from edge_runtime.models.signing.keys import PUBLIC_SUFFIX, PublicKey, public_half, read_key_file
from edge_runtime.models.signing.verification import read_signature, signature_path, verify


def public_key_path(bundle: Path) -> Path:
    """Return where the public key of a bundle's signature lies, for `deploy` to find."""
    return bundle.with_name(bundle.name + PUBLIC_SUFFIX)


@dataclass(frozen=True)
class Signer:
    """A private key that can be used: its file, what that is encrypted with, its public half."""

    path: Path
    passphrase: bytes | None
    public: PublicKey

    @classmethod
    def open(cls, path: Path, passphrase: bytes | None = None) -> "Signer":
        """Return the signer with a private key, after everything that it needs was tried.

        Raises:
            SignatureError: it is no private key that can be used, or the passphrase is wrong.
            MissingDependencyError: model-signing is not installed.
        """
        _require_model_signing()
        private = read_key_file(path)
        try:
            return cls(path, passphrase, public_half(private, passphrase))
        except SignatureError as error:
            raise SignatureError(f"{path}: {error}.") from error

    def sign(self, data: bytes, *, name: str) -> bytes:
        """Return a signature file over the bytes of a bundle; it differs each time, as ECDSA does.

        It names the bundle's file, without any consequence.

        Raises:
            SignatureError: it does not verify.
        """
        import model_signing

        with tempfile.TemporaryDirectory(prefix="fmnist-edge-") as folder:
            bundle = Path(folder, name)
            bundle.write_bytes(data)
            config = model_signing.signing.Config().use_elliptic_key_signer(
                private_key=self.path,
                password=self.passphrase,  # declared as a string, but cryptography takes bytes
            )
            config.sign(bundle, signature_path(bundle))
            signature = signature_path(bundle).read_bytes()
        verify(sha256(data), signature, [self.public])
        return signature

    def files(self, bundle: Path, data: bytes) -> Mapping[Path, bytes]:
        """Return what belongs beside a bundle: its signature, and the public key.

        A signature by this key that is there already is kept.

        Raises:
            SignatureError: what was signed does not verify.
        """
        signature = self._kept(bundle, data) or self.sign(data, name=bundle.name)
        return {
            signature_path(bundle): signature,
            public_key_path(bundle): self.public.pem.encode("ascii"),
        }

    def _kept(self, bundle: Path, data: bytes) -> bytes | None:
        try:
            signature = read_signature(bundle)
            if signature is not None:
                verify(sha256(data), signature, [self.public])
        except EdgeError:
            return None
        return signature


def _require_model_signing() -> None:
    """Raise the line that installs model-signing unless it can be imported."""
    try:
        import model_signing  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            "Signing needs the package model-signing, which cannot be imported "
            f"({' '.join(str(error).split())}); install it from the folder of fmnist-edge with: "
            "pip install '.[sign]'"
        ) from error
