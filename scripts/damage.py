"""Ways to damage a bundle or a .tflite, for `scripts/fuzz-loading`; all are drawn from a seed."""

import io
import json
import random
import struct
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from bundles import archive_of, crc_fixed, rehashed, same_members, sealed

from edge_runtime.models.bundle.archive import pack, unpack
from edge_runtime.models.bundle.contents import manifest_bytes
from edge_runtime.models.bundle.members import CARD, GOLDEN, MANIFEST, MODEL
from edge_runtime.models.inspection import model as inspection
from edge_runtime.models.inspection.flatbuffer import FlatBuffer, Span

Damage = Callable[[bytes, random.Random], bytes]

EXTREMES = (0, 1, 2, -1, -2, 127, 128, 255, 256, 32767, 65535, 1 << 20, 1 << 24)
EXTREMES += (2**31 - 1, -(2**31), 2**30, 2**31 - 4, -4)
_MOST_ITEMS = 64


# Of any bytes.


def truncated(data: bytes, rng: random.Random) -> bytes:
    """Cut anywhere, near the end half of the time."""
    return data[: rng.choice((rng.randrange(len(data)), len(data) - rng.randint(1, 99)))]


def one_byte(data: bytes, rng: random.Random) -> bytes:
    """Change a single byte."""
    changed = bytearray(data)
    changed[rng.randrange(len(data))] ^= rng.randint(1, 255)
    return bytes(changed)


def many_bytes(data: bytes, rng: random.Random) -> bytes:
    """Change 2 to 200 bytes, together or spread."""
    changed, count = bytearray(data), rng.randint(2, 200)
    start = rng.randrange(max(1, len(data) - count))
    together = rng.random() < 0.5
    for number in range(count):
        place = start + number if together else rng.randrange(len(data))
        changed[place % len(data)] = rng.randrange(256)
    return bytes(changed)


