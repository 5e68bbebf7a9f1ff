"""The pictures whose answer changed."""

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import PredictionsError
from edge_runtime.proof.parity import Comparison, Flip
from edge_runtime.proof.report.pictures import picture_link

GALLERY_LIMIT = 48
# All pictures of the page together may take so many bytes of it.
PICTURE_BYTES = 1_300_000


class Pictures:
    """The test images as links, encoded once each, as long as a section has room for them.

    Args:
        images: (N, H, W, 1 or 3) uint8; None for no pictures at all.
        room: how many bytes the links of one section may take together.
    """

    def __init__(self, images: NDArray[np.uint8] | None, room: int) -> None:
        self._images = images
        self._room = room
        self._links: dict[int, str] = {}

    def gallery(self, comparison: Comparison) -> list[tuple[Flip, str]]:
        """Return the first changed answers, each with a link, "" where there is no room for it."""
        left, found = self._room, []
        for flip in comparison.flips[:GALLERY_LIMIT]:
            link = self._link(flip.image)
            fits = len(link) <= left
            left -= len(link) if fits else 0
            found.append((flip, link if fits else ""))
        return found

    def _link(self, index: int) -> str:
        if self._images is None:
            return ""
        if index not in self._links:
            self._links[index] = picture_link(self._images[index])
        return self._links[index]


def refuse_other_images(images: NDArray[np.uint8], image_count: int) -> None:
    """Raise unless these are so many (N, H, W, 1 or 3) uint8 images.

    Raises:
        PredictionsError: they are not.
    """
    fits = images.ndim == 4 and images.shape[-1] in (1, 3) and 0 not in images.shape
    if not fits or images.dtype != np.uint8 or len(images) != image_count:
        raise PredictionsError(
            f"The gallery needs the {image_count} test images as uint8 of shape (N, H, W, 1 or 3), "
            f"got {images.dtype} of shape {images.shape}."
        )
