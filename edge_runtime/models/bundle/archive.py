"""The container of a bundle: a zip archive of which every single byte is prescribed.

Any zip program can open it. We read it strictly: the members, their order, their attributes and
the absence of anything else are fixed, nothing is compressed, and the archive ends with the
SHA-256 of all bytes before. So the same members give the same bytes on every machine and Python,
and an archive of which one byte was changed, wherever it is, is not one of ours.
"""

import hashlib
import io
import itertools
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from edge_runtime.errors import BundleError
from edge_runtime.files.reading import CHUNK_BYTES, read_exactly
from edge_runtime.files.zip_directory import CENTRAL, END, LOCAL, STORED, Entry, read_directory
from edge_runtime.models.bundle.members import MEMBER_LIMITS

_DIGITS = re.compile(rb"[0-9a-f]{64}")
_SEAL_BYTES = 64  # hexadecimal digits, so that `unzip -z` shows it: it is the archive's comment

_VERSION = 20
_MADE_BY = (3 << 8) | _VERSION  # Unix
_TIME, _DATE = 0, (1 << 5) | 1  # 1 January 1980, the first that can be said
_REGULAR_FILE = 0o100644 << 16


@dataclass(frozen=True)
class Span:
    """Where the content of a member lies, and its CRC-32."""

    start: int
    size_bytes: int
    crc: int


@dataclass(frozen=True)
class Archive:
    """An archive whose seal and headers have been checked, and where its members lie."""

    size_bytes: int
    sha256: str
    spans: Mapping[str, Span]


def pack(members: Mapping[str, bytes]) -> bytes:
    """Return the archive of all members that `MEMBER_LIMITS` names; same members, same bytes.

    Raises:
        BundleError: a member is missing, unknown, or too large.
    """
    _refuse_other_members(list(members))
    for name, limit in MEMBER_LIMITS.items():
        if len(members[name]) > limit:
            raise BundleError(f"its member '{name}' would have more than {limit:,} bytes")
    return b"".join(_parts(members))


def hash_of_members(members: Mapping[str, bytes]) -> str:
    """Return the SHA-256 that the archive of these members has as a whole."""
    digest = hashlib.sha256()
    for part in _parts(members):
        digest.update(part)
    return digest.hexdigest()


def _parts(members: Mapping[str, bytes]) -> Iterator[bytes]:
    sizes = {name: (zlib.crc32(content), len(content)) for name, content in members.items()}
    headers, end = _frame(sizes)
    digest = hashlib.sha256()
    contents = (part for name in headers for part in (headers[name], members[name]))
    for part in itertools.chain(contents, [end]):
        digest.update(part)
        yield part
    yield digest.hexdigest().encode("ascii")


def _frame(crcs_and_sizes: Mapping[str, tuple[int, int]]) -> tuple[dict[str, bytes], bytes]:
    """Return what stands before each member, and what stands behind them all before the seal."""
    headers, central, offset = {}, b"", 0
    for name in MEMBER_LIMITS:
        crc, size = crcs_and_sizes[name]
        encoded = name.encode("ascii")
        common = _VERSION, 0, STORED, _TIME, _DATE, crc, size, size, len(encoded), 0
        central += CENTRAL.pack(b"PK\1\2", _MADE_BY, *common, 0, 0, 0, _REGULAR_FILE, offset)
        central += encoded
        headers[name] = LOCAL.pack(b"PK\3\4", *common) + encoded
        offset += len(headers[name]) + size
    count = len(MEMBER_LIMITS)
    end = END.pack(b"PK\5\6", 0, 0, count, count, len(central), offset, _SEAL_BYTES)
    return headers, central + end


def unpack(data: bytes) -> dict[str, bytes]:
    """Return the members of an archive that `pack` made.

    Raises:
        BundleError: it is damaged, or is another archive, be it a valid one.
    """
    stream = io.BytesIO(data)
    spans = find_members(stream).spans
    return {name: read_member(stream, name, span) for name, span in spans.items()}


