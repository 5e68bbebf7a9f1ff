"""Pictures in a grid: what the classes look like, and what the model answers to single images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from edge_runtime.benchmarks.plot import BLUE, FAINT, INK, MUTED
from edge_runtime.data.datasets import Split
from edge_runtime.data.predictions import Predictions
from edge_runtime.wording import plural
from trainer.figures.answers import Answers, Integers
from trainer.figures.style import (
    MARGIN_IN,
    POINTS_PER_INCH,
    VERMILION,
    WIDTH_IN,
    fit_text,
    new_figure,
    percent,
    styled,
    text_width_pt,
)

Images = npt.NDArray[np.uint8]

EXAMPLE_COLUMNS = 5
EXAMPLES = EXAMPLE_COLUMNS**2
CARD_COLUMNS = 3
CARDS = 2 * CARD_COLUMNS
NAME_PT = 9.5
DETAIL_PT = 8.0


@dataclass(frozen=True)
class Place:
    """Where a picture goes, in inches from the figure's lower left corner."""

    figure: Figure
    left: float
    bottom: float
    width: float
    height: float

    def show(self, image: Images) -> Axes:
        """Draw a picture (H, W, C), with a hairline around it for those that are white."""
        width, height = self.figure.get_size_inches()
        place = (self.left / width, self.bottom / height, self.width / width, self.height / height)
        axes = self.figure.add_axes(place)
        axes.imshow(image[..., 0] if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=255)
        axes.xaxis.set_visible(False)
        axes.yaxis.set_visible(False)
        axes.spines[:].set(visible=True, edgecolor=FAINT, linewidth=0.8)
        return axes

    def draw_bar(self, share: float, colour: str) -> None:
        """Draw a thin bar under the picture, filled up to ``share`` of its width."""
        for length, fill in ((self.width, FAINT), (self.width * share, colour)):
            bar = Rectangle((self.left, self.bottom - 0.12), length, 0.05, facecolor=fill)
            bar.set_transform(self.figure.dpi_scale_trans)
            self.figure.add_artist(bar)

    def write(self, text: str, *, below_in: float, align: str = "left", **look: Any) -> None:
        """Write one line of text, its baseline so far below the picture."""
        left = self.left + self.width * {"left": 0, "center": 0.5, "right": 1}[align]
        look |= {"transform": self.figure.dpi_scale_trans, "ha": align}
        self.figure.text(left, self.bottom - below_in, text, **look)


@styled
def example_grid(split: Split, class_names: Sequence[str]) -> Figure:
    """Draw up to 25 images with their class names, spread over the classes and ordered by them."""
    images, labels = split.images, split.labels
    chosen = _spread_over_classes(labels)
    height, width = images.shape[1:3]
    figure, places = _new_grid(
        _size_and_balance(images, labels, class_names),
        f"{len(chosen)} of {plural(len(images), 'image')}, as the model sees them",
        count=len(chosen),
        columns=EXAMPLE_COLUMNS,
        aspect=height / width,
        gap_in=0.14,
        caption_in=0.22,
    )
    for index, place in zip(chosen, places, strict=True):
        place.show(images[index])
        name = fit_text(class_names[labels[index]], width_in=place.width, size=DETAIL_PT)
        place.write(name, below_in=0.17, fontsize=DETAIL_PT, align="center")
    return figure


@styled
def predictions_grid(images: Images, predictions: Predictions, seed: int) -> Figure:
    """Draw six random test images: the predicted class, how sure it is, and whether it is right.

    Args:
        images: (N, H, W, C) uint8, those of the predictions, in their order.
        predictions: of N images.
        seed: chooses the images.
    """
    answers = Answers(predictions)
    count = min(CARDS, len(images))
    chosen = np.sort(np.random.default_rng(seed).choice(len(images), size=count, replace=False))
    title = f"{answers.right[chosen].sum()} of {count} random test images recognised"
    title += f", {percent(answers.accuracy, digits=1)} of all {len(images):,}"
    subtitle = f"Chosen with seed {seed}. The bar is the model's confidence in its answer."
    if count == len(images):
        title = f"{answers.right.sum()} of {plural(count, 'test image')} recognised"
        subtitle = "The bar is the model's confidence in its answer."
    return _draw_cards(title, subtitle, images, answers, chosen)


@styled
def least_confident_grid(images: Images, predictions: Predictions) -> Figure:
    """Draw the six test images the model is least sure of, the least sure first."""
    answers = Answers(predictions)
    chosen = np.argsort(answers.confidence, kind="stable")[:CARDS]
    title = f"Least sure answers: {answers.right[chosen].sum()} of {len(chosen)} are right"
    subtitle = (
        f"The lowest confidence among {plural(len(images), 'test image')}, "
        f"of which {percent(answers.accuracy, digits=1)} are recognised"
    )
    return _draw_cards(title, subtitle, images, answers, chosen)


