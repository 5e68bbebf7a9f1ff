import io
import os
import struct
import threading
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

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


def encoded(image, file_format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def raw_png(width, height, *, depth, colour, rows, extra=b""):
    """A PNG with exactly these header fields, whatever its rows hold."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(rows, 1))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + body + chunk(b"IEND", b"")


def noise(height, width, *channels, seed=0):
    values = np.random.default_rng(seed).integers(0, 256, (height, width, *channels))
    return values.astype(np.uint8)


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


# Modes.


@pytest.mark.parametrize(
    ("mode", "decoded"),
    [("1", "L"), ("L", "L"), ("LA", "L"), ("P", "RGB"), ("RGB", "RGB"), ("RGBA", "RGB")],
)
def test_a_picture_is_decoded_to_grey_or_colour(mode, decoded):
    image = decode(encoded(Image.new("RGB", (3, 2), (255, 255, 255)).convert(mode)))
    assert (image.mode, image.size) == (decoded, (3, 2))
    assert set(image.tobytes()) == {255}


def test_transparent_parts_become_white():
    rgba = Image.new("RGBA", (2, 1), (10, 20, 30, 255))
    rgba.putpixel((1, 0), (10, 20, 30, 0))
    assert list(decode(encoded(rgba)).tobytes()) == [10, 20, 30, 255, 255, 255]


def test_a_transparent_palette_entry_becomes_white():
    palette = Image.new("P", (2, 1), 0)
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putpixel((1, 0), 1)
    assert list(decode(encoded(palette)).tobytes()) == [10, 20, 30, 40, 50, 60]
    data = encoded(palette, transparency=1)
    assert list(decode(data).tobytes()) == [10, 20, 30, 255, 255, 255]


@pytest.mark.parametrize(
    ("depth", "rows", "key", "grey"),
    [
        (1, b"\x00\x40", 0, [255, 255]),
        (8, b"\x00\x12\x34", 0x12, [255, 0x34]),
        (16, b"\x00\x12\x34\x56\x78", 0x1234, [255, 0x56]),
    ],
    ids=["1 bit", "8 bits", "16 bits"],
)
def test_the_transparent_grey_of_a_png_becomes_white_at_every_depth(depth, rows, key, grey):
    extra = chunk(b"tRNS", struct.pack(">H", key))
    image = decode(raw_png(2, 1, depth=depth, colour=0, rows=rows, extra=extra))
    assert image.mode == "L"
    assert list(image.tobytes()) == grey


def test_sixteen_bit_grey_keeps_its_upper_eight_bits():
    deep = np.array([[0, 255, 256, 0x8000, 0xFFFF]], np.uint16)
    assert list(decode(encoded(Image.fromarray(deep))).tobytes()) == [0, 0, 1, 0x80, 0xFF]


def test_sixteen_bit_colour_keeps_its_upper_eight_bits():
    rows = b"\0" + struct.pack(">HHH", 0x8000, 0xFFFF, 0x00FF)
    assert list(decode(raw_png(1, 1, depth=16, colour=2, rows=rows)).tobytes()) == [128, 255, 0]


def test_a_cmyk_jpeg_becomes_rgb():
    image = decode(encoded(Image.new("RGB", (8, 8), (200, 100, 50)).convert("CMYK"), "JPEG"))
    assert image.mode == "RGB"
    # JPEG is lossy, by a few levels on a flat colour.
    assert np.abs(np.asarray(image).astype(int) - (200, 100, 50)).max() <= 3


def test_of_an_animated_png_the_first_frame_counts():
    frames = [Image.new("L", (2, 1), value) for value in (11, 99)]
    data = encoded(frames[0], save_all=True, append_images=frames[1:])
    assert list(decode(data).tobytes()) == [11, 11]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_upright_as_its_exif_says(orientation):
    upright = noise(6, 4)
    # What a camera stores when it was held so; the inverse of the turn of that number.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright, 1),
        7: upright.T[::-1, ::-1],
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x112] = orientation
    data = encoded(Image.fromarray(np.ascontiguousarray(stored)), exif=exif)
    assert np.array_equal(np.asarray(decode(data)), upright)


def test_an_impossible_exif_orientation_is_ignored():
    exif = Image.Exif()
    exif[0x112] = 99
    assert decode(encoded(Image.new("L", (4, 2)), exif=exif)).size == (4, 2)


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


# Hostile and damaged.


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "the file is empty; expected a PNG, JPEG or BMP picture"),
        (b"\x00", "this is not a PNG, JPEG or BMP picture"),
        (b"I am a text file.\n" * 40, "this is not a PNG, JPEG or BMP picture"),
        (b"\x89PNG\r\n\x1a\n", "this is not a PNG, JPEG or BMP picture"),
        (b"GIF89a" + bytes(100), "this is not a PNG, JPEG or BMP picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "this is not a PNG, JPEG or BMP picture"),
    ],
    ids=["empty", "one byte", "text", "header only", "gif", "svg"],
)
def test_what_is_no_picture_is_refused(data, sentence):
    with pytest.raises(PictureError, match=f"^boot.png: {sentence}"):
        decode(data, name="boot.png")


@pytest.mark.parametrize("file_format", ["GIF", "TIFF", "WEBP", "PPM", "ICO"])
def test_other_formats_are_refused_even_though_pillow_could_read_them(file_format):
    with pytest.raises(PictureError, match="not a PNG, JPEG or BMP"):
        decode(encoded(Image.new("RGB", (16, 16)), file_format))


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "BMP"])
def test_a_picture_cut_anywhere_in_its_pixels_is_refused(file_format):
    data = encoded(Image.fromarray(noise(40, 40)), file_format)
    for kept in range(0, len(data) * 9 // 10, 97):
        with pytest.raises(PictureError):
            decode(data[:kept])


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_flipped_bytes_give_a_picture_or_a_picture_error_and_nothing_else(data):
    file_format = data.draw(st.sampled_from(["PNG", "JPEG", "BMP"]))
    damaged = bytearray(encoded(Image.fromarray(noise(12, 12, 3)), file_format))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        image = decode(bytes(damaged))
    except PictureError:
        return
    assert image.mode in ("L", "RGB")


@pytest.mark.parametrize(
    ("side", "sentence"),
    [
        (6_404, "the picture is damaged"),
        (20_000, "a picture may have up to 50 megapixels"),
        (2**31 - 1, "a picture may have up to 50 megapixels"),
    ],
)
def test_a_bmp_whose_header_lies_about_its_size_is_refused_before_memory_is_taken(side, sentence):
    data = encoded(Image.new("L", (4, 4)), "BMP")
    lying = data[:18] + struct.pack("<ii", side, side) + data[26:]
    with pytest.raises(PictureError, match=sentence):
        decode(lying)


def test_a_small_png_that_unpacks_to_51_megapixels_is_refused():
    bomb = raw_png(51_000, 1_000, depth=1, colour=0, rows=bytes(6_376 * 1_000))
    assert len(bomb) < 40_000
    with pytest.raises(PictureError, match="this one has 51000 × 1000 = 51; scale it down first"):
        decode(bomb)


def test_a_picture_of_exactly_50_megapixels_is_taken():
    data = raw_png(50_000, 1_000, depth=1, colour=0, rows=bytes(6_251 * 1_000))
    picture = prepare(decode(data), GREY_28)
    assert (picture.pixels == 0).all()


@pytest.mark.parametrize("size", [(1, 40_000_000), (65_536, 1), (1, 65_536)])
def test_a_picture_longer_than_a_jpeg_can_be_is_refused(size):
    data = raw_png(*size, depth=8, colour=0, rows=b"")
    with pytest.raises(PictureError, match="up to 65,535 pixels on a side"):
        decode(data)


@pytest.mark.filterwarnings("error")
def test_a_picture_over_pillows_own_limit_gets_the_same_sentence_when_warnings_are_errors():
    with pytest.raises(PictureError, match="a picture may have up to 50 megapixels"):
        decode(raw_png(10_000, 10_000, depth=8, colour=0, rows=b""))


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_a_text_or_a_profile_that_unpacks_to_much_is_not_unpacked(kind):
    text = chunk(kind, b"Comment\0\0" + zlib.compress(bytes(70 * 2**20), 1))
    image = decode(raw_png(1, 1, depth=8, colour=0, rows=b"\0\7", extra=text))
    assert image.getpixel((0, 0)) == 7


def test_running_out_of_memory_is_not_called_a_damaged_picture(monkeypatch):
    def exhausted(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr(PngImageFile, "load", exhausted)
    with pytest.raises(PictureError, match="not enough memory to decode it; scale it down first"):
        decode(encoded(Image.new("L", (4, 4))))


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
