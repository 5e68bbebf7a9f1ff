"""What is in a bundle, read and checked against its own manifest."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from edge_runtime.errors import BundleError, ModelError
from edge_runtime.files.reading import sha256
from edge_runtime.files.writing import to_json, write_atomically
from edge_runtime.models.bundle.archive import (
    Span,
    find_members,
    hash_of_members,
    hash_of_span,
    pack,
    read_member,
)
from edge_runtime.models.bundle.document import check_document, check_version
from edge_runtime.models.bundle.golden import Golden
from edge_runtime.models.bundle.members import CARD, GOLDEN, MANIFEST, MODEL
from edge_runtime.models.bundle.tolerance import Tolerance
from edge_runtime.models.manifest import Manifest
from edge_runtime.wording import Described, percent


@dataclass(frozen=True, eq=False, repr=False)
class Bundle(Described):
    """A bundle whose bytes are as they were made.

    Attributes:
        members: the content of each member.
        sha256: the hash of the whole file.
        size_bytes: of the whole file.
        version: rises with each release; a device refuses a smaller one than it has.
        manifest: the model's: class names, preprocessing, and in its details what the bundle adds.
        golden: what the model must answer.
        tolerances: how far a device may lie off.
    """

    members: Mapping[str, bytes]
    sha256: str
    size_bytes: int
    version: int
    manifest: Manifest
    golden: Golden
    tolerances: tuple[Tolerance, ...]

    @property
    def data(self) -> bytes:
        """The whole file, put together anew: the same members give the same bytes."""
        return pack(self.members)

    def save(self, path: str | Path) -> None:
        """Write the bundle, whole or not at all; a device finds it by the name's end, .edge.zip.

        Raises:
            OSError: it cannot be written.
        """
        write_atomically(Path(path), self.data)

    def facts(self) -> dict[str, object]:
        """Return what there is to say of it in a notebook."""
        accuracy = self.manifest.details["metrics"]["accuracy"]
        return {
            "version": self.version,
            "size": f"{self.size_bytes:,} bytes",
            "SHA-256": self.sha256,
            "classes": len(self.manifest.class_names),
            "accuracy": f"{percent(accuracy['value'])} % of {accuracy['total']:,} test images",
            "golden vectors": len(self.golden),
        }

    @property
    def model(self) -> bytes:
        """The .tflite bytes."""
        return self.members[MODEL]

    @property
    def card(self) -> str:
        """The model card, Markdown."""
        return self.members[CARD].decode("utf-8", errors="replace")

    @property
    def minimum_runtime(self) -> dict[str, str]:
        """The oldest release of each runtime that has its operators; empty if it does not say."""
        return dict(self.manifest.details["minimum_runtime"])


def read_bundle(source: bytes | BinaryIO) -> Bundle:
    """Return the contents of a bundle, given as bytes or as an open file, after every check.

    The order is: the archive with its seal, the manifest, the members' sizes and hashes, the golden
    vectors, the model. Nothing is run, and the model is not in memory before all else is right.

    Raises:
        BundleError: it is damaged, or was not made by `fmnist-edge bundle`.
    """
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    archive = find_members(stream)
    members = {MANIFEST: read_member(stream, MANIFEST, archive.spans[MANIFEST])}
    try:
        manifest = Manifest.from_json(members[MANIFEST])
    except ModelError as error:
        raise BundleError(f"its manifest cannot be read: {error}") from error
    version = check_version(manifest.details)
    found = _check_members(stream, archive.spans, manifest.details["bundle"].get("members"))
    if manifest.model_sha256 != found[MODEL]["sha256"]:
        raise BundleError("its manifest describes another model ('model_sha256')")
    tolerances = check_document(manifest.details)
    for name in (CARD, GOLDEN):
        members[name] = read_member(stream, name, archive.spans[name])
    golden = Golden.from_npz(members[GOLDEN])
    members[MODEL] = read_member(stream, MODEL, archive.spans[MODEL])
    if hash_of_members(members) != archive.sha256:
        raise BundleError("it was changed while it was read")
    return Bundle(
        members, archive.sha256, archive.size_bytes, version, manifest, golden, tolerances
    )


def describe_members(members: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """Return what the manifest says of the members beside it."""
    return {
        name: {"sha256": sha256(content), "size_bytes": len(content)}
        for name, content in members.items()
    }


def manifest_bytes(document: Mapping[str, Any]) -> bytes:
    """Return the bytes of the manifest: indented JSON; the same document, the same bytes."""
    return (to_json(document) + "\n").encode()


def _check_members(
    stream: BinaryIO, spans: Mapping[str, Span], stated: Any
) -> dict[str, dict[str, Any]]:
    """Return size and SHA-256 of the members beside the manifest, which states the same ones."""
    found = {
        name: {"sha256": hash_of_span(stream, span), "size_bytes": span.size_bytes}
        for name, span in spans.items()
        if name != MANIFEST
    }
    for name in found:
        if not isinstance(stated, dict) or stated.get(name) != found[name]:
            raise BundleError(
                f"its member '{name}' has another size or SHA-256 than its manifest says "
                "('bundle.members')"
            )
    return found
