"""The layout of a picture file: what is refused before it is decoded, and what is left out."""

import io
import struct
import zlib

import numpy as np
import pytest
from made_pictures import chunk, encoded, raw_png
from PIL import Image

from edge_runtime.data.decoding import decode, read_layout
from edge_runtime.data.decoding.orientation import exif_orientation, xmp_orientation
from edge_runtime.data.decoding.reduction import MOST_PIXELS
from edge_runtime.errors import PictureError

SIXTH = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
COLOURS = np.random.default_rng(0).integers(0, 256, (24, 16, 3)).astype(np.uint8)


def jpeg(size=(64, 48), mode="RGB", **options):
    return encoded(Image.linear_gradient("L").resize(size).convert(mode), "JPEG", **options)


def segment(marker, body):
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


@pytest.mark.parametrize(
    "exif", [b"", b"Exif", b"MM\0*\xff\xff\xff\xff", SIXTH[:-12], b"\xff" * 99]
)
def test_bad_exif_is_no_reason_to_refuse_a_picture(exif, recwarn):
    image = Image.fromarray(COLOURS)
    png = encoded(image)
    with_exif = png[:33] + chunk(b"eXIf", exif) + png[33:]
    assert np.array_equal(np.asarray(decode(with_exif)), COLOURS)
    plain = encoded(image, "JPEG")
    with_exif = plain[:2] + segment(0xE1, b"Exif\0\0" + exif) + plain[2:]
    assert decode(with_exif).tobytes() == decode(plain).tobytes()
    assert not recwarn.list


def test_the_orientation_is_read_from_exif_alone():
    assert exif_orientation(SIXTH) == 6
    assert exif_orientation(b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0") == 3
    for value in (0, 9, 65_535):
        assert exif_orientation(SIXTH[:18] + struct.pack("<H", value) + SIXTH[20:]) == 1


@pytest.mark.parametrize(("kind", "number"), [(4, "I"), (8, "h"), (9, "i")])
@pytest.mark.parametrize("order", ["<", ">"])
def test_an_orientation_may_be_any_whole_number_as_some_programs_write_it(kind, number, order):
    start = {"<": b"II*\0\x08\0\0\0", ">": b"MM\0*\0\0\0\x08"}[order]
    entry = struct.pack(f"{order}HHHI{number}", 1, 0x112, kind, 1, 6)
    assert exif_orientation(start + entry + bytes(8)) == 6


def test_where_no_orientation_is_stated_xmp_is_asked_but_not_where_one_is():
    assert exif_orientation(b"") == exif_orientation(b"II*\0\x08\0\0\0\0\0") == 0
    assert xmp_orientation(b"<x/>") == 0
    upright = b"Exif\0\0" + SIXTH[:18] + b"\x01" + SIXTH[19:]
    xmp = b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="6"/>'
    data = jpeg()
    both = segment(0xE1, upright) + segment(0xE1, xmp)
    assert read_layout(data[:2] + both + data[2:]).orientation == 1
    assert read_layout(data[:2] + segment(0xE1, xmp) + data[2:]).orientation == 6


def test_of_two_blocks_of_exif_the_first_counts_and_none_behind_the_pixels():
    exif = [segment(0xE1, b"Exif\0\0" + SIXTH[:18] + bytes([n]) + SIXTH[19:]) for n in (6, 3)]
    data = jpeg()
    assert read_layout(data[:2] + b"".join(exif) + data[2:]).orientation == 6
    assert read_layout(data[:-2] + exif[0] + data[-2:]).orientation == 1


def _raw_profile(exif):
    return b"\nexif\n%8d\n%b\n" % (len(exif), exif.hex().encode())


@pytest.mark.parametrize(
    "chunks",
    [
        chunk(b"eXIf", b"Exif\0\0" + SIXTH),
        chunk(b"eXIf", b"II*\0" + struct.pack("<I", 100_008) + bytes(100_000) + SIXTH[8:]),
        chunk(b"tEXt", b"Raw profile type exif\0" + _raw_profile(b"Exif\0\0" + SIXTH)),
        chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(_raw_profile(SIXTH))),
        chunk(
            b"iTXt",
            b"XML:com.adobe.xmp\0\0\0\0\0" + b" " * 100_000 + b'<x tiff:Orientation="6"/>',
        ),
    ],
)
def test_a_png_is_turned_wherever_a_program_wrote_how_it_is_held(chunks):
    data = encoded(Image.fromarray(COLOURS))
    assert read_layout(data[:33] + chunks + data[33:]).orientation == 6


