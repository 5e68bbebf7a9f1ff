"""Pictures inside links, so that the page is one file."""

import base64
import io
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_runtime.errors import PredictionsError
from edge_runtime.proof.parity import Flip

# Larger pictures are scaled down to this many pixels.
_LARGEST_SIDE = 160
_JPEG_QUALITY = 82
# All pictures of the page together may take so many bytes of it.
_MOST_BYTES = 1_300_000


class Pictures:
    """The test images as links, encoded once each, as long as a section has room for them.

    Args:
        images: (N, H, W, 1 or 3) uint8; None for no pictures at all.
        image_count: how many there must be.
        sections: how many sections share the room.

    Raises:
        PredictionsError: these are no such images, or not so many.
    """

    def __init__(
        self, images: NDArray[np.uint8] | None, *, image_count: int, sections: int
    ) -> None:
        if images is not None and not _are_images(images, image_count):
            raise PredictionsError(
                f"The gallery needs the {image_count} test images as uint8 of shape (N, H, W, "
                f"1 or 3), got {images.dtype} of shape {images.shape}."
            )
        self._room = _MOST_BYTES // sections
        self._link = cache(lambda index: "" if images is None else picture_link(images[index]))

    def gallery(self, flips: tuple[Flip, ...]) -> list[tuple[Flip, str]]:
        """Return changed answers each with a link to its picture, "" where there is no room."""
        left, found = self._room, []
        for flip in flips:
            link = self._link(flip.image)
            shown = link if len(link) <= left else ""
            left -= len(shown)
            found.append((flip, shown))
        return found


def _are_images(images: NDArray[np.uint8], count: int) -> bool:
    fits = images.ndim == 4 and images.shape[-1] in (1, 3) and 0 not in images.shape
    return fits and images.dtype == np.uint8 and len(images) == count


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
