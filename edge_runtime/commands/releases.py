"""The commands of a device: `install`, `rollback`, `status` and `selftest`."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from edge_runtime.commands.options import backend_option, is_word_installed
from edge_runtime.console.help import command
from edge_runtime.console.talk import result_options
from edge_runtime.console.terminal import echo, echo_json
from edge_runtime.devices.installed import NOTHING_INSTALLED, Release
from edge_runtime.devices.releases import Releases
from edge_runtime.errors import EdgeError, ReleaseError, SignatureError
from edge_runtime.inference.loading.opening import examine
from edge_runtime.models.model_file import ModelFile, read_model
from edge_runtime.models.signing.verification import SignatureState
from edge_runtime.runtimes.backends import choose_backend
from edge_runtime.wording import percent


@command(
    examples=(
        ("A new release", "fmnist-edge install shoes.edge.zip"),
        ("An older one, on purpose", "fmnist-edge install older.edge.zip --allow-downgrade"),
    ),
)
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--allow-downgrade", is_flag=True, help="Install it even if a newer version is installed."
)
@backend_option
@result_options
def install(bundle: Path, allow_downgrade: bool, backend: str | None, as_json: bool) -> None:
    """Check BUNDLE (.edge.zip), put it in place on this device, and switch to it.

    Before anything is written, every byte is checked against its hashes, and a separate process
    must reproduce the golden vectors. Once a key is trusted (`fmnist-edge trust`), the file
    BUNDLE.sig beside it must be a signature by such a key; without one the bundle is not even
    unpacked.

    The switch is one rename: a power cut at any moment leaves either the old bundle or the new one,
    complete. The last three are kept; `rollback` goes back to them.

    Bundles are kept in $FMNIST_EDGE_HOME, or ~/.local/share/fmnist-edge. The current one is
    current/model.edge.zip there.
    """
    releases = Releases()
    release, changed = releases.install(
        bundle, backend=choose_backend(backend), allow_downgrade=allow_downgrade
    )
    _print_release(releases, release, as_json, "installed" if changed else "installed already")


@command(
    examples=(("Back to the bundle before", "fmnist-edge rollback"),),
)
@backend_option
@result_options
def rollback(backend: str | None, as_json: bool) -> None:
    """Go back to the bundle that was installed before the current one, after checking it.

    The check includes its signature if a key is trusted on this device.
    """
    releases = Releases()
    release = releases.rollback(backend=choose_backend(backend))
    _print_release(releases, release, as_json, "back to")


@command(
    examples=(("For a program that watches many devices", "fmnist-edge status --json"),),
)
@result_options
def status(as_json: bool) -> int:
    """Show which bundle is installed on this device, whether it is intact, and who signed it.

    The exit code is 1 if it is damaged.
    """
    releases = Releases()
    digest, problem, release = releases.current_sha256(), "", None
    try:
        release = releases.current()
    except ReleaseError as error:
        problem = str(error)
    before = releases.history()[:-1][::-1]
    if as_json:
        document = {
            "home": str(releases.home),
            "sha256": digest,
            "release": _describe(releases, release) if release else None,
            "trusted_keys": _trusted(releases),
            "problem": problem or None,
            "before": before,
        }
        echo_json(document)
        return 1 if problem else 0
    if digest is None:
        echo(NOTHING_INSTALLED)
        return 0
    if release is None:
        advice = "go back with `fmnist-edge rollback`" if before else "install it again"
        raise ReleaseError(f"{problem} Install a sound bundle over it, or {advice}.")
    _print_release(releases, release, False, "installed")
    echo(f"before     {', '.join(entry[:12] + '…' for entry in before) or 'nothing'}")
    return 0


@command(
    examples=(
        ("What is installed", "fmnist-edge selftest"),
        ("A bundle before it is installed", "fmnist-edge selftest shoes.edge.zip"),
    ),
)
@click.argument("model", required=False, type=click.Path(path_type=Path))
@backend_option
@result_options
def selftest(model: Path | None, backend: str | None, as_json: bool) -> int:
    """Answer yes or no: does this device compute what it should?

    Every byte of the installed bundle, or of MODEL (a bundle, a .tflite file, or the word
    `installed`), is checked against its hashes. Then a separate process must reproduce the golden
    vectors, with the kernels that are the same everywhere and with those that are used in
    operation. If a key is trusted on this device, a bundle must also be signed by it. The exit code
    is 0 for yes and 1 for no.
    """
    start = time.monotonic()
    file: ModelFile | None = None
    state: SignatureState | None = None
    found = None
    try:
        file, state = _installed_or(model)
        if state and state.problem:
            raise SignatureError(state.problem)
        result = examine(file, backend=choose_backend(backend))
        found = result.selftest
        answer = str(found["in_words"]) if found else _without_golden(result.to_dict())
        ok = True
    except EdgeError as error:
        answer, ok = str(error), False
    seconds = time.monotonic() - start
    if as_json:
        document = {
            "ok": ok,
            "answer": answer,
            "sha256": file.sha256 if file else None,
            "seconds": round(seconds, 3),
            "golden": found,
            "signature": state.to_dict() if state else None,
        }
        echo_json(document)
    else:
        signed = f"; signed {state.in_words}" if ok and state and state.key else ""
        echo(f"{'yes' if ok else 'no'}: {answer}{signed} ({seconds:.1f} s)")
    return 0 if ok else 1


def _installed_or(model: Path | None) -> tuple[ModelFile, SignatureState | None]:
    """Return the model, and of a bundle what its signature is worth."""
    releases = Releases()
    if model is not None and not is_word_installed(model):
        file = read_model(model)
        return file, releases.trusted.state(model, file.sha256) if file.bundle else None
    release = releases.current()
    if release is None:
        raise ReleaseError(NOTHING_INSTALLED)
    return release.model, _signature(releases, release)


def _without_golden(result: dict[str, Any]) -> str:
    return (
        f"it runs on {result['backend']} {result['backend_version']}, but a .tflite has no golden "
        "vectors that say what it must answer; make a bundle for that"
    )


def _signature(releases: Releases, release: Release) -> SignatureState:
    return releases.trusted.state(release.path, release.sha256)


def _trusted(releases: Releases) -> list[str] | None:
    """Return the fingerprints of the trusted keys; None if they cannot be read."""
    try:
        return [key.fingerprint for key in releases.trusted.read()]
    except SignatureError:
        return None


def _describe(releases: Releases, release: Release) -> dict[str, Any]:
    manifest = release.bundle.manifest
    return {
        "path": str(release.path),
        "sha256": release.sha256,
        "version": release.version,
        "size_bytes": release.bundle.size_bytes,
        "class_names": list(manifest.class_names),
        "metrics": manifest.details.get("metrics"),
        "signature": _signature(releases, release).to_dict(),
    }


def _print_release(releases: Releases, release: Release, as_json: bool, what: str) -> None:
    described = _describe(releases, release)
    if as_json:
        echo_json({"result": what, **described})
        return
    echo(f"{what:<10} version {release.version}, SHA-256 {release.sha256}")
    echo(f"accuracy   {accuracy_in_words(described['metrics'])}")
    echo(f"file       {release.path}")
    echo(f"signature  {_signature(releases, release).in_words}")


def accuracy_in_words(metrics: Mapping[str, Any]) -> str:
    """Return what a bundle's manifest says of its accuracy."""
    accuracy = metrics["accuracy"]
    value, low, high = map(percent, (accuracy["value"], *accuracy["interval_95"]))
    return f"{value} % (95 % interval {low} to {high}, {accuracy['total']:,} test images)"
