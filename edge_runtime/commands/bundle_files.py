"""What `bundle` writes, and where: the bundle, its signature and the public key."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import click

from edge_runtime.commands.keys import read_passphrase
from edge_runtime.console.talk import Console
from edge_runtime.errors import BundleError, EdgeError
from edge_runtime.files.reading import sha256
from edge_runtime.files.writing import write_together
from edge_runtime.models.bundle.contents import Bundle
from edge_runtime.models.model_file import (
    BUNDLE_SUFFIX,
    ModelFile,
    read_model,
    read_model_bytes,
)
from edge_runtime.models.signing.making import Signer, public_key_path
from edge_runtime.models.signing.verification import signature_path, signature_state


def known_bundles(runs_dir: Path, target: Path) -> list[Bundle]:
    """Return the sound bundles among the runs and at the target, the highest version first."""
    known = []
    for path in {*runs_dir.glob(f"*/*{BUNDLE_SUFFIX}"), target}:
        with contextlib.suppress(EdgeError):  # a damaged one has no say; it is not replaced unasked
            if (known_bundle := read_model(path).bundle) is not None:
                known.append(known_bundle)
    return sorted(known, key=lambda one: -one.version)


def next_version(make: Callable[..., Bundle], file: ModelFile, known: list[Bundle]) -> Bundle:
    """Return the bundle with the version of a known one if nothing else differs, or the next."""
    for bundle in known:
        if bundle.manifest.model_sha256 == sha256(file.data):
            made = make(version=bundle.version)
            if made.sha256 == bundle.sha256:
                return made
    return make(version=1 + max((bundle.version for bundle in known), default=0))


def signer_of_options(key: Path | None, passphrase_file: Path | None) -> Signer | None:
    """Return the signer that --sign and --passphrase-file name; None without --sign.

    Raises SignatureError if they cannot be used, MissingDependencyError without model-signing.
    """
    if key is not None:
        return Signer.open(key, read_passphrase(passphrase_file))
    if passphrase_file is not None:
        raise click.UsageError("--passphrase-file is for --sign.")
    return None


def write_bundle(
    console: Console, target: Path, data: bytes, signer: Signer | None, *, force: bool
) -> None:
    """Write the bundle and what belongs beside it, all or none; remove the signature of another.

    Raises BundleError if there is a bundle of another content and it is not forced.
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
