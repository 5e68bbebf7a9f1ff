"""The container of a bundle: a zip archive of which every single byte is prescribed.

Any zip program can open it. We read it strictly: the members, their order, their attributes and
the absence of anything else are fixed, nothing is compressed, and the archive ends with the
SHA-256 of all bytes before. So the same members give the same bytes on every machine and Python,
and an archive of which one byte was changed, wherever it is, is not one of ours.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping

from edge_runtime.bundle.members import MEMBER_LIMITS
from edge_runtime.errors import BundleError
from edge_runtime.files import sha256

_SEAL_BYTES = 64  # hexadecimal digits, so that `unzip -z` shows it: it is the archive's comment

# APPNOTE.TXT 6.3.10 of the zip format: sections 4.3.7, 4.3.12 and 4.3.16.
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_VERSION = 20
_MADE_BY = (3 << 8) | _VERSION  # Unix
_TIME, _DATE = 0, (1 << 5) | 1  # 1 January 1980, the first that can be said
_REGULAR_FILE = 0o100644 << 16

# What zipfile raises over damaged bytes.
_DAMAGE = (EOFError, LookupError, OSError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error)


def pack(members: Mapping[str, bytes]) -> bytes:
    """Return the archive of all members that `MEMBER_LIMITS` names; same members, same bytes.

    Raises:
        BundleError: a member is missing, unknown, or too large.
    """
    _refuse_other_members(list(members))
    for name, limit in MEMBER_LIMITS.items():
        if len(members[name]) > limit:
            raise BundleError(f"its member '{name}' would have more than {limit:,} bytes")
    local, central = bytearray(), bytearray()
    for name in MEMBER_LIMITS:
        content, encoded = members[name], name.encode("ascii")
        sizes = zlib.crc32(content), len(content), len(content)
        common = _VERSION, 0, zipfile.ZIP_STORED, _TIME, _DATE, *sizes, len(encoded), 0
        central += _CENTRAL.pack(b"PK\1\2", _MADE_BY, *common, 0, 0, 0, _REGULAR_FILE, len(local))
        central += encoded
        local += _LOCAL.pack(b"PK\3\4", *common) + encoded + content
    count = len(MEMBER_LIMITS)
    end = _END.pack(b"PK\5\6", 0, 0, count, count, len(central), len(local), _SEAL_BYTES)
    unsealed = bytes(local + central + end)
    return unsealed + sha256(unsealed).encode("ascii")


def unpack(data: bytes) -> dict[str, bytes]:
    """Return the members of an archive that `pack` made.

    Args:
        data: the whole archive, at most `BUNDLE_LIMIT_BYTES`.

    Raises:
        BundleError: it is damaged, or is another archive, be it a valid one.
    """
    unsealed, seal = data[:-_SEAL_BYTES], data[-_SEAL_BYTES:]
    if sha256(unsealed).encode("ascii") != seal:
        raise BundleError(
            "its bytes do not have the SHA-256 that it ends with: it is damaged, incomplete, or "
            "was not made by `fmnist-edge bundle`"
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            _refuse_other_members([entry.filename for entry in entries])
            _refuse_large(entries)
            members = {name: archive.read(name) for name in MEMBER_LIMITS}
    except _DAMAGE as error:
        if isinstance(error, BundleError):
            raise
        raise BundleError(f"the archive is damaged ({error})") from error
    if pack(members) != data:
        raise BundleError("the archive has other headers than `fmnist-edge bundle` writes")
    return members


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


def _refuse_large(entries: list[zipfile.ZipInfo]) -> None:
    for entry in entries:
        limit = MEMBER_LIMITS[entry.filename]
        if entry.compress_type != zipfile.ZIP_STORED:
            raise BundleError(f"its member '{entry.filename}' is compressed")
        if entry.file_size > limit:
            raise BundleError(
                f"its member '{entry.filename}' has {entry.file_size:,} bytes; {limit:,} is the "
                "limit"
            )
