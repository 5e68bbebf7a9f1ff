"""A model as it is read: once, its bytes with what belongs to them.

The manifest of `int8.tflite` is `int8.manifest.json`; a bundle (`.edge.zip`) holds both. A model
of somebody else runs without a manifest: its classes are numbered, and pictures are fitted to its
input without inverting. One that was made here is refused without.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from edge_runtime.errors import EdgeError, ManifestError, ModelError
from edge_runtime.files.reading import (
    MEBIBYTE,
    hash_of_open,
    open_regular,
    read_capped,
    read_exactly,
    read_rest,
    resolved,
    sha256,
)
from edge_runtime.models.bundle.members import BUNDLE_LIMIT_BYTES, MANIFEST, MEMBER_LIMITS, MODEL
from edge_runtime.models.manifest import Manifest

if TYPE_CHECKING:
    from edge_runtime.models.bundle.contents import Bundle

_SMALL_BYTES = 16 * MEBIBYTE
BUNDLE_SUFFIX = ".edge.zip"
# The `description` of a .tflite that was made here, which no runtime reads: a manifest belongs to
# it. As long as what TensorFlow's converter writes there, so that the file keeps its size.
MARK = "By fmnist-edge."


def manifest_path(model: Path) -> Path:
    """Return where the manifest of a model lies: beside it, `.manifest.json` for `.tflite`."""
    return model.with_suffix(".manifest.json")


def found_manifest_path(model: Path) -> Path:
    """Return where the manifest of a model is read from; of a link that has none, its target's."""
    beside = manifest_path(model)
    if model.is_symlink() and not beside.exists():
        return manifest_path(resolved(model))
    return beside


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
        manifest: what lay beside it or with it, or None.
        bundle: where it came in one, all of that.
    """

    name: str
    data: bytes
    manifest: Manifest | None = None
    bundle: "Bundle | None" = None

    @property
    def sha256(self) -> str:
        """The hash of the file that was read, the bundle's where it came in one."""
        return self.bundle.sha256 if self.bundle else sha256(self.data)


def refuse_missing(path: Path) -> None:
    """Raise unless there is a file or folder of that name; asked before slow work.

    Raises:
        ModelError: there is none.
    """
    if not path.exists():
        raise _no_such_model(path)


def _no_such_model(path: Path) -> ModelError:
    return ModelError(f"{path}: there is no such model file.")


def read_model(path: Path) -> ModelFile:
    """Read a .tflite file and the manifest beside it, or a bundle, and check the hashes.

    Raises:
        ModelError: it is missing or too large, or the bundle is damaged.
        ManifestError: the manifest is damaged, does not belong to it, or is missing although the
            model was made here.
    """
    if is_bundle(path):
        with _open(path) as file:
            return bundled_model(file, name=str(path))
    data = read_model_bytes(path)
    beside = found_manifest_path(path)
    if not beside.exists():
        if is_marked(data):
            raise ManifestError(
                f"{path}: its manifest is missing, which says what its classes are and how "
                f"pictures are prepared for it; copy {beside.name} beside it, or convert the model "
                "again."
            )
        return ModelFile(str(path), data)
    manifest = _read_manifest(beside)
    if manifest.model_sha256 != sha256(data):
        raise ManifestError(
            f"{beside} describes another file than {path.name} (SHA-256 expected: "
            f"{manifest.model_sha256[:12]}…, got: {sha256(data)[:12]}…); copy both again, from "
            "the same conversion."
        )
    return ModelFile(str(path), data, manifest)


def bundled_model(source: bytes | BinaryIO, *, name: str) -> ModelFile:
    """Return the model in the bytes of a bundle, or in the open file.

    Raises:
        ModelError: the bundle is damaged.
    """
    # Here, since a lone .tflite should not wait for what only bundles need.
    from edge_runtime.models.bundle.contents import read_bundle

    try:
        bundle = read_bundle(source)
    except ModelError as error:
        raise ModelError(
            f"{name}: this bundle cannot be used: {error}; copy it again, or make it again with "
            "`fmnist-edge bundle`."
        ) from error
    return ModelFile(name, bundle.model, bundle.manifest, bundle)


def is_marked(data: bytes) -> bool:
    """Return whether the bytes of a .tflite say that it was made here.

    Such a file is not run without its manifest: classes and preprocessing would be guessed.
    """
    if MARK.encode() not in data:
        return False
    # Here, since files with their manifest should not wait for it.
    from edge_runtime.models.inspection.flatbuffer import FlatBuffer
    from edge_runtime.models.inspection.schema import ModelField

    try:
        return FlatBuffer(data).root().text(ModelField.DESCRIPTION) == MARK
    except ModelError:  # a damaged file is told so elsewhere
        return False


def _read_manifest(path: Path) -> Manifest:
    try:
        return Manifest.from_json(read_capped(path, limit_bytes=MEMBER_LIMITS[MANIFEST]))
    except (OSError, ValueError) as error:
        raise ManifestError(
            f"{path}: the manifest cannot be read ({error}); convert the model again."
        ) from error


def read_model_bytes(path: Path) -> bytes:
    """Read a .tflite file alone, or a bundle as it is.

    Raises:
        ModelError: it is missing, too large, no such file, or cannot be read.
    """
    with _open(path) as file:
        if not is_bundle(path) and os.fstat(file.fileno()).st_size > _SMALL_BYTES:
            _check_identifier(path, read_exactly(file, 8))
        return read_rest(file, limit_bytes=_limit(path))


def hash_of_model(path: Path) -> str:
    """Return the SHA-256 of a .tflite file alone, or of a bundle; raises as `read_model_bytes`."""
    with _open(path) as file:
        return hash_of_open(file)


def _check_identifier(path: Path, start: bytes) -> None:
    """Raise where a large file is something else; that needs no more than its first 8 bytes."""
    from edge_runtime.models.inspection.model import check_header

    try:
        check_header(start)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error


def _limit(path: Path) -> int:
    return BUNDLE_LIMIT_BYTES if is_bundle(path) else MEMBER_LIMITS[MODEL]


@contextlib.contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    """Open a model; what goes wrong while it is read is a ModelError too."""
    try:
        with open_regular(path, limit_bytes=_limit(path)) as file:
            yield file
    except FileNotFoundError as error:
        raise _no_such_model(path) from error
    except IsADirectoryError as error:
        files = sorted(path.glob("*.tflite"))
        advice = f"; name one of its files, such as {files[0]}" if files else ""
        raise ModelError(f"{path}: expected a .tflite file, got a folder{advice}.") from error
    except OSError as error:
        raise ModelError(f"{path}: it cannot be read ({error.strerror}).") from error
    except EdgeError:
        raise
    except ValueError as error:
        raise ModelError(f"{path}: {error}; this is no model for a small device.") from error
