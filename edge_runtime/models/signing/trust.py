"""The keys that a device trusts: their PEM in `trusted-keys.pem`, and nothing else.

Without this file no signature is demanded; a damaged one is an error, never the same as none.
"""

from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import SignatureError
from edge_runtime.files.reading import read_capped
from edge_runtime.files.writing import sync, write_atomically
from edge_runtime.models.model_file import hash_of_model
from edge_runtime.models.signing.keys import PublicKey, split_pem
from edge_runtime.models.signing.verification import (
    SignatureState,
    check_signature,
    read_signature,
    signature_path,
    signature_state,
)

FILE_NAME = "trusted-keys.pem"
MOST_KEYS = 16

_LIMIT_BYTES = 16 * 1024
_LEAST_DIGITS = 8


@dataclass(frozen=True)
class Signed:
    """A signature that has been checked: the bytes of its file, and the hash of its bundle."""

    signature: bytes
    sha256: str

    def put_beside(self, bundle: Path) -> None:
        """Write it beside a copy of the bundle, unless it is there.

        Raises:
            OSError: it cannot be written.
        """
        try:
            if read_signature(bundle) == self.signature:
                return
        except SignatureError:  # a damaged one is replaced
            pass
        write_atomically(signature_path(bundle), self.signature)


@dataclass(frozen=True)
class TrustStore:
    """The keys that are trusted on a device, in the folder of its releases."""

    home: Path

    @property
    def path(self) -> Path:
        """The file."""
        return self.home / FILE_NAME

    def read(self) -> tuple[PublicKey, ...]:
        """Return the trusted keys, in the order in which they came.

        Raises:
            SignatureError: the file cannot be read, is damaged, or may be changed by others.
        """
        try:
            data = read_capped(self.path, limit_bytes=_LIMIT_BYTES)
            if self.path.stat().st_mode & 0o022:
                raise ValueError("other users may change it")
            return split_pem(data.decode("ascii"))
        except FileNotFoundError as error:
            if not self.path.is_symlink():
                return ()
            raise SignatureError(
                f"{self.path}: this link to the trusted keys points nowhere; nothing is installed "
                "until it is put right, or is removed."
            ) from error
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise SignatureError(
                f"{self.path}: the trusted keys cannot be read ({reason}); nothing is installed "
                "until this file is as `fmnist-edge trust` wrote it, or is removed."
            ) from error

    def add(self, key: PublicKey) -> bool:
        """Trust a key, too; return whether it is a new one.

        Raises:
            SignatureError: there are too many, or the file is damaged.
            OSError: it cannot be written.
        """
        known = self.read()
        if key in known:
            return False
        if len(known) >= MOST_KEYS:
            raise SignatureError(f"{MOST_KEYS} keys are trusted already; remove one first.")
        self._write((*known, key))
        return True

    def remove(self, fingerprint: str, *, even_last: bool = False) -> PublicKey:
        """Trust a key no more, and return it; without any key no signature is demanded any more.

        Args:
            fingerprint: of the key, or its first 8 digits at least.
            even_last: remove it even if it is the last.

        Raises:
            SignatureError: no key has this fingerprint, or it is the last.
            OSError: the file cannot be written.
        """
        known = self.read()
        start = fingerprint.rstrip("…")
        found = [key for key in known if key.fingerprint.startswith(start)]
        if len(start) < _LEAST_DIGITS or len(found) != 1:
            raise SignatureError(
                f"Expected the fingerprint of a trusted key, or {_LEAST_DIGITS} digits of it at "
                f"least, got '{fingerprint}'; `fmnist-edge trust` lists them."
            )
        rest = tuple(key for key in known if key not in found)
        if not rest and not even_last:
            raise SignatureError(
                f"{found[0].short} is the only trusted key; without it unsigned bundles could be "
                "installed again. Trust the new key first, or say --force."
            )
        self._write(rest)
        return found[0]

    def check(self, bundle: Path) -> Signed | None:
        """Return the signature beside a bundle after checking it; None if it has and needs none.

        The bundle is hashed, but not unpacked.

        Raises:
            SignatureError: it has none although a key is trusted, or it is refused.
            MissingDependencyError: a key is trusted, but cryptography is not installed.
            ModelError: the bundle cannot be read.
        """
        keys, signature = self.read(), read_signature(bundle)
        digest = "" if signature is None else hash_of_model(bundle)
        check_signature(str(bundle), digest, signature, keys)
        return None if signature is None else Signed(signature, digest)

    def state(self, bundle: Path, digest: str) -> SignatureState:
        """Return what the signature beside a bundle is worth here; ``digest`` is its SHA-256."""
        try:
            return signature_state(bundle, digest, self.read())
        except SignatureError as error:  # the trusted keys cannot be read
            return SignatureState("", verified=False, demanded=True, problem=str(error))

    def _write(self, keys: tuple[PublicKey, ...]) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        if keys:
            write_atomically(self.path, "".join(key.pem for key in keys), mode=0o644)
        else:
            self.path.unlink()
            sync(self.home)
