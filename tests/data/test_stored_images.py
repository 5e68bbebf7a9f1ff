"""`images:FILE`: the test images of any dataset, as a device reads them."""

import contextlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_runtime.data.datasets import Dataset, DatasetSpec, load_dataset
from edge_runtime.data.datasets.stored import load_stored, stored_images
from edge_runtime.errors import DatasetError
from edge_runtime.inference.evaluation import predict_file


def load(path, **options):
    return load_dataset(DatasetSpec(f"images:{path}", **options), needs=("test",))


@pytest.fixture
def stored(sample: Dataset, tmp_path: Path) -> Path:
    path = tmp_path / "sample.images.npz"
    path.write_bytes(stored_images(sample))
    return path


def test_what_is_stored_is_what_predict_needs_and_the_same_bytes_each_time(sample, stored):
    again = load(stored)
    assert np.array_equal(again.test.images, sample.test.images)
    assert np.array_equal(again.test.labels, sample.test.labels)
    assert np.array_equal(again.test.image_sha256(), sample.test.image_sha256())
    assert (again.name, again.class_names) == ("sample", sample.class_names)
    assert again.fingerprint == sample.fingerprint
    assert again.image_shape == sample.image_shape
    assert stored_images(again) == stored.read_bytes() == stored_images(sample)


def test_pictures_keep_the_hash_of_their_file(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(4):
            grey = np.full((9, 9), 40 * number + len(name), np.uint8)
            Image.fromarray(grey).save(tmp_path / "pictures" / name / f"{number}.png")
    folder = load_dataset(DatasetSpec(f"folder:{tmp_path}/pictures", image_size=(8, 8)))
    (tmp_path / "a.images.npz").write_bytes(stored_images(folder))
    again = load(tmp_path / "a.images.npz")
    assert np.array_equal(again.test.image_sha256(), folder.test.image_sha256())
    assert np.array_equal(again.test.images, folder.test.images)


def test_predictions_are_those_of_the_dataset_itself(sample, stored, tiny_model):
    small = load(stored, test_size=5)
    pixels = Dataset(
        "sample",
        tuple(str(index) for index in range(10)),
        *(
            type(split)(split.images[:5, :8, :8].copy(), split.labels[:5])
            for split in (sample.train, small.test)
        ),
    )
    stored.write_bytes(stored_images(pixels))
    ours, theirs = (predict_file(tiny_model("int8"), one) for one in (pixels, load(stored)))
    assert np.array_equal(ours.probabilities, theirs.probabilities)
    for key in ("dataset", "dataset_fingerprint", "split"):
        assert ours.details[key] == theirs.details[key]


def test_fewer_images_are_another_dataset(sample, stored):
    few = load(stored, test_size=10)
    assert len(few.test) == 10
    assert few.fingerprint != sample.fingerprint


def test_training_on_it_is_refused(stored):
    with pytest.raises(DatasetError, match="'sample' has no training images"):
        load_dataset(DatasetSpec(f"images:{stored}"))


def changed(path, **changes):
    with np.load(path) as arrays:
        header = json.loads(str(arrays["header"]))
        content = {**arrays}
    header.update(changes.pop("header", {}))
    content = {**content, "header": np.array(json.dumps(header)), **changes}
    np.savez_compressed(path, **content)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"header": {"schema_version": 2}}, "schema version is 2"),
        ({"images": np.zeros((1000, 28, 28, 1), np.float32)}, "float32"),
        ({"images": np.zeros((1000, 28, 28), np.uint8)}, "28"),
        ({"images": np.zeros((9, 28, 28, 1), np.uint8)}, "9 images"),
        ({"labels": np.full(1000, 10)}, "Labels must be 0 to 9"),
        ({"labels": np.zeros(1000)}, "float64"),
        ({"source_sha256": np.zeros(3, "S64")}, "hashes"),
        ({"header": {"class_names": None}}, "names no classes"),
    ],
)
def test_what_cannot_be_true_is_refused_with_one_sentence(stored, changes, reason):
    changed(stored, **changes)
    with pytest.raises(DatasetError, match=reason) as caught:
        load(stored)
    assert "\n" not in str(caught.value)


def test_damage_anywhere_is_refused_or_changes_nothing(sample, stored):
    whole = stored.read_bytes()
    rng = np.random.default_rng(0)
    for at in rng.integers(0, len(whole), 60):
        stored.write_bytes(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :])
        with contextlib.suppress(DatasetError):
            assert np.array_equal(load(stored).test.images, sample.test.images)
    for end in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        stored.write_bytes(whole[:end])
        with pytest.raises(DatasetError, match="copy the file again"):
            load(stored)


def test_pickles_and_bombs_are_never_unpacked(stored):
    np.savez(stored, header=np.array([{}], object), images=np.zeros(1), labels=np.zeros(1))
    with pytest.raises(DatasetError, match="not one of plain numbers or text"):
        load(stored)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", b"0" * 1024)
        archive.infolist()[0].file_size = 2**33
    stored.write_bytes(buffer.getvalue())
    with pytest.raises(DatasetError, match="stored in another way than NumPy does"):
        load(stored)


def test_a_missing_file_is_said_so(tmp_path):
    with pytest.raises(DatasetError, match="There is no file"):
        load_stored(DatasetSpec(f"images:{tmp_path}/none.npz"))
