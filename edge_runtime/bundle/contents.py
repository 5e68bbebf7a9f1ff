"""What is in a bundle, read and checked against its own manifest."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge_runtime.bundle.archive import unpack
from edge_runtime.bundle.golden import Golden
from edge_runtime.bundle.members import CARD, GOLDEN, MANIFEST, MEMBER_LIMITS, MODEL
from edge_runtime.bundle.tolerance import Tolerance
from edge_runtime.errors import BundleError, ModelError
from edge_runtime.files import sha256, to_json
from edge_runtime.manifest import Manifest

SCHEMA_VERSION = 1


@dataclass(frozen=True, eq=False)
class Bundle:
    """A bundle whose bytes are as they were made.

    Attributes:
        data: the whole file.
        sha256: its hash.
        version: rises with each release; a device refuses a smaller one than it has.
        model: the .tflite bytes.
        manifest: the model's: class names, preprocessing, and in its details what the bundle adds.
        golden: what the model must answer.
        tolerances: how far a device may lie off.
        card: the model card, Markdown.
    """

    data: bytes
    sha256: str
    version: int
    model: bytes
    manifest: Manifest
    golden: Golden
    tolerances: tuple[Tolerance, ...]
    card: str

    @property
    def minimum_runtime(self) -> dict[str, str]:
        """The oldest release of each runtime that has its operators; empty if it does not say."""
        stated = self.manifest.details.get("minimum_runtime")
        # Another may have made this bundle by hand: what is no mapping says nothing.
        items = stated.items() if isinstance(stated, dict) else ()
        return {str(name): str(oldest) for name, oldest in items}


def read_bundle(data: bytes) -> Bundle:
    """Return the contents of a bundle after checking every byte.

    The order is: the archive with its seal, the manifest, the members' sizes and hashes, the golden
    vectors. Nothing is run.

    Args:
        data: the whole file.

    Raises:
        BundleError: it is damaged, or was not made by `fmnist-edge bundle`.
    """
    members = unpack(data)
    try:
        manifest = Manifest.from_json(members[MANIFEST])
    except ModelError as error:
        raise BundleError(f"its manifest cannot be read: {error}") from error
    part = manifest.details.get("bundle")
    if not isinstance(part, dict) or part.get("schema_version") != SCHEMA_VERSION:
        raise BundleError(f"its manifest is not one of a bundle of version {SCHEMA_VERSION}")
    version = part.get("version")
    if type(version) is not int or version < 1:
        raise BundleError(f"expected its version to be a whole number from 1 on, got {version!r}")
    _check_members(members, part.get("members"))
    if manifest.model_sha256 != sha256(members[MODEL]):
        raise BundleError("its manifest describes another model")
    return Bundle(
        data=data,
        sha256=sha256(data),
        version=version,
        model=members[MODEL],
        manifest=manifest,
        golden=Golden.from_npz(members[GOLDEN]),
        tolerances=_read_tolerances(manifest.details.get("golden")),
        card=members[CARD].decode("utf-8", errors="replace"),
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


def _check_members(members: Mapping[str, bytes], stated: Any) -> None:
    others = {name: members[name] for name in MEMBER_LIMITS if name != MANIFEST}
    found = describe_members(others)
    for name in others:
        if not isinstance(stated, dict) or stated.get(name) != found[name]:
            raise BundleError(
                f"its member '{name}' has another size or SHA-256 than its manifest says"
            )


def _read_tolerances(stated: Any) -> tuple[Tolerance, ...]:
    entries = stated.get("tolerances") if isinstance(stated, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BundleError("its manifest states no tolerances")
    return tuple(Tolerance.from_dict(entry) for entry in entries)