@pytest.mark.parametrize("text", [b"\0x", b"\0" + zlib.compress(b"a\nb\nc\nxy"), b""])
def test_a_broken_profile_in_a_text_says_nothing(text):
    data = encoded(Image.fromarray(COLOURS))
    broken = chunk(b"zTXt", b"Raw profile type exif\0" + text)
    assert np.array_equal(np.asarray(decode(data[:33] + broken + data[33:])), COLOURS)


def test_the_last_word_on_colours_counts_whatever_stands_before_it():
    data = jpeg(keep_rgb=True, quality=95)
    adobe = data.index(b"\xff\xee")
    colours = decode(data).tobytes()
    for other in (b"Other\0\x64\0\0\0\0\1", b"Adobe\0\x64\0\0\0\0\1"):
        twice = data[:adobe] + segment(0xEE, other) + data[adobe:]
        assert decode(twice).tobytes() == colours


def test_a_broken_index_of_further_pictures_is_left_out_without_a_warning(recwarn):
    plain = jpeg()
    broken = plain[:2] + segment(0xE2, b"MPF\0II*\0\x08\0\0\0\xff\xff") + plain[2:]
    assert decode(broken).tobytes() == decode(plain).tobytes()
    assert not recwarn.list


def test_a_jpeg_of_hundreds_of_scans_is_refused_before_it_is_decoded():
    data = jpeg(progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    assert decode(data[:-2] + scan * 50 + b"\xff\xd9").size == (64, 48)
    with pytest.raises(PictureError, match=r"it has \d+ scans of 64 × 48 pixels"):
        decode(data[:-2] + scan * 200 + b"\xff\xd9")


@pytest.mark.parametrize(("options", "taken"), [({}, 24_000_000), ({"subsampling": 0}, 48_000_000)])
def test_what_the_coefficients_of_several_scans_take_is_known_before(options, taken):
    data = bytearray(jpeg(progressive=True, **options))
    frame = data.index(b"\xff\xc2")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 2000, 4000)
    layout = read_layout(bytes(data))
    assert (layout.width, layout.height) == (4000, 2000)
    assert layout.unchecked_bytes == pytest.approx(taken, rel=0.01)
    data[frame + 5 : frame + 9] = struct.pack(">HH", 6000, 8000)
    with pytest.raises(PictureError, match=r"a JPEG of several scans .* may take up to 48 MiB"):
        decode(bytes(data))


def test_a_large_jpeg_whose_scan_leaves_out_a_colour_is_refused_before_it_is_decoded():
    data = bytearray(jpeg())
    frame, scan = data.index(b"\xff\xc0"), data.index(b"\xff\xda")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 7000, 7000)
    assert read_layout(bytes(data)).unchecked_bytes == 0
    data[scan : scan + 14] = segment(0xDA, b"\x01\x01\0\0\x3f\0")
    with pytest.raises(PictureError, match=r"a JPEG of several scans .* takes 140;"):
        decode(bytes(data))


def test_a_jpeg_of_megabytes_of_tables_is_refused():
    data = jpeg()
    tables = segment(0xDB, (b"\0" + b"\x01" * 64) * 1000)
    assert decode(data[:2] + tables + data[2:]).size == (64, 48)
    with pytest.raises(PictureError, match="up to 512 KiB of tables"):
        decode(data[:2] + tables * 9 + data[2:])


@pytest.mark.parametrize("kind", [b"PLTE", b"tRNS"])
def test_megabytes_of_palette_are_refused_before_they_are_copied(kind):
    data = encoded(Image.fromarray(COLOURS))
    with pytest.raises(PictureError, match=f"its {kind.decode()} is too long"):
        decode(data[:33] + chunk(kind, bytes(3_000_000)) + data[33:])


