"""From a decoded picture to the pixels that a model takes, and from a file."""

import io
import os
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_pictures import encoded, noise
from PIL import Image

from edge_runtime.data.decoding import decode
from edge_runtime.data.images import (
    PICTURE_LIMIT_BYTES,
    Preprocessing,
    border_colour,
    common_background,
    fit,
    prepare,
    read_picture,
)
from edge_runtime.errors import PictureError

GREY_28 = Preprocessing(28, 28, 1, "dark")


# Exactness: what a user saves is what the model gets.


def test_every_sample_image_saved_as_png_comes_back_bit_exact_and_not_inverted(sample):
    for image in np.concatenate([sample.train.images, sample.test.images]):
        picture = prepare(decode(encoded(Image.fromarray(image[..., 0]))), sample.preprocessing)
        assert not picture.inverted
        assert np.array_equal(picture.pixels, image)


def test_every_inverted_sample_image_is_recognised_and_inverted_back(sample):
    for image in np.concatenate([sample.train.images, sample.test.images]):
        data = encoded(Image.fromarray(255 - image[..., 0]))
        picture = prepare(decode(data), sample.preprocessing)
        assert picture.inverted
        assert np.array_equal(picture.pixels, image)


@pytest.mark.parametrize(
    ("mode", "file_format"),
    [(mode, name) for name in ("PNG", "BMP") for mode in ("L", "P", "RGB", "RGBA")]
    + [("LA", "PNG")],
)
def test_a_grey_picture_is_the_same_in_any_lossless_mode(sample, mode, file_format):
    image = sample.test.images[0]
    data = encoded(Image.fromarray(image[..., 0]).convert(mode), file_format)
    assert np.array_equal(prepare(decode(data), GREY_28).pixels, image)


# Fitting.


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (1, 20000), (20000, 1), (29, 28)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_flat_picture_of_any_proportions_fills_the_input_with_its_colour(size, channels):
    preprocessing = Preprocessing(28, 28, channels)
    picture = prepare(Image.new("L", size, 77), preprocessing)
    assert picture.pixels.shape == (28, 28, channels)
    assert (picture.pixels == 77).all()


def test_proportions_are_kept_and_the_rest_gets_the_colour_of_the_border():
    wide = np.full((20, 40), 30, np.uint8)
    wide[5:15, 10:30] = 200
    fitted = np.asarray(fit(Image.fromarray(wide), (20, 20)))
    assert (fitted[:5] == 30).all()
    assert (fitted[15:] == 30).all()
    assert (fitted[8:12, 6:14] == 200).all()


def test_a_picture_of_the_right_size_is_not_resampled():
    pixels = noise(28, 28, 3)
    picture = prepare(Image.fromarray(pixels), Preprocessing(28, 28, 3), invert="no")
    assert np.array_equal(picture.pixels, pixels)


@given(
    width=st.integers(1, 60), height=st.integers(1, 60), target=st.tuples(*[st.integers(1, 40)] * 2)
)
@settings(max_examples=60, deadline=None)
def test_fitting_always_gives_the_asked_size_and_invents_no_brightness(width, height, target):
    pixels = noise(height, width, seed=width * 61 + height)
    fitted = np.asarray(fit(Image.fromarray(pixels), target))
    assert fitted.shape == (target[1], target[0])
    assert pixels.min() <= fitted.min() <= fitted.max() <= pixels.max()


def test_the_border_colour_is_the_median_of_the_outermost_ring():
    pixels = np.zeros((4, 4), np.uint8)
    pixels[0] = pixels[:, 0] = 9
    pixels[3] = 9
    assert border_colour(pixels) == 9
    assert border_colour(np.dstack([pixels, pixels + 1, pixels + 2])) == (9, 10, 11)
    assert border_colour(np.full((1, 1), 5, np.uint8)) == 5


# Inverting.


def test_auto_inverts_only_what_has_the_opposite_background():
    dark, light = Image.new("L", (28, 28), 10), Image.new("L", (28, 28), 240)
    for background, opposite in (("dark", light), ("light", dark)):
        preprocessing = Preprocessing(28, 28, 1, background)
        assert [prepare(image, preprocessing).inverted for image in (dark, light)] == [
            image is opposite for image in (dark, light)
        ]


def test_auto_never_inverts_where_the_background_of_the_training_images_varies():
    preprocessing = Preprocessing(28, 28, 1, None)
    for grey in (0, 255):
        assert not prepare(Image.new("L", (28, 28), grey), preprocessing).inverted


def test_yes_and_no_overrule_the_background():
    image = Image.new("L", (28, 28), 10)
    for invert, grey in (("yes", 245), ("no", 10)):
        picture = prepare(image, Preprocessing(28, 28, 1, "light"), invert=invert)
        assert picture.inverted == (invert == "yes")
        assert (picture.pixels == grey).all()


