"""What is recorded beside a model: its class names, its preprocessing, and how it was made.

The manifest of `int8.tflite` is `int8.manifest.json`; a bundle (`.edge.zip`) holds both. A model
without a manifest still runs: its classes are numbered, and pictures are fitted to its input
without inverting.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from edge_runtime.archive import read_members
from edge_runtime.errors import EdgeError, ManifestError, ModelError
from edge_runtime.files import MEBIBYTE, read_capped, sha256
from edge_runtime.images import Preprocessing

SCHEMA_VERSION = 1
BUNDLE_SUFFIX = ".edge.zip"
MODEL_LIMIT_BYTES = 512 * MEBIBYTE
MANIFEST_LIMIT_BYTES = 8 * MEBIBYTE

_MODEL = "model.tflite"
_MANIFEST = "manifest.json"
_BUNDLE_MEMBERS = {_MODEL: MODEL_LIMIT_BYTES, _MANIFEST: MANIFEST_LIMIT_BYTES}

Output = Literal["probabilities", "logits"]


@dataclass(frozen=True)
class Manifest:
    """What a device must know about a model, and where it came from.

    Attributes:
        model_sha256: hash of the .tflite bytes.
        class_names: in the order of the model's outputs.
        preprocessing: from picture to input.
        output: "probabilities", or "logits" that still need a softmax.
        details: how it was made: recipe, representative dataset, operators, versions.
    """

    model_sha256: str
    class_names: tuple[str, ...]
    preprocessing: Preprocessing
    output: Output
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` reads."""
        return {
            **self.details,
            "schema_version": SCHEMA_VERSION,
            "model_sha256": self.model_sha256,
            "class_names": list(self.class_names),
            "preprocessing": self.preprocessing.to_dict(),
            "output": self.output,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Manifest":
        """Read what `to_dict` wrote.

        Raises:
            ModelError: a key is missing or has an impossible value.
        """
        known = {"schema_version", "model_sha256", "class_names", "preprocessing", "output"}
        try:
            if document["schema_version"] != SCHEMA_VERSION:
                raise ValueError(
                    f"expected schema version {SCHEMA_VERSION}, got {document['schema_version']}"
                )
            if document["output"] not in ("probabilities", "logits"):
                raise ValueError(
                    f"output must be probabilities or logits, got {document['output']!r}"
                )
            if not isinstance(document["class_names"], list):
                raise ValueError("class_names must be a list")
            return cls(
                model_sha256=str(document["model_sha256"]),
                class_names=tuple(str(name) for name in document["class_names"]),
                preprocessing=Preprocessing.from_dict(document["preprocessing"]),
                output=document["output"],
                details={key: value for key, value in document.items() if key not in known},
            )
        except KeyError as error:
            raise ModelError(f"the key {error} is missing") from error
        except (TypeError, ValueError) as error:
            raise ModelError(str(error)) from error


def manifest_path(model: Path) -> Path:
    """Return where the manifest of a model lies: beside it, `.manifest.json` for `.tflite`."""
    return model.with_suffix(".manifest.json")


def is_bundle(path: Path) -> bool:
    """Return whether a file's name says that it is a bundle."""
    return path.name.endswith(BUNDLE_SUFFIX)


def model_stem(path: Path) -> str:
    """Return the name of a model's file without its suffix, be that `.tflite` or `.edge.zip`."""
    return path.name.removesuffix(BUNDLE_SUFFIX) if is_bundle(path) else path.stem


@dataclass(frozen=True)
class ModelFile:
    """A model that was read once: these bytes are the ones that are checked and then run.

    Attributes:
        name: what to call it in messages.
        data: the .tflite bytes.
        manifest: what lay beside it, or None.
    """

    name: str
    data: bytes
    manifest: Manifest | None = None


def read_model(path: Path) -> ModelFile:
    """Read a .tflite file and the manifest beside it, or a bundle that holds both.

    Raises:
        ModelError: it is missing or too large, or the bundle is damaged.
        ManifestError: the manifest is damaged, or does not belong to it.
    """
    data = read_model_bytes(path)
    if is_bundle(path):
        return _read_bundle(path, data)
    beside = manifest_path(path)
    document = _read_manifest_bytes(beside) if beside.exists() else None
    return _model_file(path, data, document, manifest_name=str(beside))


def _read_bundle(path: Path, archive: bytes) -> ModelFile:
    try:
        members = read_members(archive, _BUNDLE_MEMBERS)
    except ModelError as error:
        raise ModelError(f"{path}: this bundle cannot be used: {error}.") from error
    return _model_file(
        path, members[_MODEL], members[_MANIFEST], manifest_name=f"{path}: {_MANIFEST}"
    )


def _model_file(
    path: Path, data: bytes, document: bytes | None, *, manifest_name: str
) -> ModelFile:
    if document is None:
        return ModelFile(str(path), data)
    try:
        manifest = _parse_manifest(document)
    except (EdgeError, ValueError, RecursionError) as error:
        raise ManifestError(
            f"{manifest_name}: the manifest cannot be read ({error}); convert the model again."
        ) from error
    if manifest.model_sha256 != sha256(data):
        raise ManifestError(
            f"{manifest_name} describes another file than {path.name} (SHA-256 expected: "
            f"{manifest.model_sha256[:12]}…, got: {sha256(data)[:12]}…); copy both again, from "
            "the same conversion."
        )
    return ModelFile(str(path), data, manifest)


def _read_manifest_bytes(path: Path) -> bytes:
    try:
        return read_capped(path, limit_bytes=MANIFEST_LIMIT_BYTES)
    except (OSError, ValueError) as error:
        raise ManifestError(
            f"{path}: the manifest cannot be read ({error}); convert the model again."
        ) from error


def _parse_manifest(document: bytes) -> Manifest:
    fields = json.loads(document)
    if not isinstance(fields, dict):
        raise ValueError("expected a JSON object")
    return Manifest.from_dict(fields)


def read_model_bytes(path: Path) -> bytes:
    """Read a .tflite file alone, or a bundle as it is.

    Raises:
        ModelError: it is missing, too large, or cannot be read.
    """
    try:
        return read_capped(path, limit_bytes=MODEL_LIMIT_BYTES)
    except FileNotFoundError as error:
        raise ModelError(f"{path}: there is no such model file.") from error
    except OSError as error:
        raise ModelError(f"{path}: it cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise ModelError(f"{path}: {error}; this is no model for a small device.") from error
