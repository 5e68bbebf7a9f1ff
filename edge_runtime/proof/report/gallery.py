"""The pictures whose answer changed."""

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import PredictionsError
from edge_runtime.proof.parity import Comparison, Flip
from edge_runtime.proof.report.entries import neither
from edge_runtime.proof.report.markup import escaped, folded, named
from edge_runtime.proof.report.pictures import picture_link
from edge_runtime.wording import percent, plural

GALLERY_LIMIT = 48
# So many are seen at once; the others are folded.
_SHOWN = 14
_LONGEST_NAME = 32
# All pictures of the page together may take so many bytes of it.
PICTURE_BYTES = 1_300_000

_SIGNS = {"lost": "✕", "won": "✓", "neither right": "○"}


class Pictures:
    """The test images as links, encoded once each, as long as a section has room for them.

    Args:
        images: (N, H, W, 1 or 3) uint8; None for no pictures at all.
        room: how many bytes the links of one section may take together.
    """

    def __init__(self, images: NDArray[np.uint8] | None, room: int) -> None:
        self._images = images
        self._room = self._left = room
        self._links: dict[int, str] = {}

    def begin_section(self) -> None:
        """Give the next section all of its room."""
        self._left = self._room

    def link(self, index: int) -> str:
        """Return a link to an image, "" when there is none or no room."""
        if self._images is None:
            return ""
        if index not in self._links:
            self._links[index] = picture_link(self._images[index])
        link = self._links[index]
        if len(link) > self._left:
            return ""
        self._left -= len(link)
        return link


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


def gallery(
    comparison: Comparison, model: str, class_names: tuple[str, ...], pictures: Pictures
) -> str:
    """Return the changed answers, with pictures where there are any; the most confident first."""
    count = len(comparison.flips)
    if not count:
        return "<p>No answer changed.</p>"
    pictures.begin_section()
    cards = [_card(flip, model, class_names, pictures) for flip in comparison.flips[:GALLERY_LIMIT]]
    shown = f'<div class="gallery">{"".join(cards[:_SHOWN])}</div>'
    if len(cards) > _SHOWN:
        rest = f'<div class="gallery">{"".join(cards[_SHOWN:])}</div>'
        shown += folded(f"{len(cards) - _SHOWN} more changed answers", rest)
    more = count - GALLERY_LIMIT
    note = f'<p class="quiet">and {more:,} more in report.json</p>' if more > 0 else ""
    return f"<p>{_summary(comparison)}</p>{shown}{note}"


def _summary(comparison: Comparison) -> str:
    counts = comparison.counts
    order = (
        " The lost ones come first, and of those the ones that both models were surest of."
        if counts.flips > 1
        else ""
    )
    return (
        f"{plural(counts.flips, 'answer')} changed: {counts.lost:,} lost (from right to wrong), "
        f"{counts.won:,} won (from wrong to right), {neither(counts):,} with neither right.{order}"
    )


def _card(flip: Flip, model: str, class_names: tuple[str, ...], pictures: Pictures) -> str:
    label, before, after = (
        named(class_names[index], _LONGEST_NAME)
        for index in (flip.label, flip.reference, flip.candidate)
    )
    link = pictures.link(flip.image)
    picture = f'<img src="{link}" alt="Test image {flip.image}">' if link else ""
    return (
        f'<figure class="flip {flip.effect.split()[0]}">{picture}<figcaption>'
        f'<span class="tag">{_SIGNS[flip.effect]} {flip.effect}</span>'
        f'<span class="true"><small>Image {flip.image} is</small> {label}</span>'
        f"{_answer('full', before, flip.reference_confidence, flip.reference == flip.label)}"
        f"{_answer('→ ' + model, after, flip.candidate_confidence, flip.candidate == flip.label)}"
        f'<span class="blame"><small>changed at</small> {escaped(flip.blame)}</span>'
        "</figcaption></figure>"
    )


def _answer(who: str, answer: str, confidence: float, right: bool) -> str:
    return (
        f'<span class="answer{" right" if right else ""}"><small>{escaped(who)}</small> '
        f"{answer} <b>{percent(confidence)} %</b></span>"
    )
