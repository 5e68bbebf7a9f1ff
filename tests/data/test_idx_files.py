"""`idx:DIR`: the four files of MNIST and its successors."""

import gzip
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.data.datasets import DatasetSpec, idx, image_hashes, load_dataset
from edge_runtime.errors import DatasetError
from edge_runtime.files.reading import sha256

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def load(source, **options):
    return load_dataset(DatasetSpec(str(source), **options))


def idx_images(images, *, magic=0x803, announced=None):
    return struct.pack(">4I", magic, *(announced or images.shape)) + images.tobytes()


def idx_labels(labels, *, magic=0x801, announced=None):
    return struct.pack(">2I", magic, announced or len(labels)) + labels.tobytes()


def write_idx(folder, *, pack=gzip.compress, suffix=".gz", train=6, test=4):
    rng = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    for prefix, count in (("train", train), ("t10k", test)):
        images = rng.integers(0, 256, (count, 5, 3)).astype(np.uint8)
        labels = (np.arange(count) % 3).astype(np.uint8)
        (folder / f"{prefix}-images-idx3-ubyte{suffix}").write_bytes(pack(idx_images(images)))
        (folder / f"{prefix}-labels-idx1-ubyte{suffix}").write_bytes(pack(idx_labels(labels)))
    return folder


def test_idx_files_are_read_gzipped_or_not_and_with_a_dot(tmp_path):
    zipped = load(f"idx:{write_idx(tmp_path / 'zipped')}")
    plain = write_idx(tmp_path / "plain", pack=bytes, suffix="")
    dotted = write_idx(tmp_path / "dotted", pack=bytes, suffix="")
    for path in list(dotted.iterdir()):
        path.rename(path.with_name(path.name.replace("-idx", ".idx")))
    assert zipped.train.images.shape == (6, 5, 3, 1)
    assert zipped.test.labels.tolist() == [0, 1, 2, 0]
    assert zipped.class_names == ("0", "1", "2")
    rows = np.random.default_rng(0).integers(0, 256, (6, 5, 3))
    assert np.array_equal(zipped.train.images[..., 0], rows)
    for folder in (plain, dotted):
        assert load(f"idx:{folder}").fingerprint == zipped.fingerprint


def test_the_home_folder_may_be_written_as_a_tilde(tmp_path, monkeypatch):
    write_idx(tmp_path / "mnist")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(load("idx:~/mnist").train) == 6


def test_class_names_are_read_from_a_file_with_or_without_a_byte_order_mark(tmp_path):
    folder = write_idx(tmp_path / "idx")
    for text in ("cat\ndog\r\n\n  größer \n", "\ufeffcat\ndog\ngrößer"):
        (folder / "class_names.txt").write_text(text, "utf-8")
        assert load(f"idx:{folder}").class_names == ("cat", "dog", "größer")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"cat\ndog\n", "Labels must be 0 to 1, one for each class name"),
        (b"", "Labels must be"),
        (b"caf\xe9\n", "class_names.txt: the class names cannot be read"),
    ],
    ids=["too few", "none", "Latin-1"],
)
def test_class_names_that_do_not_fit_are_refused(tmp_path, data, sentence):
    folder = write_idx(tmp_path / "idx")
    (folder / "class_names.txt").write_bytes(data)
    with pytest.raises(DatasetError, match=sentence):
        load(f"idx:{folder}")


IMAGES, LABELS = np.zeros((6, 5, 3), np.uint8), np.arange(6, dtype=np.uint8)


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("images-idx3", idx_images(IMAGES, magic=0x801), "images: .*0x00000803, got 0x00000801"),
        ("images-idx3", idx_images(IMAGES, magic=0x3080000), "got 0x03080000"),
        ("labels-idx1", idx_labels(LABELS, magic=0x803), "labels: .*0x00000801, got 0x00000803"),
        ("images-idx3", idx_images(IMAGES)[:-1], "6 × 5 × 3 = 90 bytes, got 89; .*damaged"),
        ("images-idx3", idx_images(IMAGES) + b"x", "= 90 bytes, got more"),
        ("labels-idx1", idx_labels(LABELS)[:-1], "6 = 6 bytes, got 5"),
        ("images-idx3", idx_images(IMAGES, announced=(2**31, 28, 28)), "1 GiB is the limit"),
        ("images-idx3", idx_images(IMAGES)[:15], "ends within its header"),
        ("labels-idx1", b"", "ends within its header"),
        ("images-idx3", idx_images(IMAGES[:5]), "has 5 images, .*train-labels.* has 6 labels"),
        ("images-idx3", idx_images(IMAGES[:0]), "has 0 images, .*train-labels.* has 6 labels"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_damaged_idx_file_is_named_with_what_was_expected(tmp_path, name, data, sentence, pack):
    folder = write_idx(tmp_path, pack=pack, suffix=".gz" if pack is gzip.compress else "")
    (path,) = folder.glob(f"train-{name}*")
    path.write_bytes(pack(data))
    with pytest.raises(DatasetError, match=f"train-{name}.*{sentence}"):
        load(f"idx:{folder}")


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data[:5],
        lambda data: b"not gzipped at all",
        lambda data: data[:-8] + b"\0" * 8,
        lambda data: data[:12] + b"\xff" * 8 + data[20:],
    ],
    ids=["half", "header only", "text", "wrong checksum", "garbage inside"],
)
def test_a_damaged_gzip_file_is_refused(tmp_path, damage):
    path = write_idx(tmp_path) / "train-images-idx3-ubyte.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DatasetError, match=r"train-images-idx3-ubyte\.gz"):
        load(f"idx:{tmp_path}")


