"""Accuracy and loss, epoch by epoch."""

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from edge_runtime.benchmarks.plot import BLUE, INK, MUTED, ORANGE
from edge_runtime.wording import plural
from trainer.figures.style import label_axes, new_chart, new_figure, percent, styled

History = Sequence[Mapping[str, float]]

# A test loss moves by a few per cent from one epoch to the next without meaning anything.
OVERFITTING_RISE = 1.05


@styled
def training_curves(history: History) -> Figure:
    """Draw accuracy and loss over epochs, for training images and, where tested, test images.

    Args:
        history: one mapping an epoch with ``epoch``, ``loss`` and ``accuracy``, and ``test_loss``
            and ``test_accuracy`` where the model was tested. Empty for a model taken as it is.
    """
    if not history:
        subtitle = "The model came trained; the other figures show how it answers."
        return new_figure("Taken as it is: no epochs trained", subtitle, body_in=0.1)
    figure, (accuracy, loss) = new_chart(
        _finding(history), _length(history), body_in=3.1, columns=2
    )
    _draw_panel(accuracy, history, "accuracy", scale=100, highest=100)
    _draw_panel(loss, history, "loss", scale=1, highest=math.inf)
    label_axes(accuracy, x="Epoch", y="Accuracy (%)")
    label_axes(loss, x="Epoch", y="Loss (cross-entropy, nats)")
    overfits = overfits_after(history)
    if overfits is not None:
        _mark_overfitting(loss, overfits)
    return figure


def overfits_after(history: History) -> int | None:
    """Return the epoch of the lowest test loss if the model overfits after it, else None.

    It overfits when the test loss ends more than 5 % above its lowest while the training loss has
    gone on falling.
    """
    tested = _tested(history)
    if not tested:
        return None
    best, last = min(tested, key=lambda epoch: epoch["test_loss"]), tested[-1]
    rises = last["test_loss"] > OVERFITTING_RISE * best["test_loss"]
    return int(best["epoch"]) if rises and last["loss"] < best["loss"] else None


def _tested(history: History) -> History:
    """Return the epochs after which the model was tested."""
    return [epoch for epoch in history if "test_loss" in epoch and "test_accuracy" in epoch]


def _most_accurate(tested: History) -> Mapping[str, float]:
    """Return the epoch of the highest test accuracy, the latest if there are several."""
    return max(tested, key=lambda epoch: (epoch["test_accuracy"], epoch["epoch"]))


def _finding(history: History) -> str:
    tested = _tested(history)
    if not tested:
        final = percent(history[-1]["accuracy"], digits=1)
        return f"Training accuracy {final}; the model was not tested"
    best, last = (epoch["test_accuracy"] for epoch in (_most_accurate(tested), tested[-1]))
    finding = f"Test accuracy {percent(last, digits=1)}"
    if best > last:
        finding += f", at best {percent(best, digits=1)}"
    elif len(tested) > 1:
        finding += ", its best"
    overfits = overfits_after(history)
    return finding if overfits is None else f"{finding}; overfits after epoch {overfits}"


def _length(history: History) -> str:
    """Say how long was trained, and when the model was best."""
    length, tested = plural(len(history), "epoch"), _tested(history)
    if len(tested) < 2:
        return length
    best = _most_accurate(tested)
    return f"{length}; the test accuracy was best after epoch {best['epoch']:.0f}"


def _draw_panel(
    axes: Axes, history: History, quantity: str, *, scale: float, highest: float
) -> None:
    """Draw one quantity, test over training, each line named at its end.

    No values are shown below zero, nor above the highest there is.
    """
    tested = _tested(history)
    lines = [("training", ORANGE, "s", "--", history, quantity)]
    if tested:
        lines.append(("test", BLUE, "o", "-", tested, f"test_{quantity}"))
    ends = []
    for name, colour, marker, dashes, epochs, key in lines:
        numbers = [epoch["epoch"] for epoch in epochs]
        values = [scale * epoch[key] for epoch in epochs]
        (line,) = axes.plot(numbers, values, color=colour, linestyle=dashes, marker=marker)
        line.set(linewidth=2, markersize=4.5, clip_on=False)
        line.set_markevery(1 if len(epochs) <= 15 else [len(epochs) - 1])
        ends.append((values[-1], name, colour, numbers[-1]))
    axes.grid(axis="y")
    axes.margins(x=0.04, y=0.1)
    axes.xaxis.set_major_locator(
        MaxNLocator(nbins=6, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1)
    )
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    bottom, top = axes.get_ylim()
    axes.set_ylim(max(bottom, 0), min(top, highest))
    _name_lines(axes, ends)


def _name_lines(axes: Axes, ends: list[tuple[float, str, str, float]]) -> None:
    """Write each line's name to the right of its end, apart where two ends are close."""
    bottom, top = axes.get_ylim()
    nearest = 0.075 * (top - bottom)  # the height of a name, as a share of the panel
    ends = sorted(ends)
    places = [end[0] for end in ends]
    overlap = nearest - (places[-1] - places[0])
    if len(places) == 2 and overlap > 0:
        places = [places[0] - overlap / 2, places[1] + overlap / 2]
    for (value, name, colour, epoch), place in zip(ends, places, strict=True):
        axes.annotate(
            name,
            xy=(epoch, value),
            xytext=(1.02, place),
            textcoords=axes.get_yaxis_transform(),
            color=INK if colour == ORANGE else colour,
            fontweight="bold",
            fontsize=8.5,
            va="center",
            annotation_clip=False,
        )


def _mark_overfitting(axes: Axes, epoch: int) -> None:
    """Mark the epoch after which the test loss only rises."""
    axes.axvline(epoch, color=MUTED, linewidth=1, linestyle=":")
    axes.annotate(
        "lowest\ntest loss",
        xy=(epoch, 1),
        xycoords=axes.get_xaxis_transform(),
        xytext=(4, 0),
        textcoords="offset points",
        fontsize=8,
        color=MUTED,
        va="top",
    )
