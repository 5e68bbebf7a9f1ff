import gzip
import json
import struct
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edge_runtime.commands.options import spec_from_options
from edge_runtime.data.datasets import Dataset, DatasetSpec, Split, idx, image_hashes, load_dataset
from edge_runtime.data.images import PICTURE_LIMIT_BYTES, read_picture
from edge_runtime.errors import DatasetError, PictureError
from edge_runtime.files.reading import sha256

FASHION_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def load(source, **options):
    return load_dataset(DatasetSpec(str(source), **options))


# The choice on the command line.


def test_folders_are_recorded_so_that_later_commands_find_them_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/someone")
    rest = dict.fromkeys(("train_size", "test_size", "image_size", "channels"))

    def recorded(dataset, data_dir):
        spec = spec_from_options({"dataset": dataset, "data_dir": data_dir, **rest}, seed=0)
        return spec.source, spec.data_dir

    assert recorded("folder:cats", None) == (f"folder:{tmp_path}/cats", None)
    assert recorded("tfds:cats", "kept") == ("tfds:cats", f"{tmp_path}/kept")
    assert recorded("tfds:cats", "~/kept") == ("tfds:cats", "/home/someone/kept")
    assert recorded("tfds:cats", "gs://bucket/kept") == ("tfds:cats", "gs://bucket/kept")


# The sample.


def test_the_sample_is_the_articles_2000_images(sample):
    assert sample.class_names == FASHION_NAMES
    assert sample.image_shape == (28, 28, 1)
    assert (len(sample.train), len(sample.test)) == (1000, 1000)
    assert sample.preprocessing.to_dict() == {
        "height": 28,
        "width": 28,
        "channels": 1,
        "background": "dark",
    }


def test_the_splits_of_the_sample_have_no_image_in_common(sample):
    hashes = [set(image_hashes(split.images)) for split in (sample.train, sample.test)]
    assert [len(each) for each in hashes] == [1000, 1000]
    assert hashes[0].isdisjoint(hashes[1])


def test_sizes_take_the_first_images(sample):
    limited = load("sample", train_size=100, test_size=10)
    assert np.array_equal(limited.train.images, sample.train.images[:100])
    assert np.array_equal(limited.train.labels, sample.train.labels[:100])
    assert np.array_equal(limited.test.images, sample.test.images[:10])


def test_images_that_are_stored_as_pixels_are_named_by_their_pixels(sample):
    limited = load("sample", test_size=10)
    assert sample.test.source_sha256 is None
    assert limited.test.image_sha256().tolist() == image_hashes(sample.test.images[:10]).tolist()


@pytest.mark.parametrize("size", [0, -1, 1001])
@pytest.mark.parametrize(("option", "what"), [("train_size", "training"), ("test_size", "test")])
def test_an_impossible_size_is_refused(option, what, size):
    with pytest.raises(DatasetError, match=f"1000 {what} images; {size} of them.*1 to 1000"):
        load("sample", **{option: size})


def test_training_images_of_one_class_are_refused():
    with pytest.raises(DatasetError, match="All training images of 'sample' are of one class"):
        load("sample", train_size=1)


# Sources.


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("smple", " Did you mean 'sample'?"),
        ("Fashion-MNIST", " Did you mean 'fashion_mnist'?"),
        ("foldr:pictures", " Did you mean 'folder'?"),
        ("cifar10", ""),
        ("", ""),
        ("idx", ""),
        ("folder:", ""),
        ("sample:", ""),
        ("sample:other", ""),
        ("fashion_mnist:x", ""),
    ],
)
def test_an_unknown_source_is_refused_and_the_nearest_offered(source, hint):
    with pytest.raises(DatasetError) as caught:
        load(source)
    assert str(caught.value) == (
        f"There is no dataset '{source}'; expected sample, fashion_mnist, tfds:NAME, idx:DIR, "
        f"folder:DIR or images:FILE.{hint}"
    )


@given(
    st.builds(
        DatasetSpec,
        source=st.text(),
        train_size=st.none() | st.integers(1),
        test_size=st.none() | st.integers(1),
        seed=st.integers(0),
        image_size=st.none() | st.tuples(st.integers(1), st.integers(1)),
        channels=st.sampled_from([None, 1, 3]),
        data_dir=st.none() | st.text(),
    )
)
def test_a_spec_survives_json(spec):
    assert DatasetSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


@pytest.mark.parametrize(
    "document", [{"surce": "sample"}, {"image_size": [28]}, {"image_size": 28}, 7, None]
)
def test_a_damaged_spec_is_refused(document):
    with pytest.raises(DatasetError, match="The recorded dataset cannot be read"):
        DatasetSpec.from_dict(document)


