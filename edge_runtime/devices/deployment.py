"""Install a bundle on a device that was set up: copy it, install it, let it test itself.

A signature beside the bundle goes with it. If the device trusts no key yet, it trusts the one
beside the bundle from then on: trust on first use, as ssh does with hosts.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.devices.device import check
from edge_runtime.devices.setup import SetUp
from edge_runtime.devices.transfer import Parcel, put_files
from edge_runtime.errors import DeviceError
from edge_runtime.files.reading import sha256
from edge_runtime.models.model_file import BUNDLE_SUFFIX, read_model_bytes
from edge_runtime.models.signing.keys import PublicKey, read_public_key
from edge_runtime.models.signing.making import public_key_path
from edge_runtime.models.signing.verification import check_signature, read_signature, signature_path

_FORGET_TIMEOUT_S = 600.0
# Removes the bundles that were copied before; what is installed has its own copy. Argument: the
# bundle to keep, with what belongs to it.
_FORGET_OTHERS = """\
for file in "${1%/*}"/*.edge.zip*; do
    case $file in "$1"*) ;; *) rm -f -- "$file" ;; esac
done
"""


@dataclass(frozen=True)
class Delivery:
    """What became of a bundle on a device.

    Attributes:
        sha256: of the bundle.
        sent_bytes: how much of it had to be copied.
        selftest: what `fmnist-edge selftest --json` said.
        first_trusted: the fingerprint of the key that the device trusts since; "" for none.
    """

    sha256: str
    sent_bytes: int
    selftest: dict[str, Any]
    first_trusted: str = ""


@dataclass(frozen=True)
class SignedBundle:
    """A bundle on this machine, with what lies beside it.

    Attributes:
        path: its file.
        data: its bytes.
        signature: the bytes of its signature file; None if it is not signed.
        key: the public key beside it; None if there is none.
    """

    path: Path
    data: bytes
    signature: bytes | None
    key: PublicKey | None

    @classmethod
    def read(cls, path: Path) -> "SignedBundle":
        """Read all of it, and check the signature against the bundle and the key.

        Raises:
            ModelError: the bundle cannot be read.
            SignatureError: the signature is refused, or the key cannot be used.
            MissingDependencyError: cryptography is not installed.
        """
        data, signature = read_model_bytes(path), read_signature(path)
        beside, key = public_key_path(path), None
        if signature is not None and beside.exists():
            key = read_public_key(beside)
        check_signature(str(path), sha256(data), signature, [key] if key else [])
        return cls(path, data, signature, key)


def install_bundle(
    done: SetUp,
    bundle: SignedBundle,
    *,
    allow_downgrade: bool = False,
    say: Callable[[str], None] = lambda message: None,
) -> Delivery:
    """Copy a bundle to a device that was set up, install it there, and run its self-test.

    Until `fmnist-edge install` on the device has verified the bundle, the release before it stays.
    With ``allow_downgrade`` that may be a newer one. ``say`` is called with what is going on.

    Raises:
        DeviceError: the device cannot be reached, or refuses the bundle; its own sentence says why.
    """
    device, digest = done.device, sha256(bundle.data)
    target = Path(done.facts.home) / "incoming" / f"{digest[:16]}{BUNDLE_SUFFIX}"
    say(f"copying {bundle.path.name}")
    sent = put_files(device, _parcels(bundle, target))
    first = _trust_on_first_use(done, bundle, target, say)
    say(f"installing {bundle.path.name}")
    options = ["--allow-downgrade"] if allow_downgrade else []
    check(device, done.run("install", str(target), *options), "install the bundle")
    device.run(["sh", "-c", _FORGET_OTHERS, "sh", str(target)], timeout_s=_FORGET_TIMEOUT_S)
    say("running its self-test")
    return Delivery(digest, sent, _selftest(done), first)


def _parcels(bundle: SignedBundle, target: Path) -> list[Parcel]:
    parcels = []
    if bundle.key is not None:
        parcels.append(Parcel(bundle.key.pem.encode("ascii"), str(public_key_path(target))))
    if bundle.signature is not None:
        parcels.append(Parcel(bundle.signature, str(signature_path(target))))
    return [*parcels, Parcel(bundle.data, str(target))]


def _trust_on_first_use(
    done: SetUp, bundle: SignedBundle, target: Path, say: Callable[[str], None]
) -> str:
    """Let a device that trusts no key yet trust the bundle's; return its fingerprint if it does."""
    if bundle.signature is None or done.facts.trusts_keys:
        return ""
    name = done.device.name
    if bundle.key is None:
        say(
            f"{name} trusts no key, and there is no {public_key_path(bundle.path).name}; the "
            "bundle is installed without verifying its signature"
        )
        return ""
    say(f"{name} trusts no key yet; from now on it trusts {bundle.key.short}")
    check(done.device, done.run("trust", str(public_key_path(target))), "trust the key")
    return bundle.key.fingerprint


def _selftest(done: SetUp) -> dict[str, Any]:
    answer, name = done.run("selftest", "--json"), done.device.name
    try:
        found: dict[str, Any] = json.loads(answer.text)
        ok, reason = found["ok"], found["answer"]
    except (KeyError, TypeError, ValueError, RecursionError):
        check(done.device, answer, "test itself")
        raise DeviceError(
            f"Expected JSON from the self-test of {name}, got {answer.text[:100]!r}; deploy again."
        ) from None
    if not ok:
        raise DeviceError(f"{name} fails its self-test: {reason}")
    return found
