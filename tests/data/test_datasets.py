"""The sample, sources of datasets, and what a dataset is."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.commands.options import spec_from_options
from edge_runtime.data.datasets import Dataset, DatasetSpec, Split, image_hashes, load_dataset
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


def test_a_hash_for_each_file_or_none_at_all():
    part = Split(split(2).images, split(2).labels, np.array([b"a" * 64]))
    with pytest.raises(DatasetError, match=r"2 images and \(1,\) hashes of files"):
        Dataset("x", ("a", "b"), train=part, test=split(1))


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