# What a dataset is.


def test_the_fingerprint_of_the_sample_never_changes(sample):
    # Runs record it: another value would make every run that exists refuse its own images.
    assert sample.fingerprint == "bdd299097c4f5ebb90bf3e9bb909861a534203669f2feb28efe9abefc5d09aee"
    assert load("sample", train_size=1000).fingerprint == sample.fingerprint


def test_the_fingerprint_changes_with_any_pixel_label_name_order_or_split(sample):
    def changed(split, images=None, labels=None):
        return Split(
            split.images if images is None else images, split.labels if labels is None else labels
        )

    pixels = sample.test.images.copy()
    pixels[-1, -1, -1] ^= 1
    labels = sample.train.labels.copy()
    labels[0] = (labels[0] + 1) % 10
    others = [
        replace(sample, test=changed(sample.test, images=pixels)),
        replace(sample, train=changed(sample.train, labels=labels)),
        replace(sample, class_names=(*FASHION_NAMES[:9], "Boot")),
        replace(sample, train=Split(sample.train.images[::-1], sample.train.labels[::-1])),
        replace(sample, train=sample.test, test=sample.train),
        load("sample", train_size=999),
    ]
    assert len({sample.fingerprint, *(other.fingerprint for other in others)}) == 7
    assert replace(sample, name="another name").fingerprint == sample.fingerprint


def test_an_images_hash_is_the_sha256_of_its_pixels(sample):
    hashes = image_hashes(sample.test.images[:2])
    assert hashes.dtype == "S64"
    assert hashes[1].decode() == sha256(sample.test.images[1].tobytes())
    assert np.array_equal(
        image_hashes(sample.test.images[:4][::2]), image_hashes(sample.test.images[[0, 2]])
    )


def split(count, *, shape=(4, 4, 1), dtype=np.uint8, label=0):
    return Split(np.zeros((count, *shape), dtype), np.full(count, label, np.int64))


@pytest.mark.parametrize(
    ("train", "test", "sentence"),
    [
        (split(2, dtype=np.float32), split(1), r"must be \(N, H, W, C\) uint8, got .* float32"),
        (split(2, shape=(4, 4)), split(1), r"must be \(N, H, W, C\) uint8"),
        (split(2, label=2), split(1), "Labels must be 0 to 1.* got 2 to 2"),
        (split(2), split(1, label=-1), "Labels must be 0 to 1.* got -1 to -1"),
        (split(2), split(1, shape=(5, 4, 1)), "they must have the same size"),
        (Split(split(2).images, np.zeros(3, np.int64)), split(1), "2 images and .* labels"),
    ],
)
def test_a_dataset_that_does_not_fit_together_is_refused(train, test, sentence):
    with pytest.raises(DatasetError, match=sentence):
        Dataset("made up", ("a", "b"), train, test)


def test_images_that_are_neither_grey_nor_rgb_have_no_preprocessing():
    dataset = Dataset("made up", ("a", "b"), *[split(1, shape=(4, 4, 2))] * 2)
    with pytest.raises(PictureError, match="1 or 3"):
        _ = dataset.preprocessing


# IDX.


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
    assert full.class_names == FASHION_NAMES
    assert (len(full.train), len(full.test)) == (60_000, 10_000)
    assert np.bincount(full.test.labels).tolist() == [1000] * 10
    assert full.preprocessing == sample.preprocessing
    known = dict(zip(image_hashes(full.train.images), full.train.labels, strict=True))
    for part in (sample.train, sample.test):
        labels = [known.get(each) for each in image_hashes(part.images)]
        assert labels == part.labels.tolist()


# Folders of pictures.


def write_pictures(folder, counts, *, size=(6, 4), mode="L", suffix=".png"):
    """A folder for each class with so many pictures, each of a brightness of its own."""
    brightness = 0
    for name, count in counts.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            brightness += 1
            picture = Image.new("L", size, brightness).convert(mode)
            picture.save(folder / name / f"{number:03d}{suffix}")
    return folder


def brightnesses(part):
    return part.images[:, 0, 0, 0].tolist()


def test_a_folder_with_train_and_test_is_taken_as_it_is(tmp_path):
    write_pictures(tmp_path / "train", {"dog": 3, "cat": 2})
    write_pictures(tmp_path / "test", {"cat": 1, "dog": 1})
    dataset = load(f"folder:{tmp_path}")
    assert dataset.class_names == ("cat", "dog")
    assert dataset.image_shape == (4, 6, 1)
    found = dict(zip(brightnesses(dataset.train), dataset.train.labels.tolist(), strict=True))
    assert found == {1: 1, 2: 1, 3: 1, 4: 0, 5: 0}
    assert sorted(brightnesses(dataset.test)) == [1, 2]