def test_labels_are_not_kept_before_all_files_were_unpacked_once(tmp_path):
    write_idx(tmp_path)
    count = 16 * 2**20
    images = idx_images(np.zeros((0, 1, 1), np.uint8), announced=(count, 1, 1))
    labels = idx_labels(np.zeros(0, np.uint8), announced=count)
    for prefix, missing in (("train", 0), ("t10k", 1)):
        for kind, header, cut in (("images-idx3", images, missing), ("labels-idx1", labels, 0)):
            data = gzip.compress(header + bytes(count - cut))
            (tmp_path / f"{prefix}-{kind}-ubyte.gz").write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError, match=r"t10k-images.*= 16777216 bytes, got 16777215"):
            load(f"idx:{tmp_path}")
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()


def test_a_missing_idx_file_and_a_missing_folder_are_named_with_where_to_get_them(tmp_path):
    (write_idx(tmp_path) / "t10k-labels-idx1-ubyte.gz").unlink()
    for folder, missing in ((tmp_path, "t10k-labels"), (tmp_path / "none", "train-images")):
        with pytest.raises(
            DatasetError, match=f"There is no {missing}-.*dataset-fashion-mnist has them"
        ):
            load(f"idx:{folder}")


@pytest.mark.parametrize(("train", "test", "what"), [(0, 4, "training"), (6, 0, "test")])
def test_idx_files_without_images_are_refused(tmp_path, train, test, what):
    with pytest.raises(DatasetError, match=f"has no {what} images"):
        load(f"idx:{write_idx(tmp_path, train=train, test=test)}")


def test_a_few_bytes_that_announce_gigabytes_take_no_memory(tmp_path):
    path = write_idx(tmp_path, pack=bytes, suffix="") / "train-images-idx3-ubyte"
    path.write_bytes(idx_images(IMAGES, announced=(5_000_000, 28, 28)))
    tracemalloc.start()
    with pytest.raises(DatasetError, match="announces 3,920,000,000 bytes; 1 GiB is the limit"):
        load(f"idx:{tmp_path}")
    assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    tracemalloc.stop()


def test_fashion_mnist_is_recognised_by_its_training_labels(tmp_path, monkeypatch):
    folder = write_idx(tmp_path)
    labels = bytes([0, 1, 2, 0, 1, 2])
    monkeypatch.setattr(idx, "_FASHION_MNIST_TRAIN_LABELS", sha256(labels))
    monkeypatch.setattr(idx, "_FASHION_MNIST_TRAIN_COUNT", len(labels))
    monkeypatch.setattr(idx, "_FASHION_MNIST_NAMES", ("T-shirt/top", "Trouser", "Pullover"))
    assert load(f"idx:{folder}").class_names == ("T-shirt/top", "Trouser", "Pullover")


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="the package dataset-fashion-mnist is missing")
def test_debians_fashion_mnist_has_its_names_and_contains_the_sample(sample):
    full = load(f"idx:{DEBIAN}")
    assert full.class_names == sample.class_names
    assert (len(full.train), len(full.test)) == (60_000, 10_000)
    assert np.bincount(full.test.labels).tolist() == [1000] * 10
    assert full.preprocessing == sample.preprocessing
    known = dict(zip(image_hashes(full.train.images), full.train.labels, strict=True))
    for part in (sample.train, sample.test):
        labels = [known.get(each) for each in image_hashes(part.images)]
        assert labels == part.labels.tolist()
