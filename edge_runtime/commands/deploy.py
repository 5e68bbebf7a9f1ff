"""The command `deploy`."""

from pathlib import Path
from typing import Any

import click

from edge_runtime.commands.options import run_options
from edge_runtime.console.help import command
from edge_runtime.console.talk import Console, pass_console, result_options
from edge_runtime.console.terminal import echo, echo_json
from edge_runtime.devices import EmulatedDevice, open_device
from edge_runtime.devices.deployment import Delivery, SignedBundle, install_bundle
from edge_runtime.devices.packages import project_version
from edge_runtime.devices.setup import SetUp, look, set_up
from edge_runtime.errors import RunError
from edge_runtime.files.reading import MEBIBYTE
from edge_runtime.models.model_file import BUNDLE_SUFFIX, is_bundle, read_model
from edge_runtime.models.runs import find_run
from edge_runtime.models.signing.keys import short


@command(
    examples=(
        (
            "Set up a Pi, and install the latest run's bundle on it",
            "fmnist-edge deploy pi@raspberrypi",
        ),
        (
            "A bundle for a Pi without internet",
            "fmnist-edge deploy pi@raspberrypi shoes.edge.zip --offline",
        ),
        (
            "The software only, over another port",
            "fmnist-edge deploy ssh://pi@10.0.0.7:2222 --no-bundle",
        ),
    ),
)
@click.argument("device_name", metavar="USER@HOST")
@click.argument("bundle", required=False, type=click.Path(path_type=Path))
@run_options
@click.option(
    "--offline",
    is_flag=True,
    help="Fetch the packages on this machine and copy them, for a device without internet.",
)
@click.option(
    "--home",
    metavar="DIR",
    default="",
    help="Folder on the device for everything.  [default: ~/.local/share/fmnist-edge]",
)
@click.option(
    "--allow-downgrade",
    is_flag=True,
    help="Install the bundle even if the device has a newer version.",
)
@click.option("--no-bundle", is_flag=True, help="Set up the software only.")
@result_options
@pass_console
def deploy(
    console: Console,
    /,
    device_name: str,
    bundle: Path | None,
    run_name: str | None,
    runs_dir: str,
    offline: bool,
    home: str,
    allow_downgrade: bool,
    no_bundle: bool,
    as_json: bool,
) -> None:
    """Set up a Raspberry Pi over ssh and install BUNDLE on it, by default the latest run's.

    Checks that the device is suitable, installs fmnist-edge and one TFLite runtime in an
    environment of their own, copies the bundle, installs it and runs its self-test on the device.
    ssh is your own, with its configuration and keys, and never prompts. What is already there is
    kept, an interrupted copy continues where it stopped, and the old software stays until the new
    one works.

    The signature of a signed bundle (`bundle --sign`) is copied with it. A device that trusts no
    key yet trusts the one beside the bundle from then on; one that trusts another key refuses the
    bundle.

    USER@HOST may also be a name from ~/.ssh/config, or `emulated` for the Pi of
    scripts/emulated-pi.
    """
    if no_bundle and bundle:
        raise click.UsageError("Expected BUNDLE or --no-bundle, got both; give one of them.")
    chosen = None if no_bundle else bundle or _latest_bundle(runs_dir, run_name)
    signed = _read(chosen) if chosen else None
    known = device_name.partition(":")[0] in ("ssh", "emulated")
    device = open_device(device_name if known else f"ssh:{device_name}")
    emulated = isinstance(device, EmulatedDevice)
    console.say(f"looking at {device.name}")
    done = set_up(
        device,
        look(device, home),
        offline=offline or emulated,
        compiled=not emulated,
        verifies=signed is not None and signed.signature is not None,
        say=console.say,
    )
    delivery = None
    if signed:
        delivery = install_bundle(done, signed, allow_downgrade=allow_downgrade, say=console.say)
    if as_json:
        echo_json(_document(done, chosen, delivery))
    else:
        _print(done, chosen, delivery)


def _read(bundle: Path) -> SignedBundle:
    """Return the bundle, sound, before the device is touched."""
    if not is_bundle(bundle):
        raise click.UsageError(f"Expected a bundle ({BUNDLE_SUFFIX}), got {bundle}.")
    if not bundle.is_file():
        raise RunError(f"There is no bundle {bundle}; make one with: fmnist-edge bundle")
    signed = SignedBundle.read(bundle)
    read_model(bundle)
    return signed


def _latest_bundle(runs_dir: str, run_name: str | None) -> Path:
    run = find_run(Path(runs_dir), run_name)
    found = sorted(run.folder.glob(f"*{BUNDLE_SUFFIX}"), key=lambda path: path.stat().st_mtime_ns)
    if not found:
        raise RunError(f"{run.name} has no bundle yet; make one with: fmnist-edge bundle")
    return found[-1]


def _print(done: SetUp, bundle: Path | None, delivery: Delivery | None) -> None:
    device, facts = done.device, done.facts
    state = f"installed, {_amount(done.sent_bytes)}" if done.changed else "unchanged"
    echo(
        f"device    {device.name}: {facts.name}",
        f"system    {facts.kind}, {' '.join(facts.libc)}, Python {facts.python_text}",
        f"space     {facts.free_bytes / 10**9:,.1f} GB free",
        f"software  fmnist-edge {project_version()}, {done.runtime}: {state}",
    )
    if delivery:
        state = _amount(delivery.sent_bytes) if delivery.sent_bytes else "was there"
        echo(f"bundle    {bundle}, {delivery.sha256[:12]}…: {state}")
        if delivery.first_trusted:
            echo(
                f"signature by {short(delivery.first_trusted)}; {device.name} trusts this key from "
                "now on, and no other"
            )
        echo(f"self-test yes: {delivery.selftest['answer']}")
    echo(f"run it    {done.program}")


def _amount(sent_bytes: int) -> str:
    return f"{sent_bytes / MEBIBYTE:,.1f} MiB copied"


def _document(done: SetUp, bundle: Path | None, delivery: Delivery | None) -> dict[str, Any]:
    facts = done.facts
    return {
        "device": done.device.name,
        "name": facts.name,
        "machine": facts.machine,
        "pointer_bits": facts.pointer_bits,
        "libc": " ".join(facts.libc),
        "python": facts.python_text,
        "free_bytes": facts.free_bytes,
        "home": facts.home,
        "version": project_version(),
        "runtime": done.runtime,
        "software_changed": done.changed,
        "software_sent_bytes": done.sent_bytes,
        "bundle": None if bundle is None else str(bundle),
        "bundle_sha256": delivery.sha256 if delivery else None,
        "bundle_sent_bytes": delivery.sent_bytes if delivery else None,
        "first_trusted_key": (delivery.first_trusted or None) if delivery else None,
        "selftest": delivery.selftest if delivery else None,
    }
