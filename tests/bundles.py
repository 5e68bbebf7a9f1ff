"""Bundles for tests: small ones made in milliseconds, changed ones, and ones that play tricks."""

import io
import json
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from edge_runtime.data.datasets import Dataset, Split
from edge_runtime.files.reading import sha256
from edge_runtime.inference.bundling.making import bundle as make_bundle
from edge_runtime.inference.loading.selftest import SelfTest, run_selftest
from edge_runtime.models.bundle.archive import pack, unpack
from edge_runtime.models.bundle.contents import describe_members, manifest_bytes
from edge_runtime.models.bundle.members import CARD, GOLDEN, MANIFEST, MODEL
from edge_runtime.models.inspection.flatbuffer import FlatBuffer, Span
from edge_runtime.models.inspection.schema import ModelField
from edge_runtime.models.inspection.tensors import read_buffer
from edge_runtime.models.model_file import ModelFile, bundled_model
from edge_runtime.runtimes.backends import choose_backend

# What the tiny models are named for: how they are quantized, and their border where it is another.
SCHEMES = (
    "float32",
    "float16",
    "dynamic",
    "int8",
    "int8-uint8-border",
    "int8-float32-border",
    "int16x8",
    "int16x8-float32-border",
)
CLASSES = tuple("abcdefghij")
SEAL_BYTES = 64


def noise_dataset(
    shape: tuple[int, int, int] = (8, 8, 1), *, train: int = 120, test: int = 40
) -> Dataset:
    """Ten classes of seeded noise, as the tiny models want it."""
    rng = np.random.default_rng(0)

    def split(count: int) -> Split:
        images = rng.integers(0, 256, (count, *shape)).astype(np.uint8)
        return Split(images, np.arange(count, dtype=np.int64) % len(CLASSES))

    return Dataset("noise", CLASSES, train=split(train), test=split(test))


def tiny_bundle(model: bytes, *, version: int = 1, backend: str | None = None) -> bytes:
    """A bundle of one of the tiny models."""
    return make_bundle(
        ModelFile("tiny", model), noise_dataset(), version=version, backend=choose_backend(backend)
    ).data


def selftest(bundle: bytes) -> SelfTest:
    """What comes of a bundle's golden vectors here."""
    file = bundled_model(bundle, name="bundle")
    assert file.bundle is not None
    return run_selftest(
        file, file.bundle.golden, file.bundle.tolerances, backend=choose_backend("litert")
    )


def sealed(archive: bytes) -> bytes:
    """The archive with the SHA-256 of all that is before its last 64 bytes in these."""
    unsealed = archive[:-SEAL_BYTES]
    return unsealed + sha256(unsealed).encode("ascii")


def archive_of(
    members: Mapping[str | zipfile.ZipInfo, bytes] | list[tuple[str | zipfile.ZipInfo, bytes]],
    *,
    compression: int = zipfile.ZIP_STORED,
    zip64: bool = False,
) -> bytes:
    """A sealed archive as Python's zipfile writes it, whatever its members are."""
    pairs = members.items() if isinstance(members, Mapping) else members
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in pairs:
            if zip64:
                with archive.open(name, "w", force_zip64=True) as member:
                    member.write(content)
            else:
                archive.writestr(name, content)
        archive.comment = b"0" * SEAL_BYTES
    return sealed(buffer.getvalue())


def same_members(bundle: bytes) -> list[tuple[str | zipfile.ZipInfo, bytes]]:
    """The members of a bundle with the very attributes that ours have, for `archive_of`."""
    pairs: list[tuple[str | zipfile.ZipInfo, bytes]] = []
    for name, content in unpack(bundle).items():
        entry = zipfile.ZipInfo(name)
        entry.create_system, entry.external_attr = 3, 0o100644 << 16
        pairs.append((entry, content))
    return pairs


def edited(bundle: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    """The bundle with another manifest, and a seal that fits."""
    members = unpack(bundle)
    document = json.loads(members[MANIFEST])
    change(document)
    return pack({**members, MANIFEST: manifest_bytes(document)})


def rehashed(
    bundle: bytes,
    *,
    model: bytes | None = None,
    golden: bytes | None = None,
    card: bytes | None = None,
) -> bytes:
    """The bundle with other members, every hash and the seal computed anew."""
    members = unpack(bundle)
    others = {
        MODEL: members[MODEL] if model is None else model,
        GOLDEN: members[GOLDEN] if golden is None else golden,
        CARD: members[CARD] if card is None else card,
    }
    document = json.loads(members[MANIFEST])
    document["model_sha256"] = sha256(others[MODEL])
    document["bundle"]["members"] = describe_members(others)
    return pack({MANIFEST: manifest_bytes(document), **others})


def member_offset(bundle: bytes, name: str) -> int:
    """Where the content of a member starts."""
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        return archive.getinfo(name).header_offset + 30 + len(name)


def crc_fixed(archive: bytes) -> bytes:
    """The archive with the CRC of each member computed anew in both its headers."""
    data = bytearray(archive)
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        central = opened.start_dir
        for entry in opened.infolist():
            start = entry.header_offset + 30 + len(entry.filename)
            crc = zlib.crc32(data[start : start + entry.compress_size]).to_bytes(4, "little")
            data[entry.header_offset + 14 : entry.header_offset + 18] = crc
            data[central + 16 : central + 20] = crc
            central += 46 + len(entry.filename) + len(entry.extra) + len(entry.comment)
    return bytes(data)


def weights_span(model: bytes) -> Span:
    """Where the largest constant lies in the bytes of a .tflite."""
    file = FlatBuffer(model)
    tables = file.root().tables(ModelField.BUFFERS)
    return max((read_buffer(file, table) for table in tables), key=lambda span: span.length)