def _size_and_balance(images: Images, labels: Integers, class_names: Sequence[str]) -> str:
    """Say how large the pictures are and whether each class has as many."""
    height, width, channels = images.shape[1:]
    kind = {1: "grey", 3: "colour", 4: "RGBA"}[channels]
    counts = np.bincount(labels, minlength=len(class_names))
    fewest, most = f"{counts.min():,}", f"{counts.max():,}"
    each = most if fewest == most else f"{fewest} to {most}"
    size = f"{width} \N{MULTIPLICATION SIGN} {height}"
    return f"{len(class_names)} classes of {size} {kind} pixels, {each} images of each"


def _spread_over_classes(labels: Integers) -> Integers:
    """Return up to 25 positions, as many of each class as can be, in the order of classes."""
    present = np.unique(labels)
    if len(present) > EXAMPLES:
        present = present[np.linspace(0, len(present) - 1, EXAMPLES).round().astype(int)]
    members = [np.flatnonzero(labels == label)[:EXAMPLES] for label in present]
    turns = [(turn, position) for own in members for turn, position in enumerate(own)]
    turns.sort(key=lambda pair: pair[0])  # the first of every class, then the second of every class
    chosen = np.array([position for _, position in turns[:EXAMPLES]], dtype=np.int64)
    return chosen[np.argsort(labels[chosen], kind="stable")]


def _new_grid(
    title: str,
    subtitle: str,
    *,
    count: int,
    columns: int,
    aspect: float,
    gap_in: float,
    caption_in: float,
) -> tuple[Figure, list[Place]]:
    """Return a figure and a place for each of ``count`` pictures, row by row.

    ``aspect`` is a picture's height over its width; a very tall one is drawn narrower than its
    place.
    """
    width_in = (WIDTH_IN - 2 * MARGIN_IN - (columns - 1) * gap_in) / columns
    height_in = width_in * min(max(aspect, 0.5), 1.5)
    row_in = height_in + caption_in
    rows = -(-count // columns)
    body_in = rows * row_in + (rows - 1) * gap_in + 0.8 * MARGIN_IN
    figure = new_figure(title, subtitle, body_in=body_in)
    places = []
    for row, column in (divmod(number, columns) for number in range(count)):
        left = MARGIN_IN + column * (width_in + gap_in)
        bottom = body_in - height_in - row * (row_in + gap_in)
        places.append(Place(figure, left, bottom, width_in, height_in))
    return figure, places


def _draw_cards(
    title: str, subtitle: str, images: Images, answers: Answers, chosen: Integers
) -> Figure:
    """Draw pictures, and under each what the model answered."""
    figure, places = _new_grid(
        title,
        subtitle,
        count=len(chosen),
        columns=CARD_COLUMNS,
        aspect=images.shape[1] / images.shape[2],
        gap_in=0.24,
        caption_in=0.52,
    )
    for index, place in zip(chosen, places, strict=True):
        axes = place.show(images[index])
        if not answers.right[index]:
            axes.spines[:].set(edgecolor=VERMILION, linewidth=2.5)
        _caption(place, answers, int(index))
    return figure


def _caption(place: Place, answers: Answers, index: int) -> None:
    """Write under a picture the answer and, by its side, the truth or the nearest rival."""
    right = bool(answers.right[index])
    if right:
        mark, colour, what, shade = "✓", BLUE, "next", MUTED
        others = answers.probabilities[index].copy()
        others[answers.predicted[index]] = -1
        other = int(others.argmax())
    else:
        mark, colour, what, shade = "✗", VERMILION, "true class", INK
        other = int(answers.labels[index])
    answer = f"{mark} {answers.class_names[answers.predicted[index]]}"
    detail = f"{what}: {answers.class_names[other]}"
    confidence, share = answers.confidence[index], answers.probabilities[index, other]
    place.draw_bar(confidence, colour)
    _caption_line(place, answer, confidence, 0.30, NAME_PT, color=colour, fontweight="bold")
    _caption_line(place, detail, share, 0.48, DETAIL_PT, color=shade, fontweight="normal")


def _caption_line(
    place: Place, name: str, share: float, below_in: float, size: float, **look: str
) -> None:
    """Write a class on the left and its share on the right, the class cut to the room left."""
    number, weight = percent(float(share)), look["fontweight"]
    number_in = text_width_pt(f"  {number}", size=size, weight=weight) / POINTS_PER_INCH
    name = fit_text(name, width_in=place.width - number_in, size=size, weight=weight)
    for text, align in ((name, "left"), (number, "right")):
        place.write(text, below_in=below_in, align=align, fontsize=size, **look)