@pytest.mark.parametrize("invert", ["maybe", "", True, None])
def test_another_word_for_inverting_is_refused_and_not_taken_for_no(invert):
    with pytest.raises(PictureError, match="Expected invert to be 'auto', 'yes' or 'no', got"):
        prepare(Image.new("L", (28, 28)), GREY_28, invert=invert)


def test_the_background_of_the_sample_is_dark_in_both_splits(sample):
    for split in (sample.train, sample.test):
        assert common_background(split.images) == "dark"
        assert common_background(255 - split.images) == "light"


@pytest.mark.parametrize(
    ("grey", "background"),
    [(0, "dark"), (32, "dark"), (33, None), (128, None), (222, None), (223, "light")],
)
def test_a_background_is_dark_or_light_when_it_is_within_32_of_black_or_white(grey, background):
    assert common_background(np.full((3, 4, 4, 1), grey, np.uint8)) == background


def test_a_background_is_common_when_99_of_100_images_have_it():
    images = np.zeros((100, 4, 4, 1), np.uint8)
    assert common_background(images) == "dark"
    images[:1] = 255
    assert common_background(images) == "dark"
    images[:2] = 255
    assert common_background(images) is None
    assert common_background(images[:0]) is None


# Files.


def test_a_picture_file_is_read(tmp_path, sample):
    path = tmp_path / "boot.png"
    Image.fromarray(sample.test.images[3, ..., 0]).save(path)
    for source in (path, str(path)):
        assert np.array_equal(read_picture(source, GREY_28).pixels, sample.test.images[3])


def test_a_missing_picture_and_a_folder_are_named(tmp_path):
    with pytest.raises(PictureError, match=r"none.png: there is no such file\."):
        read_picture(tmp_path / "none.png", GREY_28)
    with pytest.raises(PictureError, match="it cannot be read"):
        read_picture(tmp_path, GREY_28)


def test_a_file_over_32_mib_is_refused_even_if_its_start_is_a_picture(tmp_path):
    path = tmp_path / "large.png"
    data = encoded(Image.new("L", (28, 28)))
    path.write_bytes(data)
    os.truncate(path, PICTURE_LIMIT_BYTES)
    assert (read_picture(path, GREY_28).pixels == 0).all()
    os.truncate(path, PICTURE_LIMIT_BYTES + 1)
    with pytest.raises(PictureError, match="it is larger than 32 MiB; make the picture smaller"):
        read_picture(path, GREY_28)


def test_an_endless_device_is_refused():
    with pytest.raises(PictureError, match="it is a device, not a file"):
        read_picture("/dev/zero", GREY_28)


def test_a_named_pipe_is_read_like_a_file(tmp_path, sample):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    data = encoded(Image.fromarray(sample.test.images[0, ..., 0]))
    writer = threading.Thread(target=lambda: pipe.write_bytes(data))
    writer.start()
    picture = read_picture(pipe, GREY_28)
    writer.join()
    assert np.array_equal(picture.pixels, sample.test.images[0])


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "standard input: the file is empty"),
        (bytes(PICTURE_LIMIT_BYTES + 1), "standard input: a picture may have up to 32 MiB"),
    ],
    ids=["empty", "too long"],
)
def test_bad_standard_input_is_refused(monkeypatch, data, sentence):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    with pytest.raises(PictureError, match=sentence):
        read_picture("-", GREY_28)


def test_a_picture_comes_through_standard_input(monkeypatch, sample):
    data = encoded(Image.fromarray(sample.test.images[0, ..., 0]))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert np.array_equal(read_picture("-", GREY_28).pixels, sample.test.images[0])


# The record.


@given(
    st.builds(
        Preprocessing,
        st.integers(1, 9999),
        st.integers(1, 9999),
        st.sampled_from([1, 3]),
        st.sampled_from(["dark", "light", None]),
    )
)
def test_a_preprocessing_survives_its_dictionary(preprocessing):
    assert Preprocessing.from_dict(preprocessing.to_dict()) == preprocessing


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        None,
        "text",
        {"height": 28, "width": 28},
        {"height": 28.7, "width": 28, "channels": 1},
        {"height": "28", "width": 28, "channels": 1},
        {"height": True, "width": 28, "channels": 1},
        {"height": float("inf"), "width": 28, "channels": 1},
        {"height": 0, "width": 28, "channels": 1},
        {"height": 28, "width": -28, "channels": 1},
        {"height": 28, "width": 28, "channels": 2},
        {"height": 28, "width": 28, "channels": 1, "background": "grey"},
        {"height": 28, "width": 28, "channels": 1, "background": ["dark"]},
    ],
)
def test_an_impossible_preprocessing_is_refused(document):
    with pytest.raises(PictureError):
        Preprocessing.from_dict(document)
