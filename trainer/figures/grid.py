"""Pictures in rows and columns, with room for a caption under each. Lengths are in inches."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from trainer.figures.style import FAINT, INK, MARGIN_IN, WIDTH_IN, new_figure

Images = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Box:
    """Where a picture goes, from the figure's lower left corner."""

    left: float
    bottom: float
    width: float
    height: float


def new_grid(
    title: str,
    subtitle: str,
    *,
    count: int,
    columns: int,
    aspect: float,
    gap_in: float,
    caption_in: float,
) -> tuple[Figure, list[Box]]:
    """Return a figure and a box for each of ``count`` pictures, row by row.

    ``aspect`` is a picture's height over its width; a very tall one is drawn narrower than its box.
    """
    width_in = (WIDTH_IN - 2 * MARGIN_IN - (columns - 1) * gap_in) / columns
    height_in = width_in * min(max(aspect, 0.5), 1.5)
    row_in = height_in + caption_in
    rows = -(-count // columns)
    body_in = rows * row_in + (rows - 1) * gap_in + 0.8 * MARGIN_IN
    figure = new_figure(title, subtitle, body_in=body_in)
    boxes = [
        Box(
            left=MARGIN_IN + (place % columns) * (width_in + gap_in),
            bottom=body_in - height_in - (place // columns) * (row_in + gap_in),
            width=width_in,
            height=height_in,
        )
        for place in range(count)
    ]
    return figure, boxes


def show_picture(figure: Figure, box: Box, image: Images) -> Axes:
    """Draw one picture (H, W, C), with a hairline around it for those that are white."""
    width, height = figure.get_size_inches()
    place = (box.left / width, box.bottom / height, box.width / width, box.height / height)
    axes = figure.add_axes(place)
    axes.imshow(image[..., 0] if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=255)
    axes.xaxis.set_visible(False)
    axes.yaxis.set_visible(False)
    frame(axes, FAINT, width=0.8)
    return axes


def frame(axes: Axes, colour: str, *, width: float) -> None:
    """Draw a frame ``width`` points wide around a picture."""
    for spine in axes.spines.values():
        spine.set(visible=True, edgecolor=colour, linewidth=width)


def draw_bar(figure: Figure, box: Box, *, share: float, colour: str) -> None:
    """Draw a thin bar under a picture, filled up to ``share`` of its width."""
    for length, fill in ((box.width, FAINT), (box.width * share, colour)):
        bar = Rectangle((box.left, box.bottom - 0.12), length, 0.05, facecolor=fill)
        bar.set_transform(figure.dpi_scale_trans)
        figure.add_artist(bar)


def write(
    figure: Figure,
    left: float,
    baseline: float,
    text: str,
    *,
    size: float,
    colour: str = INK,
    weight: str = "normal",
    align: str = "left",
) -> None:
    """Write one line of text at a place."""
    figure.text(
        left,
        baseline,
        text,
        transform=figure.dpi_scale_trans,
        fontsize=size,
        color=colour,
        fontweight=weight,
        ha=align,
        va="baseline",
    )
