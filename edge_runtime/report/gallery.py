"""The pictures whose answer changed."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_runtime.errors import PredictionsError
from edge_runtime.parity import Comparison, Flip
from edge_runtime.report.entries import flip_counts
from edge_runtime.report.markup import escaped
from edge_runtime.wording import percent, plural

GALLERY_LIMIT = 48

# Larger pictures are scaled down to this many pixels, so that the page stays small.
_LARGEST_SIDE = 160

_SIGNS = {"lost": "✕", "won": "✓", "neither right": "○"}


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
    comparison: Comparison,
    model: str,
    class_names: tuple[str, ...],
    images: NDArray[np.uint8] | None,
) -> str:
    """Return the changed answers, with pictures where there are any; the most confident first."""
    count = len(comparison.flips)
    if not count:
        return "<p>No answer changed.</p>"
    lost, won, neither = flip_counts(comparison)
    cards = "".join(
        _card(flip, model, class_names, images) for flip in comparison.flips[:GALLERY_LIMIT]
    )
    more = count - GALLERY_LIMIT
    rest = f'<p class="quiet">and {more:,} more in report.json</p>' if more > 0 else ""
    order = " The most confident changes come first." if count > 1 else ""
    return (
        f"<p>{plural(count, 'answer')} changed: {lost:,} lost (from right to wrong), {won:,} won "
        f"(from wrong to right), {neither:,} with neither right.{order}</p>"
        f'<div class="gallery">{cards}</div>{rest}'
    )


def _card(
    flip: Flip, model: str, class_names: tuple[str, ...], images: NDArray[np.uint8] | None
) -> str:
    label, before, after = (
        escaped(class_names[index]) for index in (flip.label, flip.reference, flip.candidate)
    )
    picture = (
        ""
        if images is None
        else f'<img src="{_data_uri(images[flip.image])}" alt="Test image {flip.image}: {label}">'
    )
    return (
        f'<figure class="flip {flip.effect.split()[0]}">{picture}<figcaption>'
        f'<span class="tag">{_SIGNS[flip.effect]} {flip.effect}</span>'
        f'<span class="true"><small>Image {flip.image} is</small> {label}</span>'
        f"{_answer('full', before, flip.reference_confidence, flip.reference == flip.label)}"
        f"{_answer('→ ' + model, after, flip.candidate_confidence, flip.candidate == flip.label)}"
        "</figcaption></figure>"
    )


def _answer(who: str, answer: str, confidence: float, right: bool) -> str:
    return (
        f'<span class="answer{" right" if right else ""}"><small>{escaped(who)}</small> '
        f"{answer} <b>{percent(confidence)} %</b></span>"
    )


def _data_uri(image: NDArray[np.uint8]) -> str:
    """Return an (H, W, C) image as a PNG inside a link."""
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    picture.thumbnail((_LARGEST_SIDE, _LARGEST_SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
