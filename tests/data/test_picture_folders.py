"""`folder:DIR`: a folder of pictures for each class."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from edge_runtime.data.datasets import DatasetSpec, image_hashes, load_dataset
from edge_runtime.data.images import PICTURE_LIMIT_BYTES, read_picture
from edge_runtime.errors import DatasetError
from edge_runtime.files.reading import sha256


def load(source, **options):
    return load_dataset(DatasetSpec(str(source), **options))


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
