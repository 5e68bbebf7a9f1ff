"""Read members of an untrusted zip archive into memory, under limits; nothing is extracted."""

import io
import zipfile
import zlib
from collections.abc import Mapping

from edge_runtime.errors import ModelError
from edge_runtime.files import MEBIBYTE

_MEMBER_COUNT_LIMIT = 100
_MEMBER_LIMIT_BYTES = 512 * MEBIBYTE
# Deflate packs zeros 1032 times; a model or JSON text, whatever it holds, stays far below this.
_RATIO_LIMIT = 200
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1  # bit 0 of the general purpose flags: APPNOTE.TXT, 4.4.4

# What zipfile raises over damaged bytes.
_DAMAGE = (EOFError, LookupError, OSError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error)


def read_members(data: bytes, limits: Mapping[str, int]) -> dict[str, bytes]:
    """Return the content of the members that ``limits`` names.

    Every member is looked at, also those that are not asked for: an archive with a single
    suspicious one is refused.

    Args:
        data: the whole archive.
        limits: the most bytes that each wanted member may have, by name.

    Raises:
        ModelError: the archive is damaged; a wanted member is missing; any member is there twice,
            too large, encrypted, packed like a zip bomb, or has a path that leads elsewhere.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _refuse_suspicious(archive.infolist(), limits)
            return {name: _read(archive, name, limit) for name, limit in limits.items()}
    except _DAMAGE as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"the archive is damaged ({error}); copy it again") from error


def _refuse_suspicious(members: list[zipfile.ZipInfo], limits: Mapping[str, int]) -> None:
    if len(members) > _MEMBER_COUNT_LIMIT:
        raise ModelError(f"it has {len(members)} members; {_MEMBER_COUNT_LIMIT} is the limit")
    names: set[str] = set()
    for member in members:
        if member.filename in names:
            raise ModelError(f"it has '{member.filename}' twice; make it again")
        names.add(member.filename)
        _refuse_suspicious_member(member, limits.get(member.filename, _MEMBER_LIMIT_BYTES))
    for name in limits:
        if name not in names:
            raise ModelError(f"it has no '{name}'; make it again")


def _refuse_suspicious_member(member: zipfile.ZipInfo, limit: int) -> None:
    name = member.filename
    parts = name.replace("\\", "/").split("/")
    if name != member.orig_filename or ".." in parts or parts[0] == "" or ":" in parts[0]:
        raise ModelError(f"its member {member.orig_filename!r} has a path that leads elsewhere")
    if member.flag_bits & _ENCRYPTED:
        raise ModelError(f"its member '{name}' is encrypted; make it again without a password")
    if member.compress_type not in _METHODS:
        raise ModelError(f"its member '{name}' is packed in a way other than deflate")
    if member.file_size > limit:
        raise ModelError(
            f"its member '{name}' has {member.file_size:,} bytes; {limit:,} is the limit"
        )
    if member.file_size > max(MEBIBYTE, _RATIO_LIMIT * member.compress_size):
        raise ModelError(
            f"its member '{name}' grows from {member.compress_size:,} to {member.file_size:,} "
            "bytes, as a zip bomb does"
        )


def _read(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    with archive.open(name) as member:
        content = member.read(limit + 1)
    if len(content) > limit:
        raise ModelError(f"its member '{name}' is larger than it says; {limit:,} is the limit")
    return content