def find_members(stream: BinaryIO) -> Archive:
    """Find the members of an archive that `pack` made; none of them is kept in memory.

    Seal, names, sizes and every byte of the headers have been checked, but not the content.

    Raises:
        BundleError: it is damaged, or is another archive, be it a valid one.
    """
    size, digest = _check_seal(stream)
    try:
        entries, _ = read_directory(stream, comment_bytes=_SEAL_BYTES)
    except ValueError as error:
        raise BundleError(f"the archive is damaged ({error})") from error
    _refuse_other_members([entry.name for entry in entries])
    _refuse_large(entries)
    headers, end = _frame({entry.name: (entry.crc, entry.size_bytes) for entry in entries})
    by_name = {entry.name: entry for entry in entries}
    spans, offset, prescribed = {}, 0, []
    for name, header in headers.items():
        entry = by_name[name]
        prescribed.append((offset, header))
        spans[name] = Span(offset + len(header), entry.size_bytes, entry.crc)
        offset = spans[name].start + entry.size_bytes
    prescribed.append((offset, end))
    is_whole = offset + len(end) + _SEAL_BYTES == size
    if not is_whole or any(not _stands_at(stream, *part) for part in prescribed):
        raise BundleError("the archive has other headers than `fmnist-edge bundle` writes")
    return Archive(size, digest, spans)


def read_member(stream: BinaryIO, name: str, span: Span) -> bytes:
    """Return the content of a member.

    Raises:
        BundleError: it has another CRC than the archive says.
    """
    stream.seek(span.start)
    content = read_exactly(stream, span.size_bytes)
    if zlib.crc32(content) != span.crc or len(content) != span.size_bytes:
        raise BundleError(f"the archive is damaged ('{name}' has another CRC-32 than it says)")
    return content


def hash_of_span(stream: BinaryIO, span: Span) -> str:
    """Return the SHA-256 of a member, of which little is in memory at a time."""
    return _digest(stream, span.start, span.size_bytes).hexdigest()


def _digest(stream: BinaryIO, start: int, size_bytes: int) -> "hashlib._Hash":
    digest, left = hashlib.sha256(), size_bytes
    stream.seek(start)
    while left and (chunk := stream.read(min(left, CHUNK_BYTES))):
        digest.update(chunk)
        left -= len(chunk)
    return digest


def _check_seal(stream: BinaryIO) -> tuple[int, str]:
    """Return size and SHA-256 of the archive, which ends with the SHA-256 of all before."""
    size = stream.seek(0, io.SEEK_END)
    sealed = max(0, size - _SEAL_BYTES)
    stream.seek(sealed)
    seal = read_exactly(stream, _SEAL_BYTES)
    # What cannot be right anyway is not hashed: that takes a second for the largest.
    if _DIGITS.fullmatch(seal):
        digest = _digest(stream, 0, sealed)
        if seal == digest.hexdigest().encode("ascii"):
            digest.update(seal)
            return size, digest.hexdigest()
    raise BundleError(
        "its bytes do not have the SHA-256 that it ends with: it is damaged, incomplete, or "
        "was not made by `fmnist-edge bundle`"
    )


def _stands_at(stream: BinaryIO, offset: int, expected: bytes) -> bool:
    stream.seek(offset)
    return read_exactly(stream, len(expected)) == expected


def _refuse_other_members(names: list[str]) -> None:
    """Raise unless these are the members, each once: no paths, no twins, no other spellings."""
    for name in names:
        if name not in MEMBER_LIMITS:
            raise BundleError(f"it has a member {name!r}; expected only {', '.join(MEMBER_LIMITS)}")
        if names.count(name) > 1:
            raise BundleError(f"it has '{name}' twice")
    for name in MEMBER_LIMITS:
        if name not in names:
            raise BundleError(f"it has no '{name}'")


def _refuse_large(entries: list[Entry]) -> None:
    for entry in entries:
        limit = MEMBER_LIMITS[entry.name]
        if entry.method != STORED:
            raise BundleError(f"its member '{entry.name}' is compressed")
        if entry.size_bytes > limit:
            raise BundleError(
                f"its member '{entry.name}' has {entry.size_bytes:,} bytes; {limit:,} is the limit"
            )
