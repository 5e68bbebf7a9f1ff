"""How sure the model is, and whether it may be."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from edge_runtime.benchmarks.plot import BLUE, INK
from edge_runtime.data.predictions import Predictions
from edge_runtime.wording import plural
from trainer.figures.answers import Answers
from trainer.figures.style import VERMILION, label_axes, legend_above, new_chart, percent, styled

BINS = 20


@styled
def confidence_histogram(predictions: Predictions) -> Figure:
    """Draw how many test images were answered with which confidence, right and wrong apart."""
    answers = Answers(predictions)
    figure, (axes,) = new_chart(_finding(answers), _medians(answers), body_in=3.4)
    edges = np.linspace(0, 100, BINS + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    confidence = 100 * answers.confidence
    wrong, _ = np.histogram(confidence[~answers.right], bins=edges)
    right, _ = np.histogram(confidence[answers.right], bins=edges)
    look: dict[str, Any] = {"width": 95 / BINS, "edgecolor": "white", "linewidth": 0}
    axes.bar(middles, right, bottom=wrong, color=BLUE, label="right", **look)
    axes.bar(middles, wrong, color=VERMILION, label="wrong", hatch="////", **look)
    axes.grid(axis="y")
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 1.2 * (right + wrong).max())
    axes.set_xticks(range(0, 101, 10))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    label_axes(axes, x="Confidence in the answer (%)", y="Test images")
    _mark_means(axes, answers)
    legend_above(axes, "right", reverse=True)
    return figure


def _finding(answers: Answers) -> str:
    """Compare mean confidence with accuracy.

    Were each confidence true, the accuracy would have the variance Σ p (1 - p) / N² of N coins; a
    gap within two standard deviations is what chance alone makes (Spiegelhalter, 1986).
    """
    sure, accuracy = float(answers.confidence.mean()), answers.accuracy
    figures = f"says {percent(sure, digits=1)}, is right {percent(accuracy, digits=1)}"
    variance = (answers.confidence * (1 - answers.confidence)).sum()
    deviation = np.sqrt(float(variance)) / len(answers.labels)
    gap = sure - accuracy
    if abs(gap) <= 2 * deviation:
        return f"Confidence agrees with accuracy: {figures}"
    side = "Overconfident" if gap > 0 else "Underconfident"
    return f"{side} by {100 * abs(gap):.1f} points: {figures}"


def _medians(answers: Answers) -> str:
    total = plural(len(answers.labels), "test image")
    parts = [
        f"{percent(float(np.median(answers.confidence[chosen])))} when {name}"
        for name, chosen in (("right", answers.right), ("wrong", ~answers.right))
        if chosen.any()
    ]
    return f"{total}. Median confidence: {', '.join(parts)}"


def _mark_means(axes: Axes, answers: Answers) -> None:
    """Draw mean confidence and accuracy as two lines, named at two heights."""
    means = [
        (100 * float(answers.confidence.mean()), "mean confidence", "-"),
        (100 * answers.accuracy, "accuracy", "--"),
    ]
    # Names run to the left of their lines, unless there is no room; the line that the other's name
    # would cross is the shorter one.
    to_left = max(means)[0] > 30
    for (place, name, dashes), height in zip(
        sorted(means, reverse=to_left), (1.0, 0.92), strict=True
    ):
        axes.axvline(place, ymax=height, color=INK, linewidth=1.2, linestyle=dashes)
        leftwards = place > 30
        axes.annotate(
            f"{name} {percent(place / 100)}",
            xy=(place, height),
            xycoords=axes.get_xaxis_transform(),
            xytext=(-4 if leftwards else 4, -1),
            textcoords="offset points",
            fontsize=8.5,
            ha="right" if leftwards else "left",
            va="top",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )
