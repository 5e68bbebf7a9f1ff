"""Class by class: how much of it is found, and how far its name may be believed."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from sklearn.metrics import classification_report

from edge_runtime.benchmarks.plot import BLUE, INK, MUTED, ORANGE
from edge_runtime.data.predictions import Predictions
from edge_runtime.wording import plural
from trainer.figures.answers import Answers, Rates
from trainer.figures.style import fit_text, legend_above, new_chart, percent, styled

NAME_WIDTH_IN = 1.6
MANY = 20  # classes, above which rows are lower and names smaller


@styled
def per_class_figure(predictions: Predictions) -> Figure:
    """Draw the precision and recall of each class as two dots on a line, best recall on top."""
    answers = Answers(predictions)
    order = np.argsort(np.nan_to_num(answers.recall, nan=-1), kind="stable")
    body_in = 1.25 + len(order) * (0.3 if len(order) <= MANY else 0.16)
    images = plural(len(predictions), "test image")
    subtitle = f"{images}. Recall: share found. Precision: share of answers that are right."
    figure, (axes,) = new_chart(_finding(answers), subtitle, body_in=body_in)
    _draw_dots(axes, 100 * answers.recall[order], 100 * answers.precision[order])
    _name_rows(axes, [answers.class_names[index] for index in order])
    _note_absent(axes, answers.recall[order])
    return figure


def per_class_table(predictions: Predictions) -> str:
    """Return precision, recall, F1 score and number of images of every class as a text table.

    A class without images has a recall of 0.000, and one never answered a precision of 0.000.
    """
    report = classification_report(
        predictions.labels,
        predictions.answers,
        labels=np.arange(len(predictions.class_names)),
        target_names=[" ".join(name.split()) for name in predictions.class_names],
        digits=3,
        zero_division=0.0,
    )
    return str(report)


def _finding(answers: Answers) -> str:
    """Name the class that is found least and the one whose name is wrong most often."""
    recall, precision = answers.recall, answers.precision
    missed, doubted = int(np.nanargmin(recall)), int(np.nanargmin(precision))
    if recall[missed] == 1:
        return "Every image is recognised: precision and recall are 100 %"
    low_recall, low_precision = percent(recall[missed]), percent(precision[doubted])
    missed_name, doubted_name = (
        fit_text(answers.class_names[index], width_in=2.0, size=10) for index in (missed, doubted)
    )
    if missed == doubted:
        return f"{missed_name} is weakest: recall {low_recall}, precision {low_precision}"
    return (
        f"Recall is lowest for {missed_name} ({low_recall}), "
        f"precision for {doubted_name} ({low_precision})"
    )


def _draw_dots(axes: Axes, recall: Rates, precision: Rates) -> None:
    """Draw a row a class from below upwards; what is not defined is left out."""
    rows = np.arange(len(recall))
    small = len(rows) > MANY
    axes.hlines(rows, precision, recall, color="#C3CAD1", linewidth=2 if small else 3, zorder=2)
    for values, name, marker, colour in (
        (recall, "recall", "o", BLUE),
        (precision, "precision", "D", ORANGE),
    ):
        axes.plot(
            values,
            rows,
            marker,
            label=name,
            color=colour,
            markeredgecolor="white",
            markersize=(5 if small else 9.5) * (0.72 if marker == "D" else 1),
            markeredgewidth=0.5 if small else 0.8,
            clip_on=False,
            zorder=3,
        )
    lowest = float(np.nanmin(np.concatenate([recall, precision])))
    axes.set_xlim(min(10 * (lowest // 10), 90), 100)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10]))
    legend_above(axes, "left", handletextpad=0.2, columnspacing=1.6, fontsize=8.5)


def _name_rows(axes: Axes, class_names: Sequence[str]) -> None:
    size = 9.0 if len(class_names) <= MANY else 7.0
    names = [fit_text(name, width_in=NAME_WIDTH_IN, size=size) for name in class_names]
    axes.set_yticks(np.arange(len(names)), names, fontsize=size, color=INK)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.grid(axis="both")
    axes.tick_params(axis="y", pad=8)
    axes.set_xlabel("Recall and precision (%)", labelpad=6)
    axes.set_ylabel("Class")


def _note_absent(axes: Axes, recall: Rates) -> None:
    """Say at the right end of a row that its class cannot be found, for want of images."""
    for row in np.flatnonzero(np.isnan(recall)).tolist():
        axes.annotate(
            "no test images",
            xy=(100, row),
            xytext=(-6, 0),
            textcoords="offset points",
            fontsize=7,
            color=MUTED,
            ha="right",
            va="center",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )
