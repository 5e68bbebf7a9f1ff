"""What is installed in a folder of this device, and what was before it."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.errors import ModelError, ReleaseError
from edge_runtime.files.documents import DOCUMENT_LIMIT_BYTES, parse_object
from edge_runtime.files.reading import hash_of_file, read_capped
from edge_runtime.models.bundle.members import BUNDLE_LIMIT_BYTES
from edge_runtime.models.manifest import is_sha256
from edge_runtime.models.model_file import ModelFile, read_model

if TYPE_CHECKING:
    from edge_runtime.models.bundle.contents import Bundle
    from edge_runtime.models.signing.trust import TrustStore

HOME_VARIABLE = "FMNIST_EDGE_HOME"
FILE_NAME = "model.edge.zip"
NOTHING_INSTALLED = "Nothing is installed; install a bundle with: fmnist-edge install NAME.edge.zip"


def device_home() -> Path:
    """Return where releases are kept: `$FMNIST_EDGE_HOME`, or `~/.local/share/fmnist-edge`.

    Raises ReleaseError if there is no home folder.
    """
    named = os.environ.get(HOME_VARIABLE)
    try:
        return Path(named or "~/.local/share/fmnist-edge").expanduser().absolute()
    except RuntimeError as error:
        raise ReleaseError(
            f"There is no home folder to install into; set {HOME_VARIABLE} to a folder."
        ) from error


@dataclass(frozen=True, eq=False)
class Release:
    """A bundle on this device, whose bytes have been checked against its name.

    Attributes:
        path: its file.
        model: the model in it.
        bundle: all that is in it.
    """

    path: Path
    model: ModelFile
    bundle: "Bundle"

    @property
    def sha256(self) -> str:
        """The hash of its file."""
        return self.bundle.sha256

    @property
    def version(self) -> int:
        """The version of the bundle."""
        return self.bundle.version


@dataclass(frozen=True)
class Installed:
    """What one folder of releases holds.

    Args:
        home: the folder, which need not be there yet; by default this device's.
    """

    home: Path = field(default_factory=device_home)

    @property
    def link(self) -> Path:
        """What points to the current release."""
        return self.home / "current"

    @property
    def trusted(self) -> "TrustStore":
        """The keys of which one must have signed what is installed."""
        # Here, since `classify installed` should not wait for what only some commands need.
        from edge_runtime.models.signing.trust import TrustStore

        return TrustStore(self.home)

    def path_of(self, digest: str) -> Path:
        """Return the file of the release of that hash."""
        return self.home / "releases" / digest / FILE_NAME

    def current_sha256(self) -> str | None:
        """Return the hash of the release that the link points to; None if there is no link."""
        try:
            return self.link.readlink().name
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ReleaseError(
                f"Expected {self.link} to be a link to a release ({error.strerror}); move it away."
            ) from error

    def installed_path(self) -> Path:
        """Return the file of the current release, or raise ReleaseError if nothing is installed."""
        digest = self.current_sha256()
        if digest is None:
            raise ReleaseError(NOTHING_INSTALLED)
        return self.path_of(digest)

    def current(self) -> Release | None:
        """Return the current release as `open` does; None if nothing is installed."""
        digest = self.current_sha256()
        return None if digest is None else self.open(digest)

    def open(self, digest: str) -> Release:
        """Return a release after checking every byte against its hash.

        Raises ReleaseError if it is damaged or missing.
        """
        path = self.path_of(digest)
        try:
            model = read_model(path)
        except ModelError as error:
            raise ReleaseError(f"The release {digest[:12]}… is damaged: {error}") from error
        if model.sha256 != digest or model.bundle is None:
            raise ReleaseError(f"{path}: it is another bundle than its folder's name says.")
        return Release(path, model, model.bundle)

    def is_whole(self, digest: str) -> bool:
        """Return whether the file of a release is there, with the bytes that its name says."""
        try:
            found = hash_of_file(self.path_of(digest), limit_bytes=BUNDLE_LIMIT_BYTES)
        except (OSError, ValueError):
            return False
        return found == digest

    def history(self) -> list[str]:
        """Return the hashes of what was installed up to the current release, the oldest first."""
        current = self.current_sha256()
        if current is None:
            return []
        entries = self.recorded()
        # What was about to be installed stands behind the last mention of the current one.
        behind = entries[::-1].index(current) + 1 if current in entries else 0
        before = entries[: len(entries) - behind] if behind else []
        return [*(entry for entry in before if entry != current), current]

    def recorded(self) -> list[str]:
        """Return what history.json says; nothing where it is missing or damaged."""
        try:
            history = read_capped(self.home / "history.json", limit_bytes=DOCUMENT_LIMIT_BYTES)
            return [entry for entry in parse_object(history)["releases"] if is_sha256(entry)]
        except (OSError, ValueError, LookupError, TypeError):
            return []
