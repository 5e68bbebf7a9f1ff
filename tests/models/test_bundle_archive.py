"""The bytes of a bundle: what is packed is unpacked, and what anyone changed is refused."""

import functools
import io
import zipfile

import pytest
from bundles import archive_of, member_offset, same_members, sealed
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.errors import BundleError
from edge_runtime.files.reading import sha256
from edge_runtime.models.bundle import archive as archive_module
from edge_runtime.models.bundle.archive import pack, unpack
from edge_runtime.models.bundle.members import CARD, GOLDEN, MANIFEST, MEMBER_LIMITS, MODEL

MEMBERS = {MANIFEST: b"{}", MODEL: b"model", GOLDEN: b"golden", CARD: b"card"}


@given(st.tuples(*[st.binary(max_size=300)] * len(MEMBER_LIMITS)))
def test_what_is_packed_is_unpacked(contents):
    members = dict(zip(MEMBER_LIMITS, contents, strict=True))
    assert unpack(pack(members)) == members


def test_the_order_of_the_members_is_not_the_callers():
    assert pack(MEMBERS) == pack(dict(reversed(MEMBERS.items())))


def test_any_zip_program_opens_a_bundle(tmp_path):
    (tmp_path / "x.edge.zip").write_bytes(pack(MEMBERS))
    with zipfile.ZipFile(tmp_path / "x.edge.zip") as opened:
        assert opened.testzip() is None
        assert opened.namelist() == list(MEMBER_LIMITS)
        assert {name: opened.read(name) for name in MEMBERS} == MEMBERS
        assert {entry.date_time for entry in opened.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.external_attr >> 16 for entry in opened.infolist()} == {0o100644}
        seal = opened.comment.decode()
    assert seal == sha256(pack(MEMBERS)[:-64])


@functools.cache
def header_positions() -> list[int]:
    """Where the archive has what is no member's content, up to its seal."""
    whole = pack(MEMBERS)
    starts = {name: member_offset(whole, name) for name in MEMBERS}
    return [
        position
        for position in range(len(whole) - 64)
        if not any(0 <= position - starts[name] < len(MEMBERS[name]) for name in MEMBERS)
    ]


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_any_changed_byte_is_refused(data):
    whole = bytearray(pack(MEMBERS))
    position = data.draw(st.integers(0, len(whole) - 1))
    whole[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BundleError):
        unpack(bytes(whole))


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_any_changed_byte_before_the_seal_is_refused_though_the_seal_was_computed_anew(data):
    whole = bytearray(pack(MEMBERS))
    position = data.draw(st.sampled_from(header_positions()))
    whole[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BundleError):
        unpack(sealed(bytes(whole)))


@given(st.integers(0, 100), st.binary(min_size=1, max_size=20))
def test_bytes_put_in_front_behind_or_between_are_refused(place, added):
    whole = pack(MEMBERS)
    cut = min(place * 7, len(whole))
    changed = whole[:cut] + added + whole[cut:]
    for damaged in (changed, sealed(changed)):
        if damaged != whole:
            with pytest.raises(BundleError):
                unpack(damaged)


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 100, -1, -64, -65])
def test_a_cut_archive_is_refused_also_with_a_new_seal(length):
    whole = pack(MEMBERS)[:length]
    for damaged in (whole, sealed(whole)):
        with pytest.raises(BundleError):
            unpack(damaged)


def linked(name):
    """The entry of a symbolic link."""
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, 0o120777 << 16
    return entry


def attributed(bundle, **attributes):
    """The bundle's members as zipfile writes them, with other attributes."""
    pairs = same_members(bundle)
    for entry, _ in pairs:
        for name, value in attributes.items():
            setattr(entry, name, value)
    return archive_of(pairs)


def central_directory(bundle):
    """Where the list of members starts."""
    with zipfile.ZipFile(io.BytesIO(bundle)) as opened:
        return opened.start_dir


def encrypted(bundle):
    """The bundle with the flag of encryption in the headers of its first member."""
    data = bytearray(bundle)
    data[6] |= 1
    data[central_directory(bundle) + 8] |= 1
    return sealed(bytes(data))


