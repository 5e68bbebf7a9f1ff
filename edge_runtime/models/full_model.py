"""A full model's file: a `.keras`, or a SavedModel's folder. It is known by its hash."""

import contextlib
import io
import json
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge_runtime.files.reading import hash_of_file, sha256


def is_saved_model(path: Path) -> bool:
    """Return whether a folder is a SavedModel."""
    return (path / "saved_model.pb").is_file()


def is_full_model(path: Path) -> bool:
    """Return whether a file or a folder is a full model, by its name."""
    return path.suffix.lower() == ".keras" or is_saved_model(path)


def full_model_size(path: Path) -> int:
    """Return how many bytes a file has, or all files of a folder together."""
    files = [path] if path.is_file() else [entry for entry in path.rglob("*") if entry.is_file()]
    return sum(file.stat().st_size for file in files)


def hash_full_model(path: Path) -> str:
    """Return the SHA-256 of a file, or of a list of all files of a folder with their hashes.

    `convert` records it in the manifest of each file that it makes.

    Raises:
        OSError: it cannot be read.
    """
    if path.is_file():
        return hash_of_file(path, limit_bytes=sys.maxsize)
    listing = [
        f"{entry.relative_to(path)} {hash_of_file(entry, limit_bytes=sys.maxsize)}"
        for entry in sorted(path.rglob("*"))
        if entry.is_file()
    ]
    return sha256("\n".join(listing).encode())


def is_keras_model(model: object) -> bool:
    """Return whether this is a `keras.Model` in memory, without knowing Keras."""
    return hasattr(model, "layers") and hasattr(model, "save")


def keras_bytes(model: Any) -> bytes:
    """Return the `.keras` file of a Keras model; the same model, the same bytes.

    Keras itself stamps the archive with the time.
    """
    buffer = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "model.keras"
        model.save(saved)
        with zipfile.ZipFile(saved) as source, zipfile.ZipFile(buffer, "w") as target:
            for name in source.namelist():
                content = source.read(name)
                if name == "metadata.json":
                    metadata = {**json.loads(content), "date_saved": "1980-01-01@00:00:00"}
                    content = json.dumps(metadata).encode()
                target.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


@contextlib.contextmanager
def saved_keras_model(model: Any) -> Iterator[Path]:
    """Save a Keras model to a `.keras` file of its name, which is there within the block."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{Path(str(model.name)).name}.keras"
        path.write_bytes(keras_bytes(model))
        yield path
