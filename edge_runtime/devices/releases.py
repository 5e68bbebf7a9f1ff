"""The bundles on a device: put in place, switched, taken back, so that a power cut at any moment
leaves the old one or the new one, whole.

    $FMNIST_EDGE_HOME/          ~/.local/share/fmnist-edge unless it is set
        current                 -> releases/SHA256, replaced by one rename
        history.json            the releases in the order of their installation
        trusted-keys.pem        the keys of which one must have signed, if it is there
        releases/SHA256/model.edge.zip
        releases/SHA256/model.edge.zip.sig

A release is named by the hash of its file and never changes. The history is written before the
link is switched: what follows the current release in it was about to be installed, and does not
count. A rollback notes in `.rollback` where it goes back to, and deletes the note at its very end,
so that a rollback that was killed is finished, not repeated.
"""  # noqa: D205

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.devices.installed import Installed, Release
from edge_runtime.errors import BundleError, ReleaseError
from edge_runtime.files.documents import DOCUMENT_LIMIT_BYTES
from edge_runtime.files.locks import lock
from edge_runtime.files.reading import read_capped
from edge_runtime.files.writing import switch_link, sync, write_atomically, write_json_atomically
from edge_runtime.inference.loading.opening import examine, remember_passed
from edge_runtime.models.model_file import ModelFile, is_bundle, read_model
from edge_runtime.runtimes.backends import Backend, choose_backend

if TYPE_CHECKING:
    from edge_runtime.models.signing.keys import PublicKey
    from edge_runtime.models.signing.trust import Signed

KEPT = 3

_MOST_SECONDS_TO_WAIT = 60  # an installation takes some ten seconds on a Pi Zero


class Releases(Installed):
    """The releases in one folder, to be changed by one process at a time."""

    def install(
        self, bundle: Path, *, backend: Backend | None = None, allow_downgrade: bool = False
    ) -> tuple[Release, bool]:
        """Check a bundle, put it in place, and switch to it.

        Nothing is written before the bundle has reproduced its golden vectors on this machine, and
        where a key is trusted here nothing is even unpacked before its signature is verified.

        Args:
            bundle: the file; it is read once. Its signature lies beside it.
            backend: the runtime; by default the one that `choose_backend` takes.
            allow_downgrade: whether a smaller version than the current one may be installed.

        Returns:
            The release, and whether anything changed.

        Raises:
            ModelError: the bundle is damaged, or does not compute here what it should.
            SignatureError: its signature is missing though one is demanded, or is refused.
            ReleaseError: it is older than the current release.
            OSError: it cannot be written.
        """
        if not is_bundle(bundle):
            raise BundleError(f"Expected a bundle (.edge.zip), got '{bundle}'.")
        signed = self.trusted.check(bundle)
        model = read_model(bundle)
        _refuse_other(bundle, signed, model)
        with self._alone():
            if not allow_downgrade:
                self._refuse_downgrade(model)
            chosen = backend or choose_backend()
            examine(model, backend=chosen)
            self._rollback_note.unlink(missing_ok=True)
            unchanged = self.current_sha256() == model.sha256 and self.is_whole(model.sha256)
            self._put_in_place(model, signed)
            remember_passed(model, backend=chosen, kernels="auto")
            release = self.open(model.sha256)
            if not unchanged:
                self._switch(release.sha256)
            self._prune()
            return release, not unchanged

    def rollback(self, *, backend: Backend | None = None) -> Release:
        """Check the release before the current one, and switch to it.

        Raises:
            ReleaseError: there is none, or it is damaged.
            SignatureError: no key that is trusted now has signed it, though one must have.
            ModelError: it does not compute here what it should.
        """
        with self._alone():
            history = self.history()
            target = self._interrupted_rollback(history)
            if target is None and len(history) < 2:
                raise ReleaseError("There is no release before the current one to go back to.")
            digest = target or history[-2]
            signed = self.trusted.check(self.path_of(digest))
            release = self.open(digest)
            _refuse_other(release.path, signed, release.model)
            examine(release.model, backend=backend or choose_backend())
            write_atomically(self._rollback_note, release.sha256)
            switch_link(self.link, Path("releases") / release.sha256)
            self._write_history(history[: history.index(release.sha256) + 1])
            self._rollback_note.unlink()
            return release

    def trust(self, key: "PublicKey") -> bool:
        """Demand a signature by this key, or by another that is trusted, from now on.

        Returns whether it is a new one; raises SignatureError as `TrustStore.add` does.
        """
        with self._alone():
            return self.trusted.add(key)

    def distrust(self, fingerprint: str, *, even_last: bool = False) -> "PublicKey":
        """Stop accepting signatures by a key, and return it; `TrustStore.remove` says the rest."""
        with self._alone():
            return self.trusted.remove(fingerprint, even_last=even_last)

    @property
    def _rollback_note(self) -> Path:
        return self.home / ".rollback"

    def _interrupted_rollback(self, history: list[str]) -> str | None:
        """Return what a killed rollback was going back to, if it is still a way back."""
        try:
            noted = read_capped(self._rollback_note, limit_bytes=DOCUMENT_LIMIT_BYTES).decode()
        except (OSError, ValueError):
            return None
        return noted if noted in history[-2:] else None

    def _refuse_downgrade(self, model: ModelFile) -> None:
        try:
            current = self.current()
        except ReleaseError:  # a damaged one is no reason to keep it
            return
        version = model.bundle.version if model.bundle else 0
        if current is not None and version < current.version:
            raise ReleaseError(
                f"{model.name}: it is version {version}, but version {current.version} is "
                "installed; go back with `fmnist-edge rollback`, or install the older one with "
                "--allow-downgrade."
            )

    def _put_in_place(self, model: ModelFile, signed: "Signed | None") -> None:
        path = self.path_of(model.sha256)
        if signed is not None:  # first, so that the bundle is never there without it
            path.parent.mkdir(parents=True, exist_ok=True)
            signed.put_beside(path)
        if model.bundle is not None and not self.is_whole(model.sha256):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, model.bundle.data)
        path.chmod(0o444)
        for folder in (path.parent.parent, self.home, self.home.parent):
            sync(folder)

    def _switch(self, digest: str) -> None:
        self._write_history([*self.history(), digest])
        switch_link(self.link, Path("releases") / digest)

    def _write_history(self, entries: list[str]) -> None:
        if entries != self.recorded():
            write_json_atomically(self.home / "history.json", {"releases": entries})

    def _prune(self) -> None:
        """Delete all but the last few releases."""
        kept = self.history()[-KEPT:]
        self._write_history(kept)
        for folder in (self.home / "releases").iterdir():
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other installations out, and delete what an interrupted one left.

        The lock goes with the process, however it ends. ReleaseError if another takes too long.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.home / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            until = time.monotonic() + _MOST_SECONDS_TO_WAIT
            while not lock(descriptor, wait=False):
                if time.monotonic() > until:
                    raise ReleaseError(
                        f"Another install or rollback has been running in {self.home} for "
                        f"{_MOST_SECONDS_TO_WAIT} seconds; try again when it has ended."
                    )
                time.sleep(0.1)
            for temporary in (*self.home.glob(".*.tmp"), *self.home.glob("releases/*/.*.tmp")):
                temporary.unlink(missing_ok=True)
            yield
        finally:
            os.close(descriptor)


def _refuse_other(bundle: Path, signed: "Signed | None", model: ModelFile) -> None:
    if signed is not None and signed.sha256 != model.sha256:
        raise BundleError(f"{bundle}: it changed while it was read; try again.")