def test_a_folder_without_a_split_is_split_by_class_and_no_picture_is_on_both_sides(tmp_path):
    write_pictures(tmp_path, {"cat": 30, "dog": 10, "bird": 2})
    dataset = load(f"folder:{tmp_path}")
    assert dataset.class_names == ("bird", "cat", "dog")
    assert np.bincount(dataset.train.labels).tolist() == [1, 24, 8]
    assert np.bincount(dataset.test.labels).tolist() == [1, 6, 2]
    assert sorted(brightnesses(dataset.train) + brightnesses(dataset.test)) == list(range(1, 43))


def test_the_split_follows_the_seed_and_nothing_else(tmp_path):
    write_pictures(tmp_path, {"cat": 20, "dog": 20})
    first, again, other = (load(f"folder:{tmp_path}", seed=seed) for seed in (1, 1, 2))
    assert first.fingerprint == again.fingerprint
    assert set(brightnesses(first.test)) != set(brightnesses(other.test))
    # Not the folder's name, nor the order in which a file system lists it.
    moved = tmp_path.rename(tmp_path.with_name("elsewhere"))
    assert load(f"folder:{moved}", seed=1).fingerprint == first.fingerprint


def test_the_first_images_are_of_all_classes(tmp_path):
    write_pictures(tmp_path, dict.fromkeys("abcd", 20))
    limited = load(f"folder:{tmp_path}", train_size=32)
    assert set(limited.train.labels) == {0, 1, 2, 3}


def test_pictures_are_named_by_their_files_whatever_size_they_are_read_in(tmp_path):
    write_pictures(tmp_path, {"cat": 5, "dog": 5})
    small, large = (load(f"folder:{tmp_path}", image_size=size) for size in ((2, 3), (8, 9)))
    files = {sha256(path.read_bytes()).encode() for path in tmp_path.glob("*/*.png")}
    named = [*large.train.image_sha256().tolist(), *large.test.image_sha256().tolist()]
    assert set(named) == files
    assert small.test.image_sha256().tolist() == large.test.image_sha256().tolist()
    assert not np.isin(image_hashes(small.test.images), image_hashes(large.test.images)).any()


def test_each_name_stays_with_its_picture_in_a_shuffled_and_limited_split(tmp_path):
    write_pictures(tmp_path, {"cat": 20, "dog": 20})
    limited = load(f"folder:{tmp_path}", train_size=7).train
    expected = {
        int(np.asarray(Image.open(path))[0, 0]): sha256(path.read_bytes()).encode()
        for path in tmp_path.glob("*/*.png")
    }
    assert limited.image_sha256().tolist() == [expected[each] for each in brightnesses(limited)]


def test_a_hash_for_each_file_or_none_at_all():
    part = Split(split(2).images, split(2).labels, np.array([b"a" * 64]))
    with pytest.raises(DatasetError, match=r"2 images and \(1,\) hashes of files"):
        Dataset("x", ("a", "b"), train=part, test=split(1))


def test_hidden_files_and_folders_and_other_files_are_ignored(tmp_path):
    write_pictures(tmp_path, {"cat": 4, "dog": 4, ".cache": 4, "cat/.thumbnails": 4})
    write_pictures(tmp_path, {"dog/more": 2}, suffix=".JPG")
    (tmp_path / "cat" / "._000.png").write_bytes(b"of a Mac")
    (tmp_path / "cat" / "notes.txt").write_text("none")
    (tmp_path / "cat" / "folder.png").mkdir()
    (tmp_path / "readme.png").write_bytes(b"none")
    dataset = load(f"folder:{tmp_path}")
    assert dataset.class_names == ("cat", "dog")
    assert len(dataset.train) + len(dataset.test) == 4 + 6


def test_a_hidden_folder_above_the_dataset_hides_nothing(tmp_path):
    write_pictures(tmp_path / ".data", {"cat": 2, "dog": 2})
    assert len(load(f"folder:{tmp_path / '.data'}").train) == 2


def test_grey_and_coloured_pictures_together_are_rgb_unless_asked_otherwise(tmp_path):
    write_pictures(tmp_path, {"cat": 4})
    write_pictures(tmp_path, {"dog": 4}, mode="RGB")
    assert load(f"folder:{tmp_path}").image_shape == (4, 6, 3)
    assert load(f"folder:{tmp_path}", channels=1).image_shape == (4, 6, 1)
    write_pictures(tmp_path, {"dog": 4}, mode="LA")
    assert load(f"folder:{tmp_path}").image_shape == (4, 6, 1)


