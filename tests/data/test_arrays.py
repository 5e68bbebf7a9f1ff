"""`ArrayFile`, whoever made the file."""

import io
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.data.arrays import ArrayFile
from edge_runtime.errors import ArraysError, BundleError
from edge_runtime.files.reading import MEBIBYTE
from edge_runtime.models.bundle.golden import Golden

HEADER = b"{'descr': '|u1', 'fortran_order': False, 'shape': (4,), }"


def npz(**arrays: object) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def archive(*members: tuple[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as opened:
        for name, content in members:
            opened.writestr(name, content)
    return buffer.getvalue()


def npy(
    header: bytes = HEADER, content: bytes = b"abcd", *, magic: bytes = b"\x93NUMPY\1\0"
) -> bytes:
    padded = header.ljust(117) + b"\n"
    return magic + struct.pack("<H", len(padded)) + padded + content


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize(
    "array",
    [
        np.arange(3),
        np.zeros((0, 3), np.float32),
        np.array(2.5),
        np.array("Größe: 28 × 28"),
        np.array([b"a" * 64, b"b"], "S64"),
        np.array([True, False]),
        np.random.default_rng(0).random((3000, 100)),
        np.zeros((3, 100_000), np.int16),
    ],
    ids=lambda array: f"{array.dtype}-{array.shape}",
)
def test_an_array_is_what_numpy_stored(save, array) -> None:
    buffer = io.BytesIO()
    save(buffer, before=np.arange(9), array=array, behind=np.arange(9))
    arrays = ArrayFile(buffer.getvalue(), limit_bytes=8 * MEBIBYTE)
    arrays.verify()
    assert "array" in arrays
    assert (arrays.dtype("array"), arrays.shape("array")) == (array.dtype, array.shape)
    assert arrays["array"].dtype == array.dtype
    assert np.array_equal(arrays["array"], array)


def test_a_text_is_read_as_such() -> None:
    arrays = ArrayFile(npz(text=np.array("Größe"), number=np.array(1)), limit_bytes=MEBIBYTE)
    assert arrays.text("text", limit_bytes=5) == "Größe"
    with pytest.raises(ArraysError, match="its 'text' is longer than 4 characters"):
        arrays.text("text", limit_bytes=4)
    with pytest.raises(ArraysError, match="its 'number' is no text"):
        arrays.text("number", limit_bytes=5)
    with pytest.raises(ArraysError, match="it has no array 'three'"):
        arrays["three"]


def test_rows_are_checked_in_pieces_in_their_order() -> None:
    values = np.arange(1_000_000, dtype=np.float32).reshape(-1, 4)
    pieces: list[np.ndarray] = []
    ArrayFile(npz(values=values), limit_bytes=2**26).verify({"values": pieces.append})
    assert len(pieces) > 3
    assert np.array_equal(np.concatenate(pieces), values)


def test_what_unpacks_to_the_limit_is_read_and_one_byte_more_is_not() -> None:
    data = npz(zeros=np.zeros(MEBIBYTE, np.uint8))
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        unpacked = opened.infolist()[0].file_size
    assert not ArrayFile(data, limit_bytes=unpacked)["zeros"].any()
    with pytest.raises(ArraysError, match="unpacked it is larger than 1 MiB"):
        ArrayFile(data, limit_bytes=unpacked - 1)


def test_an_archive_without_members_is_refused_in_words() -> None:
    with pytest.raises(ArraysError, match="it has no members"):
        ArrayFile(b"PK\5\6" + bytes(18), limit_bytes=MEBIBYTE)


def test_what_unpacks_to_more_than_arrays_can_is_refused() -> None:
    data = npz(zeros=np.zeros(33 * MEBIBYTE, np.uint8))
    with pytest.raises(ArraysError, match=r"its 33,\d+ bytes would unpack to 34,603,136"):
        ArrayFile(data, limit_bytes=2**32)


@pytest.mark.parametrize(
    ("member", "words"),
    [
        (npy(HEADER.replace(b"|u1", b"|O")), "not one of plain numbers or text"),
        (npy(HEADER.replace(b"'|u1'", b"[('a', '<i4')]")), "not one of plain numbers or text"),
        (npy(HEADER.replace(b"|u1", b">u2")), "not one of plain numbers or text"),
        (npy(HEADER.replace(b"False", b"True")), "not one of plain numbers or text"),
        (npy(HEADER.replace(b"(4,)", b"(-4,)")), "not one of plain numbers or text"),
        (npy(HEADER.replace(b"(4,)", b"(4" + b"," * 50 + b")")), "not one of plain numbers"),
        (npy(HEADER.replace(b"(4,)", b"(__import__('os'),)")), "not one of plain numbers or text"),
        (npy(b"(" * 110), "not one of plain numbers or text"),
        (npy(b"  x\n y"), "not one of plain numbers or text"),
        (npy(magic=b"\x93NUMPY\3\0"), "not one of plain numbers or text"),
        (npy(HEADER.replace(b"(4,)", b"(5,)")), "announces 133 bytes and has 132"),
        (npy(HEADER.replace(b"(4,)", b"(0, 99999999999)")), "has the shape"),
        (npy(HEADER.replace(b"|u1", b"<U99999999")), "announces"),
        (b"", "not one of plain numbers or text"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_no_plain_array_is_refused_before_it_is_unpacked(member, words) -> None:
    with pytest.raises(ArraysError, match=words):
        ArrayFile(archive(("x.npy", member)), limit_bytes=MEBIBYTE)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_numpy_does_not_pack_with_is_refused(compression) -> None:
    with pytest.raises(ArraysError, match="packed in another way than NumPy does"):
        ArrayFile(archive(("x.npy", npy()), compression=compression), limit_bytes=MEBIBYTE)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("members", "words"),
    [
        ((("x.npy", npy()), ("x.npy", npy())), "two members of one name"),
        ((("../x.npy", npy()),), r"a member '\.\./x\.npy'"),
        ((("x.txt", npy()),), r"a member 'x\.txt'"),
        ((("é.npy", npy()),), "a member 'é"),
    ],
)
def test_other_members_are_refused(members, words) -> None:
    with pytest.raises(ArraysError, match=words):
        ArrayFile(archive(*members), limit_bytes=MEBIBYTE)


def test_bytes_in_front_between_and_behind_are_refused() -> None:
    whole = archive(("x.npy", npy()), ("y.npy", npy()))
    assert ArrayFile(whole, limit_bytes=MEBIBYTE)["y"].tobytes() == b"abcd"
    for at in (0, whole.index(b"PK\3\4", 1), whole.index(b"PK\1\2"), len(whole)):
        with pytest.raises(ArraysError):
            ArrayFile(whole[:at] + b"x" + whole[at:], limit_bytes=MEBIBYTE)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_any_damage_gives_the_arrays_or_an_arrays_error(data) -> None:
    save = data.draw(st.sampled_from([np.savez, np.savez_compressed]))
    buffer = io.BytesIO()
    save(buffer, one=np.arange(50), text=np.array("text"))
    damaged = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.sampled_from([len(damaged), data.draw(st.integers(0, len(damaged)))]))
    try:
        arrays = ArrayFile(bytes(damaged[:cut]), limit_bytes=MEBIBYTE)
        arrays.verify()
        assert np.array_equal(arrays["one"], np.arange(50))
        assert arrays.text("text", limit_bytes=10) == "text"
    except ArraysError:
        return


def test_golden_vectors_whose_compressed_bytes_are_damaged_are_refused() -> None:
    data = bytearray(npz(images=np.arange(4000, dtype=np.uint8).reshape(10, 20, 20, 1)))
    for place in range(60, 90):
        data[place] ^= 0xFF
    with pytest.raises(BundleError, match="its golden vectors cannot be read"):
        Golden.from_npz(bytes(data))
