"""What `decode` makes of a picture, and which it refuses."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_pictures import chunk, encoded, noise, raw_png
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from edge_runtime.data.decoding import decode
from edge_runtime.data.images import Preprocessing, prepare
from edge_runtime.errors import PictureError

GREY_28 = Preprocessing(28, 28, 1, "dark")


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
