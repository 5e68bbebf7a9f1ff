"""A decoded picture, made upright, grey or RGB, and of moderate size, in little memory."""

import math

import numpy as np
from PIL import Image

# Larger pictures are averaged over blocks to at most so many pixels, 2,048 × 2,048, of which a
# copy takes 16 MiB. No classifier's input is near that.
MOST_PIXELS = 2**22

_STRIP_PIXELS = 2**18
_WHITE = 255
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def draft_divisor(width: int, height: int) -> int:
    """Return by how much a JPEG is to be scaled down while it is decoded: 1, 2, 4 or 8."""
    divisor = 1
    while divisor < 8 and width * height > MOST_PIXELS * divisor**2:
        divisor *= 2
    return divisor


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Return a picture in mode "L" or "RGB", upright, with at most `MOST_PIXELS`.

    Transparent parts become white. 16-bit grey keeps its upper 8 bits. Besides the picture itself
    this takes two copies of the result and a strip.

    Args:
        image: decoded by Pillow, of any of its modes.
        orientation: as Exif numbers it, 1 to 8.
    """
    factor = math.ceil(math.sqrt(image.width * image.height / MOST_PIXELS))
    is_plain = image.mode in ("L", "RGB") and not image.has_transparency_data
    result = image if is_plain and factor <= 1 else _in_strips(image, max(1, factor))
    return result.transpose(_TURNS[orientation]) if orientation in _TURNS else result


def _in_strips(image: Image.Image, factor: int) -> Image.Image:
    """Convert a picture strip by strip, so that no second one of its size is ever there."""
    mode = "L" if image.mode in ("1", "L", "LA") or image.mode.startswith("I") else "RGB"
    size = -(-image.width // factor), -(-image.height // factor)
    result = Image.new(mode, size)
    rows = max(1, _STRIP_PIXELS // (image.width * factor)) * factor
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        converted = _grey_or_rgb(strip, mode)
        result.paste(converted.reduce(factor) if factor > 1 else converted, (0, top // factor))
    return result


def _grey_or_rgb(image: Image.Image, mode: str) -> Image.Image:
    if image.mode.startswith("I"):
        # Pillow's own conversion clips 16-bit values to 255 instead of scaling them.
        deep = np.asarray(image)
        pixels = np.clip(deep >> 8, 0, 255).astype(np.uint8)
        pixels[deep == image.info.get("transparency", -1)] = _WHITE
        return Image.fromarray(pixels)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        on_white = Image.new("RGB", rgba.size, (_WHITE, _WHITE, _WHITE))
        on_white.paste(rgba, mask=rgba.getchannel("A"))
        image = on_white
    return converted_to(image, mode)


def converted_to(image: Image.Image, mode: str) -> Image.Image:
    """Return the picture in that mode; unlike Pillow's method without a copy if it is already."""
    return image if image.mode == mode else image.convert(mode)
