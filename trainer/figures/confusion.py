"""The confusion matrix: what is taken for what."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize, PowerNorm
from matplotlib.figure import Figure

from edge_runtime.benchmarks.plot import BLUE, INK, MUTED
from edge_runtime.data.predictions import Predictions
from edge_runtime.wording import plural
from trainer.figures.answers import Answers, Rates
from trainer.figures.style import (
    LINE_SPACING,
    POINTS_PER_INCH,
    VERMILION,
    fit_text,
    new_chart,
    percent,
    percent_number,
    styled,
    text_width_pt,
)

BODY_IN = 6.2
SMALL_BODY_IN = 4.4  # for up to 4 classes
SIDE_IN = 4.8  # of the matrix itself, beside names of a usual length
NAME_WIDTH_IN = 1.25
MOST_NUMBERED = 20  # classes; a number in a smaller cell could not be read

# Right answers are blue and wrong ones vermilion; the square root keeps a few per cent visible.
FOUND = LinearSegmentedColormap.from_list("found", ["#F3F5F7", "#8CC1E3", BLUE, "#003F69"])
MISTAKEN = LinearSegmentedColormap.from_list("mistaken", ["#F3F5F7", "#F7BE97", VERMILION])
SHARE = PowerNorm(0.5, 0, 1)


@styled
def confusion_matrix_figure(predictions: Predictions) -> Figure:
    """Draw which share of each true class (row) was taken for which class (column).

    Up to 20 classes have their numbers written in the cells.
    """
    answers, class_names = Answers(predictions), predictions.class_names
    images = plural(len(predictions), "test image")
    subtitle = f"Per cent of each true class (row) taken for each class (column); {images}"
    body_in = BODY_IN if len(class_names) > 4 else SMALL_BODY_IN
    figure, (axes,) = new_chart(_finding(answers), subtitle, body_in=body_in)
    axes.imshow(_cell_colours(answers.shares), interpolation="none")
    _separate_cells(axes, len(class_names))
    _name_cells(axes, class_names)
    if len(class_names) <= MOST_NUMBERED:
        _number_cells(axes, answers)
    else:
        _draw_colour_bars(figure, axes)
    return figure


def _finding(answers: Answers) -> str:
    recall = answers.recall
    hardest = int(np.nanargmin(recall))
    if recall[hardest] == 1:
        return "Every image is recognised: no class is taken for another"
    mistakes = answers.counts[hardest].copy()
    mistakes[hardest] = 0
    name, rival = (
        fit_text(answers.class_names[index], width_in=2.0, size=10)
        for index in (hardest, int(mistakes.argmax()))
    )
    return f"{name} is hardest: {percent(recall[hardest])} found; most often taken for {rival}"


def _cell_colours(shares: Rates) -> npt.NDArray[np.float64]:
    """Return (K, K, 4) colours: blue on the diagonal, vermilion off it."""
    colours = MISTAKEN(SHARE(shares))
    diagonal = np.arange(len(shares))
    colours[diagonal, diagonal] = FOUND(np.diagonal(shares))
    return np.asarray(colours)


def _separate_cells(axes: Axes, count: int) -> None:
    """Leave a white line between cells, and no frame around them."""
    width = 1.5 if count <= MOST_NUMBERED else 0.6 if count <= 50 else 0.25
    between = np.arange(count - 1) + 0.5
    axes.hlines(between, -0.5, count - 0.5, color="white", linewidth=width)
    axes.vlines(between, -0.5, count - 0.5, color="white", linewidth=width)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, pad=4)


def _name_cells(axes: Axes, class_names: Sequence[str]) -> None:
    """Name rows and columns, every n-th where there is no room for all."""
    count = len(class_names)
    size = 9.0 if count <= 12 else 7.5 if count <= MOST_NUMBERED else 6.0
    step = math.ceil(count * size * LINE_SPACING / (SIDE_IN * POINTS_PER_INCH))
    places = list(range(0, count, step))
    names = [fit_text(class_names[at], width_in=NAME_WIDTH_IN, size=size) for at in places]
    look: dict[str, Any] = {"fontsize": size, "color": INK}
    axes.set_yticks(places, names, **look)
    cell_pt = SIDE_IN * POINTS_PER_INCH * step / count
    if max(text_width_pt(name, size=size) for name in names) >= 0.9 * cell_pt:
        angle, align = (45, "top") if count <= MOST_NUMBERED else (90, "center")
        look |= {"rotation": angle, "rotation_mode": "anchor", "ha": "right", "va": align}
    axes.set_xticks(places, names, **look)
    axes.set_xlabel("Predicted class", labelpad=8)
    axes.set_ylabel("True class", labelpad=8)


def _number_cells(axes: Axes, answers: Answers) -> None:
    """Write the per cent in each cell that is not empty, and a dash in a row without images."""
    shares = answers.shares
    size = min(max(0.29 * SIDE_IN * POINTS_PER_INCH / len(shares), 6.2), 14.0)
    for row, column in np.ndindex(*shares.shape):
        share = shares[row, column]
        right = row == column
        absent = right and not answers.counts[row].any()
        if share == 0 and not right:
            continue
        dark = share > (0.35 if right else 0.6)
        axes.text(
            column,
            row,
            "\N{EN DASH}" if absent else percent_number(share),
            ha="center",
            va="center",
            fontsize=size,
            fontweight="bold" if right else "normal",
            color="white" if dark else MUTED if absent else INK,
        )


def _draw_colour_bars(figure: Figure, axes: Axes) -> None:
    """Say above the matrix what its colours mean, where the cells have no room for numbers."""
    for left, colours, norm, label in (
        (0.0, FOUND, Normalize(0, 1), "found (%)"),
        (0.55, MISTAKEN, SHARE, "taken for another class (%)"),
    ):
        place = axes.inset_axes((left, 1.07, 0.45, 0.02))
        bar = figure.colorbar(ScalarMappable(norm, colours), cax=place, orientation="horizontal")
        ticks = [0, 0.05, 0.25, 0.5, 1] if norm is SHARE else [0, 0.25, 0.5, 0.75, 1]
        bar.set_ticks(ticks, labels=[f"{100 * tick:.0f}" for tick in ticks])
        bar.ax.minorticks_off()
        bar.ax.tick_params(length=0, labelsize=7.5, pad=3)
        bar.ax.set_title(label, loc="left", fontsize=8, color=MUTED, pad=3)
        bar.outline.set_visible(False)
