"""`open_arrays`, whoever made the file."""

import io
import zipfile

import numpy as np
import pytest

from edge_runtime.arrays import DAMAGE, open_arrays
from edge_runtime.bundle.golden import Golden
from edge_runtime.errors import BundleError
from edge_runtime.files import MEBIBYTE


def npz(**arrays: object) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def test_an_array_is_what_was_stored_under_its_name() -> None:
    with open_arrays(npz(one=np.arange(3), two=np.zeros(2)), limit_bytes=MEBIBYTE) as arrays:
        assert arrays["one"].tolist() == [0, 1, 2]
        with pytest.raises(KeyError):
            arrays["three"]


def test_what_unpacks_to_the_limit_is_read_and_one_byte_more_is_not() -> None:
    data = npz(zeros=np.zeros(MEBIBYTE, np.uint8))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        unpacked = archive.infolist()[0].file_size
    with open_arrays(data, limit_bytes=unpacked) as arrays:
        assert not arrays["zeros"].any()
    with (
        pytest.raises(ValueError, match="unpacked it is larger than 1 MiB"),
        open_arrays(data, limit_bytes=unpacked - 1),
    ):
        pass


def test_nothing_is_unpickled() -> None:
    data = npz(objects=np.array([{}], object))
    with (
        pytest.raises(ValueError, match="allow_pickle"),
        open_arrays(data, limit_bytes=MEBIBYTE) as arrays,
    ):
        arrays["objects"]


@pytest.mark.parametrize("data", [b"", b"PK", b"\x93NUMPY", npz(one=np.zeros(9))[:-9]])
def test_what_is_no_npz_raises_what_is_called_damage(data: bytes) -> None:
    with pytest.raises(DAMAGE), open_arrays(data, limit_bytes=MEBIBYTE):
        pass


def test_golden_vectors_whose_compressed_bytes_are_damaged_are_refused() -> None:
    data = bytearray(npz(images=np.arange(4000, dtype=np.uint8).reshape(10, 20, 20, 1)))
    for place in range(60, 90):
        data[place] ^= 0xFF
    with pytest.raises(BundleError, match="its golden vectors cannot be read"):
        Golden.from_npz(bytes(data))
