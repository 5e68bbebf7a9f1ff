"""What `bundle` writes: the bundle, and beside it its signature and the public key."""

from pathlib import Path

import click

from edge_runtime.commands.keys import read_passphrase
from edge_runtime.console.talk import Console
from edge_runtime.errors import BundleError
from edge_runtime.files.reading import sha256
from edge_runtime.files.writing import write_together
from edge_runtime.models.model_file import read_model_bytes
from edge_runtime.models.signing.making import Signer, public_key_path
from edge_runtime.models.signing.verification import signature_path, signature_state


def signer_of_options(key: Path | None, passphrase_file: Path | None) -> Signer | None:
    """Return the signer that --sign and --passphrase-file name; None without --sign.

    Raises:
        SignatureError: the key or the passphrase cannot be used.
        MissingDependencyError: what signing needs is not installed.
    """
    if key is not None:
        return Signer.open(key, read_passphrase(passphrase_file))
    if passphrase_file is not None:
        raise click.UsageError("--passphrase-file is for --sign.")
    return None


def write_bundle(
    console: Console, target: Path, data: bytes, signer: Signer | None, *, force: bool
) -> None:
    """Write the bundle and what belongs beside it, all or none of them.

    A signature of what was there before is removed.

    Raises:
        BundleError: there is a bundle of another content, and it is not forced.
        OSError: they cannot be written.
    """
    same = target.is_file() and read_model_bytes(target) == data
    if target.exists() and not same and not force:
        raise BundleError(f"{target} exists with another content; replace it with --force.")
    files = dict(signer.files(target, data)) if signer else {}
    if signer is None and signature_state(target, sha256(data), ()).problem:
        console.say(f"removing {signature_path(target).name}, the signature of what was there")
        for path in (signature_path(target), public_key_path(target)):
            path.unlink(missing_ok=True)
    write_together(files if same else {**files, target: data})
