"""The commands `keys`, for who signs bundles, and `trust`, for the device that demands it."""

import os
from pathlib import Path

import click

from edge_runtime.commands.options import file_option
from edge_runtime.console.help import HelpInParts, command
from edge_runtime.console.talk import Console, pass_console, result_options, talk_options
from edge_runtime.console.terminal import echo, echo_json
from edge_runtime.devices.releases import Releases
from edge_runtime.errors import SignatureError
from edge_runtime.files.reading import read_capped
from edge_runtime.files.writing import write_atomically
from edge_runtime.models.signing.keys import (
    PUBLIC_SUFFIX,
    PublicKey,
    new_private_key,
    public_half,
    read_key_file,
    read_public_key,
    short,
)

PASSPHRASE_VARIABLE = "FMNIST_EDGE_PASSPHRASE"
_PASSPHRASE_LIMIT_BYTES = 1024
_OWNER_ONLY = 0o600


# `read_passphrase` takes its value.
passphrase_option = file_option(
    "--passphrase-file",
    "The private key's passphrase is this file's first line.  [default: "
    f"${PASSPHRASE_VARIABLE}; else it has none]",
)


def read_passphrase(file: Path | None) -> bytes | None:
    """Return the passphrase that the options or the environment give, or None.

    Raises SignatureError if it is empty, too long, or cannot be read.
    """
    if file is None:
        return os.fsencode(os.environ.get(PASSPHRASE_VARIABLE, "")) or None
    try:
        lines = read_capped(file, limit_bytes=_PASSPHRASE_LIMIT_BYTES).splitlines()
    except OSError as error:
        raise SignatureError(f"{file}: it cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise SignatureError(f"{file}: a passphrase has at most 1 KiB.") from error
    if not lines or not lines[0]:
        raise SignatureError(f"{file}: expected a passphrase in its first line; it is empty.")
    return lines[0]


@click.group()
@talk_options
def keys() -> None:
    """Make and show the keys that sign bundles.

    `fmnist-edge bundle --sign NAME` signs with the private key, `fmnist-edge trust NAME.pub` on a
    device lets it demand that.
    """


@keys.command(cls=HelpInParts)
@click.argument("name", default="release-key", type=click.Path(path_type=Path))
@passphrase_option
@result_options
def new(name: Path, passphrase_file: Path | None, as_json: bool) -> None:
    """Make a key pair: NAME, which is private, and NAME.pub; by default release-key.

    The private key is PEM (PKCS #8) on the curve P-256, readable by you alone. Keep it off the
    devices, and keep a copy: a device that trusts no other key accepts only bundles signed with it.
    """
    if not name.name or name.is_dir():
        raise SignatureError(f"Expected the name of a file for the private key, got '{name}'.")
    passphrase = read_passphrase(passphrase_file)
    public_path = name.with_name(name.name + PUBLIC_SUFFIX)
    if name.exists() and public_path.exists():
        raise SignatureError(f"{name} exists already; a key is never overwritten.")
    if public_path.exists():
        raise SignatureError(f"{public_path} exists already, its private key does not; move it.")
    if not name.exists():
        write_atomically(name, new_private_key(passphrase), mode=_OWNER_ONLY)
    # Also where only this part was left to do, as after a power cut.
    private = read_key_file(name)
    try:
        public = public_half(private, passphrase)
    except SignatureError as error:
        raise SignatureError(f"{name}: {error}.") from error
    write_atomically(public_path, public.pem)
    if as_json:
        files = {"private": str(name), "public": str(public_path)}
        echo_json({**files, "fingerprint": public.fingerprint})
        return
    echo(
        f"private key  {name}, readable by you alone",
        f"public key   {public_path}",
        f"fingerprint  {public.fingerprint}",
    )


@keys.command(cls=HelpInParts)
@click.argument("key", metavar="KEY.pub", type=click.Path(path_type=Path))
@result_options
def show(key: Path, as_json: bool) -> None:
    """Print the fingerprint of a public key: the SHA-256 of its PEM text."""
    public = read_public_key(key)
    if as_json:
        echo_json({"public": str(key), "fingerprint": public.fingerprint})
        return
    echo(public.fingerprint)


@command(examples=(("Demand signatures by this key from now on", "fmnist-edge trust release.pub"),))
@click.argument("key", metavar="[KEY.pub]", required=False, type=click.Path(path_type=Path))
@click.option("--remove", metavar="FINGERPRINT", help="Trust this key no more.")
@click.option("--force", is_flag=True, help="With --remove: even if it is the last one.")
@result_options
@pass_console
def trust(
    console: Console, /, key: Path | None, remove: str | None, force: bool, as_json: bool
) -> None:
    """Trust KEY.pub on this device: from then on `install` and `rollback` demand a signature by a
    trusted key. Without KEY.pub: list the trusted keys.

    To change keys, trust the new one first and remove the old one when no bundle needs it any more.
    """  # noqa: D205
    if key is not None and remove is not None:
        raise click.UsageError("Give a KEY.pub or --remove, not both.")
    if force and remove is None:
        raise click.UsageError("--force is for --remove.")
    releases = Releases()
    result, changed = "", None
    if key is not None:
        changed = read_public_key(key)
        result = "trusted" if releases.trust(changed) else "trusted already"
        _say_what_follows(console, releases, changed)
    elif remove is not None:
        changed = releases.distrust(remove, even_last=force)
        result = "removed"
    fingerprints = [each.fingerprint for each in releases.trusted.read()]
    if as_json:
        document = {"home": str(releases.home), "trusted_keys": fingerprints}
        echo_json({"result": result, **document} if changed else document)
    elif changed is None:
        echo(*(fingerprints or ["No key is trusted: `install` demands no signature."]))
    else:
        echo(f"{result:<15} {changed.fingerprint}")
        if not fingerprints:
            echo("No key is trusted now: `install` demands no signature any more.")


def _say_what_follows(console: Console, releases: Releases, key: PublicKey) -> None:
    """Tell if what is installed could not be installed again."""
    digest = releases.current_sha256()
    if digest and not releases.trusted.state(releases.path_of(digest), digest).verified:
        console.say(
            f"What is installed is not signed by {short(key.fingerprint)} or another trusted key: "
            "it stays, but `selftest` says no until a signed bundle is installed."
        )
