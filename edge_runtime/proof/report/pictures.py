"""Pictures inside links, so that the page is one file."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Larger pictures are scaled down to this many pixels.
_LARGEST_SIDE = 160
_JPEG_QUALITY = 82


def png_link(pixels: NDArray[np.uint8]) -> str:
    """Return (H, W), (H, W, 3) or (H, W, 4) pixels as a data: link to a PNG."""
    return _link(Image.fromarray(pixels), "PNG")


def picture_link(image: NDArray[np.uint8]) -> str:
    """Return an (H, W, 1 or 3) image as a data: link, of PNG and JPEG the smaller."""
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    picture.thumbnail((_LARGEST_SIDE, _LARGEST_SIDE))
    exact = _link(picture, "PNG")
    if max(picture.size) < _LARGEST_SIDE // 2:
        return exact  # so small that every pixel is seen
    return min(exact, _link(picture, "JPEG"), key=len)


def _link(picture: Image.Image, kind: str) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, kind, optimize=True, quality=_JPEG_QUALITY)
    encoded = base64.b64encode(buffer.getvalue()).decode()
    return f"data:image/{kind.lower()};base64,{encoded}"