def test_the_last_row_of_a_bmp_need_not_be_filled_up():
    data = encoded(Image.fromarray(COLOURS[:, :15]), "BMP")
    assert np.array_equal(np.asarray(decode(data[:-3])), COLOURS[:, :15])
    with pytest.raises(PictureError, match="it ends before its last row"):
        decode(data[:-4])


@pytest.mark.parametrize("filling", [b"\xff\xfe\0\x02", b"\xff\xd8", b"\xff\x01", b"\xff"])
def test_a_flood_of_segments_is_refused(filling):
    data = jpeg()
    with pytest.raises(PictureError, match="a JPEG may have up to 4,096 segments"):
        decode(data[:2] + filling * 5000 + data[2:])


def test_a_flood_of_chunks_is_refused():
    data = raw_png(8, 8, depth=8, colour=0, rows=bytes(72), extra=chunk(b"abCd", b"") * 17_000)
    with pytest.raises(PictureError, match="a PNG may have up to 16,384 chunks"):
        decode(data)


@pytest.mark.parametrize("width", [1, 6_100_807])
def test_a_png_with_a_second_header_is_refused_before_it_is_decoded(width):
    second = chunk(b"IHDR", struct.pack(">IIBBBBB", width, 6_100_807 // width, 8, 0, 0, 0, 0))
    plain = encoded(Image.fromarray(COLOURS))
    with pytest.raises(PictureError, match="it has two headers"):
        decode(plain[:33] + second + plain[33:])


@pytest.mark.parametrize("size", [(64, 47), (640, 480)])
def test_what_is_decoded_has_the_size_that_was_checked(monkeypatch, size):
    def other(data):
        return read_layout(data)._replace(width=size[0], height=size[1])

    monkeypatch.setattr("edge_runtime.data.decoding.read_layout", other)
    for data in (encoded(Image.new("L", (64, 48)), kind) for kind in ("PNG", "JPEG", "BMP")):
        with pytest.raises(PictureError, match="it announces two sizes"):
            decode(data)


def test_an_interlaced_picture_of_many_megapixels_is_refused():
    data = raw_png(8000, 6000, depth=8, colour=2, rows=b"")
    header = data[:28] + b"\1"
    with pytest.raises(PictureError, match=r"an interlaced PNG .* may take up to 48 MiB"):
        decode(header + data[29:])


def test_a_large_png_that_ends_early_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", None)
    data = raw_png(8000, 6000, depth=1, colour=2, rows=bytes(3001 * 5900))
    with pytest.raises(PictureError, match="it ends before its last row"):
        decode(data)


def test_a_bmp_of_many_runs_is_refused():
    header = struct.pack("<IiiHHIIiiII", 40, 1000, 1000, 1, 8, 1, 0, 0, 0, 256, 0)
    start = struct.pack("<IHHI", 0, 0, 0, 54 + 1024)
    with pytest.raises(PictureError, match="a BMP with run lengths may have up to"):
        decode(b"BM" + start + header + bytes(1024) + b"\1\0" * 400_000)


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "RGBA", "LA", "1"])
def test_a_large_picture_is_averaged_down_and_looks_the_same(mode):
    small = Image.linear_gradient("L").convert("RGB" if mode == "P" else mode)
    small = small.convert("P") if mode == "P" else small
    large = small.resize((2560, 2560), Image.Resampling.NEAREST)
    found = decode(encoded(large))
    assert found.size == (1280, 1280)
    assert found.width * found.height <= MOST_PIXELS
    expected = decode(encoded(small)).convert("L").resize((1280, 1280), Image.Resampling.NEAREST)
    difference = np.abs(np.asarray(found.convert("L"), int) - np.asarray(expected, int))
    assert difference.max() <= 1


def test_a_large_jpeg_is_scaled_down_while_it_is_decoded_and_turned():
    data = jpeg((4000, 3000))
    data = data[:2] + segment(0xE1, b"Exif\0\0" + SIXTH) + data[2:]
    assert decode(data).size == (1500, 2000)


def test_the_parts_of_a_file_are_read_as_one():
    data = encoded(Image.fromarray(COLOURS))
    layout = read_layout(data[:33] + chunk(b"tEXt", b"a\0b") + data[33:] + b"behind")
    assert layout.stream.read() == data
    assert isinstance(read_layout(data).stream, io.BytesIO)