def test_different_sizes_are_refused_without_an_image_size_and_fitted_with_one(tmp_path):
    write_pictures(tmp_path, {"cat": 4})
    write_pictures(tmp_path, {"dog": 4}, size=(8, 8))
    with pytest.raises(
        DatasetError, match=r"000.png is 8 × 8, the pictures before it are 6 × 4; .*--image-size"
    ):
        load(f"folder:{tmp_path}")
    assert load(f"folder:{tmp_path}", image_size=(3, 5)).image_shape == (3, 5, 1)


@pytest.mark.parametrize("channels", [1, 3, None])
def test_training_pixels_are_those_that_the_classifier_gets_from_the_same_file(tmp_path, channels):
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number, shape in enumerate([(9, 14, 3), (14, 9), (5, 5, 3), (30, 40)]):
            pixels = rng.integers(0, 256, shape).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    dataset = load(f"folder:{tmp_path}", image_size=(8, 8), channels=channels)
    trained = set(image_hashes(np.concatenate([dataset.train.images, dataset.test.images])))
    preprocessing = replace(dataset.preprocessing, background=None)
    read = [read_picture(path, preprocessing).pixels for path in tmp_path.rglob("*.png")]
    assert trained == set(image_hashes(np.array(read)))


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"There is no folder .*none"):
        load(f"folder:{tmp_path / 'none'}")


@pytest.mark.parametrize(
    ("counts", "found"), [({}, "none"), ({"cat": 3}, "only 'cat'"), ({"cat": 3, ".x": 3}, "only")]
)
def test_fewer_than_two_classes_are_refused(tmp_path, counts, found):
    write_pictures(tmp_path, counts)
    with pytest.raises(DatasetError, match=f"two classes or more in .*, found {found}"):
        load(f"folder:{tmp_path}")


@pytest.mark.parametrize("count", [0, 1])
def test_a_class_too_small_to_be_split_is_named(tmp_path, count):
    write_pictures(tmp_path, {"cat": 3, "dog": count})
    with pytest.raises(DatasetError, match=f"The class 'dog' has {count} pictures; a split"):
        load(f"folder:{tmp_path}")


def test_a_class_without_training_pictures_is_named(tmp_path):
    write_pictures(tmp_path / "train", {"cat": 2, "dog": 0})
    write_pictures(tmp_path / "test", {"cat": 2, "dog": 2})
    with pytest.raises(DatasetError, match="The class 'dog' has no training pictures"):
        load(f"folder:{tmp_path}")


def test_a_class_that_only_the_test_split_has_is_refused(tmp_path):
    write_pictures(tmp_path / "train", {"cat": 2, "dog": 2})
    write_pictures(tmp_path / "test", {"cat": 2, "cow": 2})
    with pytest.raises(DatasetError, match="has a class 'cow' that the training split has not"):
        load(f"folder:{tmp_path}")


def test_a_class_that_only_the_training_split_has_is_taken(tmp_path):
    write_pictures(tmp_path / "train", {"cat": 2, "dog": 2})
    write_pictures(tmp_path / "test", {"cat": 2})
    assert load(f"folder:{tmp_path}").class_names == ("cat", "dog")


def test_a_test_folder_without_pictures_is_refused(tmp_path):
    write_pictures(tmp_path / "train", {"cat": 2, "dog": 2})
    write_pictures(tmp_path / "test", {"cat": 0})
    with pytest.raises(DatasetError, match="has no test images"):
        load(f"folder:{tmp_path}")


@pytest.mark.parametrize(
    ("size", "reason"),
    [(0, "the file is empty"), (50, "damaged"), (PICTURE_LIMIT_BYTES + 1, "larger than 32 MiB")],
)
def test_a_damaged_or_too_large_picture_is_named(tmp_path, size, reason):
    path = write_pictures(tmp_path, {"cat": 3, "dog": 3}) / "cat" / "001.png"
    with path.open("r+b") as file:
        file.truncate(size)
    with pytest.raises(DatasetError, match=f"cat/001.png: .*{reason}.* Fix or remove it"):
        load(f"folder:{tmp_path}")


@pytest.mark.parametrize(
    "source", ["folder:circle", "idx:circle", "images:circle", "folder:~no-one"]
)
def test_a_source_that_leads_nowhere_is_one_sentence(
    cli, tiny_model, tmp_path, monkeypatch, source
):
    monkeypatch.chdir(tmp_path)
    Path("circle").symlink_to("circle")
    done = cli("predict", tiny_model("int8"), "--dataset", source)
    assert done.code == 1
    assert done.err.startswith("Error: ")
    assert "This should not have happened" not in done.err