OTHER_HEADERS = "the archive has other headers than `fmnist-edge bundle` writes"
TRICKS = {
    "up": (lambda b: archive_of([*same_members(b), ("../model.tflite", b"x")]), "'../model.tfl"),
    "absolute": (lambda b: archive_of([*same_members(b), ("/etc/passwd", b"x")]), "'/etc/passwd'"),
    "up inside": (lambda b: archive_of([*same_members(b), ("a/../../b", b"x")]), "'a/../../b'"),
    "backslash": (lambda b: archive_of([*same_members(b), ("..\\b", b"x")]), r"'..\\b'"),
    "drive": (lambda b: archive_of([*same_members(b), ("C:\\b", b"x")]), r"'C:\\b'"),
    "folder": (lambda b: archive_of([*same_members(b), ("a/", b"")]), "it has a member 'a/'"),
    "extra": (lambda b: archive_of([*same_members(b), ("x.txt", b"x")]), "it has a member 'x.txt'"),
    "case": (
        lambda b: archive_of([*same_members(b), ("Model.tflite", b"x")]),
        "it has a member 'Model.tflite'",
    ),
    "dot": (lambda b: archive_of([*same_members(b), ("./model.tflite", b"x")]), "'./model.tflite'"),
    "twice": (
        lambda b: archive_of([*same_members(b), (MODEL, b"another")]),
        "it has 'model.tflite' twice",
    ),
    "missing": (lambda b: archive_of(same_members(b)[:-1]), "it has no 'MODEL_CARD.md'"),
    "order": (lambda b: archive_of(same_members(b)[::-1]), OTHER_HEADERS),
    "symlink": (
        lambda b: archive_of([*same_members(b)[:-1], (linked(CARD), b"/etc/passwd")]),
        OTHER_HEADERS,
    ),
    "symlink added": (
        lambda b: archive_of([*same_members(b), (linked("link"), b"/etc/passwd")]),
        "it has a member 'link'",
    ),
    "executable": (lambda b: attributed(b, external_attr=0o100755 << 16), OTHER_HEADERS),
    "time": (lambda b: attributed(b, date_time=(2026, 1, 1, 0, 0, 0)), OTHER_HEADERS),
    "comment": (lambda b: attributed(b, comment=b"hello"), OTHER_HEADERS),
    "extra field": (lambda b: attributed(b, extra=b"\x99\x99\x02\0ab"), OTHER_HEADERS),
    "system": (lambda b: attributed(b, create_system=0), OTHER_HEADERS),
    "zip64": (lambda b: archive_of(same_members(b), zip64=True), OTHER_HEADERS),
    "bomb": (
        lambda b: archive_of(
            [*same_members(b)[:-1], (CARD, bytes(MEMBER_LIMITS[CARD]))],
            compression=zipfile.ZIP_DEFLATED,
        ),
        "",
    ),
    "compressed": (
        lambda b: archive_of(unpack(b), compression=zipfile.ZIP_DEFLATED),
        "its member 'manifest.json' is compressed",
    ),
    "encrypted": (encrypted, "is encrypted"),
    "in front": (lambda b: sealed(b"#!/bin/sh\n" + b), "the archive is damaged"),
    "behind": (lambda b: sealed(b + bytes(64)), "the archive is damaged"),
    "no archive": (lambda b: sealed(bytes(1000)), "the archive is damaged"),
    "nothing": (lambda b: sealed(bytes(64)), "the archive is damaged"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("trick", TRICKS)
def test_an_archive_that_plays_a_trick_is_refused_though_its_seal_is_right(bundle_of, trick):
    build, words = TRICKS[trick]
    data = build(bundle_of("int8"))
    assert data[-64:].decode() == sha256(data[:-64])
    with pytest.raises(BundleError) as caught:
        unpack(data)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_header_that_promises_more_than_is_there_is_refused(bundle_of):
    whole = bundle_of("int8")
    start = central_directory(whole)
    for at in (18, 22, start + 20, start + 24, start + 42):
        for value in (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\0\0\0\x40"):
            data = bytearray(whole)
            if data[at : at + 4] != value:
                data[at : at + 4] = value
                with pytest.raises(BundleError):
                    unpack(sealed(bytes(data)))


def test_a_large_member_is_refused_before_it_is_read(monkeypatch):
    whole = pack(MEMBERS)
    monkeypatch.setattr(archive_module, "MEMBER_LIMITS", {**MEMBER_LIMITS, CARD: 3})
    with pytest.raises(BundleError, match=r"'MODEL_CARD\.md' has 4 bytes; 3 is the limit"):
        unpack(whole)
    with pytest.raises(BundleError, match="would have more than 3 bytes"):
        pack(MEMBERS)


@pytest.mark.parametrize("tail", [b"", b"G" * 64, b"0" * 63 + b"\n"])
def test_what_does_not_end_like_a_bundle_is_refused_without_being_hashed(tail, monkeypatch):
    monkeypatch.setattr(archive_module, "_digest", None)
    for size in (0, 10, 100_000):
        with pytest.raises(BundleError, match="do not have the SHA-256 that it ends with"):
            unpack(bytes(size) + tail)