def extreme_int32(data: bytes, rng: random.Random) -> bytes:
    """Write an extreme number at an aligned place."""
    changed = bytearray(data)
    place = rng.randrange(len(data) // 4) * 4
    struct.pack_into("<i", changed, place, rng.choice(EXTREMES))
    return bytes(changed)


def swapped(data: bytes, rng: random.Random) -> bytes:
    """Exchange two blocks, or repeat one over another, as a bad disk or copy does."""
    size = rng.choice((4, 16, 64, 512))
    one, other = (rng.randrange(max(1, len(data) // size)) * size for _ in range(2))
    changed = bytearray(data)
    changed[other : other + size] = data[one : one + size]
    if rng.random() < 0.5:
        changed[one : one + size] = data[other : other + size]
    return bytes(changed)


ANY_BYTES: dict[str, Damage] = {
    "truncated": truncated,
    "one byte": one_byte,
    "many bytes": many_bytes,
    "extreme int32": extreme_int32,
    "swapped blocks": swapped,
}


# Of the FlatBuffer, by what its numbers mean.


class _Listening(FlatBuffer):
    """A reader that notes where each number of the structure lies, and how wide it is."""

    places: dict[int, int]

    def integer(self, position: int, layout: Any) -> int:
        """Note one number."""
        self.places[position] = struct.calcsize(layout)
        return super().integer(position, layout)

    def vector(self, position: int, item_size: int) -> Span:
        """Note the first items of a list of numbers."""
        span = super().vector(position, item_size)
        if item_size in (4, 8):
            for item in range(min(span.length // item_size, _MOST_ITEMS)):
                self.places[span.start + item * item_size] = item_size
        return span


def structure_of(model: bytes) -> list[tuple[int, int]]:
    """Return place and width of every number that the check of the structure reads."""
    places: dict[int, int] = {}
    original = inspection.FlatBuffer
    inspection.FlatBuffer = type("Listening", (_Listening,), {"places": places})  # type: ignore
    try:
        inspection.inspect_model(model)
    finally:
        inspection.FlatBuffer = original  # type: ignore
    return sorted(places.items())


def fields(data: bytes, rng: random.Random) -> bytes:
    """Change up to three numbers of the structure: offsets, indices, shapes, types, versions."""
    places = structure_of(data)
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        place, width = rng.choice(places)
        old = int.from_bytes(data[place : place + width], "little")
        other, _ = rng.choice(places)
        near = rng.choice((old + 1, old - 1, old + 4, old - 4, old ^ 1 << rng.randrange(8 * width)))
        copied = int.from_bytes(data[other : other + width], "little")
        value = rng.choice((near, near, rng.choice(EXTREMES), copied, rng.getrandbits(8 * width)))
        changed[place : place + width] = (value % (1 << 8 * width)).to_bytes(width, "little")
    return bytes(changed)


def objects(data: bytes, rng: random.Random) -> bytes:
    """Take the model apart, change options, tensors or the graph, and write it anew."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(data)
    for _ in range(rng.choice((1, 1, 2))):
        owner, name = rng.choice(list(_attributes(model)))
        setattr(owner, name, _other(getattr(owner, name), rng))
    builder = flatbuffers.Builder(len(data) + 1024)
    try:
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    except Exception:  # the writer refuses some numbers; then a plain change will do
        return fields(data, rng)
    return bytes(builder.Output())


def _attributes(model: Any) -> Iterator[tuple[Any, str]]:
    """Yield each number and each short list of numbers with the object that has it."""
    graph = model.subgraphs[0]
    owners = [graph, *model.operatorCodes, *graph.tensors, *graph.operators]
    owners += [tensor.quantization for tensor in graph.tensors if tensor.quantization]
    options = [operator.builtinOptions for operator in graph.operators if operator.builtinOptions]
    for owner in owners + 4 * options:  # options are what the runtime alone looks at
        for name, value in vars(owner).items():
            is_list = isinstance(value, list | np.ndarray) and 0 < len(value) <= _MOST_ITEMS
            first = value[0] if is_list else value
            if isinstance(first, bool | int | float | np.number):
                yield owner, name


def _other(value: Any, rng: random.Random) -> Any:
    """Return another number, or the list with another item, one more or one less."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | np.integer):
        return rng.choice((int(value) + 1, int(value) - 1, rng.choice(EXTREMES)))
    if isinstance(value, float | np.floating):
        return rng.choice((0.0, -1.0, 1e30, float("nan"), float("inf"), float(value) * 2))
    items = list(value)
    place = rng.randrange(len(items))
    way = rng.random()
    if way < 0.1:
        return items[:place]
    if way < 0.2:
        return [*items, items[place]]
    items[place] = _other(items[place], rng)
    return items


OF_MODELS: dict[str, Damage] = {"fields": fields, "objects": objects}


# Of the archive, with a seal that fits.


def resealed(damage: Damage) -> Damage:
    """Return the damage with the archive's seal computed anew, and the CRCs if that can be done."""

    def apply(data: bytes, rng: random.Random) -> bytes:
        changed = sealed(damage(data, rng))
        if rng.random() < 0.7:
            try:
                return sealed(crc_fixed(changed))
            except (ValueError, LookupError, NotImplementedError, OSError, zipfile.BadZipFile):
                return changed
        return changed

    return apply


# Attributes of a member of an archive, and odd values of them.
_ODD_ENTRIES: dict[str, tuple[Any, ...]] = {
    "external_attr": (0o120777 << 16, 0o104755 << 16, 0, 16),
    "date_time": ((2026, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58)),
    "comment": (b"x", b"x" * 65535),
    "extra": (b"\x99\x99\x02\0ab", b"\x75\x70\x06\0\1aaaa/", b"\1\0\x08\0" + bytes(8)),
    "create_system": (0, 10),
    "flag_bits": (0x800, 0x1, 0x8),
}


def zip_trick(data: bytes, rng: random.Random) -> bytes:
    """Repack the members as no bundle is packed: other names, links, bombs, flags, order ..."""
    members = same_members(data)
    name = rng.choice((MANIFEST, MODEL, GOLDEN, CARD))
    spelled = (f"../{name}", f"/{name}", f"a/../../{name}", f"..\\{name}", f"C:\\{name}", name)
    spelled += (name.upper(), name.title(), f"./{name}", f"{name} ", f"{name}\0x", f"{name}/", "é")
    way = rng.randrange(8)
    compression, zip64 = zipfile.ZIP_STORED, False
    if way == 0:
        members.append((rng.choice(spelled), rng.randbytes(rng.randrange(100))))
    elif way == 1:
        link = zipfile.ZipInfo(rng.choice((*spelled, "link")))
        link.create_system, link.external_attr = 3, rng.choice((0o120777, 0o040755, 0o060600)) << 16
        members.insert(rng.randrange(5), (link, b"/etc/passwd"))
    elif way == 2:
        rng.shuffle(members)
        del members[rng.randrange(5) :]
    elif way == 3:
        entry = members[rng.randrange(4)][0]
        attribute, values = rng.choice(tuple(_ODD_ENTRIES.items()))
        setattr(entry, attribute, rng.choice(values))
    elif way == 4:
        compression = rng.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
        bomb = bytes(rng.choice((1000, 1 << 20, 1 << 24)))
        members = [(entry.filename, content) for entry, content in members]
        members[rng.randrange(4)] = (name, bomb) if rng.random() < 0.7 else members[0]
    elif way == 5:
        zip64 = True
    elif way == 6:
        return sealed(rng.randbytes(rng.randint(1, 200)) + data)
    else:
        cut = rng.randrange(len(data))
        return sealed(data[:cut] + rng.randbytes(rng.randint(1, 80)) + data[cut:])
    return archive_of(members, compression=compression, zip64=zip64)


def manifest_edit(data: bytes, rng: random.Random) -> bytes:
    """Change what the manifest says, and the seal with it."""
    members = unpack(data)
    return pack({**members, MANIFEST: edited_manifest(members[MANIFEST], rng)})


def edited_manifest(text: bytes, rng: random.Random) -> bytes:
    """Return a manifest with one value changed, left out or added, or with other bytes."""
    if rng.random() < 0.3:
        return rng.choice(tuple(ANY_BYTES.values()))(text, rng)
    document = json.loads(text)
    owner, key = rng.choice(list(_places(document)))
    if rng.random() < 0.2:
        del owner[key]
    else:
        old = owner[key]
        odd = (None, True, 0, -1, 1, 2, 10**30, 1.5, "", "x" * 1000, [], {}, [[]], "..", [old])
        odd += ("\0",)
        owner[key] = rng.choice((*odd, *([old + 1, -old] if isinstance(old, int | float) else [])))
    return manifest_bytes(document)


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    pairs = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in list(pairs):
        yield document, key
        if isinstance(value, dict | list):
            yield from _places(value)


OF_BUNDLES: dict[str, Damage] = {
    **{f"{name}, resealed": resealed(damage) for name, damage in ANY_BYTES.items()},
    "zip trick, resealed": zip_trick,
}


# Other bundles, in which everything fits together.


def other_weights(data: bytes, rng: random.Random) -> bytes:
    """Damage the model in a bundle and compute its hashes anew."""
    damage = rng.choice((one_byte, one_byte, many_bytes, fields, objects, swapped))
    return rehashed(data, model=damage(unpack(data)[MODEL], rng))


def other_golden(data: bytes, rng: random.Random) -> bytes:
    """Damage the golden vectors in a bundle and compute their hashes anew."""
    golden = unpack(data)[GOLDEN]
    if rng.random() < 0.4:
        return rehashed(data, golden=rng.choice(tuple(ANY_BYTES.values()))(golden, rng))
    with np.load(io.BytesIO(golden)) as opened:
        arrays = {name: opened[name] for name in opened.files}
    name = rng.choice(list(arrays))
    array = arrays[name]
    ways: tuple[Callable[[], Any], ...] = (
        lambda: array[: rng.randrange(len(array))],
        lambda: array[..., : rng.randrange(max(1, array.shape[-1]))],
        lambda: array.astype(rng.choice(("u1", "i1", "<i2", "<f4", "<f8", "<i8", "S3", "?", "c8"))),
        lambda: array.reshape(-1),
        lambda: np.array(rng.choice((0, 1.5, b"x"))),
        lambda: np.roll(array, 1),
        lambda: np.where(np.arange(array.size).reshape(array.shape) == array.size // 2, 1, array),
        lambda: np.broadcast_to(array[:1], (257, *array.shape[1:])),
    )
    arrays[name] = rng.choice(ways)()
    if rng.random() < 0.1:
        del arrays[name]
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return rehashed(data, golden=buffer.getvalue())


OTHER_BUNDLES: dict[str, Damage] = {
    "other manifest": manifest_edit,
    "other model, rehashed": other_weights,
    "other golden, rehashed": other_golden,
}
