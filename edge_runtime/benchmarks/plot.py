"""Accuracy against latency, the size of the files as areas: what a choice costs, in one picture.

It is the only module of this package that knows Matplotlib, which a device does not have; it is
imported when a plot is asked for.
"""

import importlib.util
import io
import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from edge_runtime.benchmarks.result import Benchmark, Measured
from edge_runtime.errors import EdgeError, MissingDependencyError
from edge_runtime.runtimes.machine import machine_details
from edge_runtime.wording import microseconds, plural, printable, shortened, size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.text import Annotation, Text
    from matplotlib.transforms import Bbox

# The look of all figures; those of the trainer take it from here. The palette is Okabe and Ito's,
# which stays distinct under every common colour blindness (https://jfly.uni-koeln.de/color/), the
# font the one that comes with Matplotlib, so that a figure has the same bytes wherever it is drawn.
BLUE, ORANGE, INK, MUTED, FAINT = "#0072B2", "#E69F00", "#1B1F24", "#59636E", "#E4E7EB"
FONT = "DejaVu Sans"
LOOK = {
    "font.family": FONT,
    "font.size": 9,
    "text.color": INK,
    "text.parse_math": False,  # a class may be called "5$ or $6"
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "ytick.major.size": 0,
}
_SIZE_IN = (800 / 120, 4.4)
_DPI = 120
_LEFT = 0.035  # the figure's margins, as a share of its width
_LONGEST_NAME = 60
_LARGEST_AREA = 900.0  # square points of the largest file
_POINTS_PER_INCH = 72
_LEAST_POINTS = 3.0  # the vertical axis spans at least so many: small differences look small
_LOG_FROM = 8.0  # the slowest takes so many times as long as the fastest

# How far above or below its disc a label may stand, in points, the best place first.
_HEIGHTS = (34, -34, 66, -66, 98, -98)


def refuse_missing_matplotlib() -> None:
    """Raise unless Matplotlib is there, without importing it.

    Raises:
        MissingDependencyError: it is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingDependencyError(
            "--plot needs Matplotlib, which is not installed; install it with: pip install "
            "'matplotlib>=3.8', or leave out --plot"
        )


def benchmark_plot(found: Benchmark) -> bytes:
    """Return a PNG that has the finding as its title.

    Raises:
        EdgeError: the accuracy of none was measured.
        MissingDependencyError: Matplotlib is not installed.
    """
    shown = [each for each in found.measured if each.score]
    if not shown:
        raise EdgeError(
            "There is nothing to plot, since no accuracy was measured; name test images that fit "
            "the models with --dataset."
        )
    refuse_missing_matplotlib()
    from matplotlib import style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with style.context(["default", LOOK]):
        figure = Figure(figsize=_SIZE_IN, dpi=_DPI, facecolor="white")
        renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
        title = figure.text(_LEFT, 0.955, printable(found.choice.headline), va="top")
        title.set(fontsize=12.5, fontweight="bold")
        below = 0.955 - 0.065 * _wrap(title, renderer)
        subtitle = figure.text(_LEFT, below, _subtitle(found), va="top", color=MUTED)
        lines = _wrap(subtitle, renderer)
        axes = figure.add_axes((0.085, 0.12, 0.88, below - 0.06 - 0.04 * lines - 0.12))
        _draw(axes, shown, taken=found.choice.taken)
        _label(axes, shown, renderer)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()


def _wrap(text: "Text", renderer: "RendererAgg") -> int:
    """Break a text into lines that end before the figure's right margin; return how many."""
    words = text.get_text()
    lines, columns = [words], len(words)
    right = renderer.width * (1 - _LEFT)
    while text.get_window_extent(renderer).x1 > right and columns > 1:
        columns -= 1
        lines = textwrap.wrap(words, columns)
        text.set_text("\n".join(lines))
    return len(lines)


def _subtitle(found: Benchmark) -> str:
    total = max(each.score.accuracy.total for each in found.measured if each.score)
    threads = found.measured[0].contestant.threads
    dataset = shortened(printable(found.dataset), _LONGEST_NAME)
    return (
        f"{plural(total, 'test image')} of {dataset}; median of one image on "
        f"{plural(threads, 'thread')} of {machine_details()['cpu']}; areas: size of the file"
    )


def _draw(axes: "Axes", shown: Sequence[Measured], *, taken: Measured) -> None:
    """Draw the axes and a disc for each contestant, the largest lowest."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    times = [each.median_us for each in shown]
    shares = [_percent(each) for each in shown]
    largest = max(each.summary.size_bytes for each in shown)
    middle, half = (max(shares) + min(shares)) / 2, max(_LEAST_POINTS, max(shares) - min(shares))
    axes.set_ylim(middle - 0.85 * half, middle + 0.85 * half)
    if max(times) > _LOG_FROM * min(times):
        axes.set_xscale("log")
        axes.set_xlim(min(times) / 1.8, max(times) * 1.8)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.set_xlim(0, max(times) * 1.2)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.grid(axis="y")
    axes.set_xlabel("median time of one image, µs")
    axes.text(0, 1.03, "right answers, %", transform=axes.transAxes, color=MUTED)
    for each in sorted(shown, key=lambda each: -each.summary.size_bytes):
        axes.scatter(
            each.median_us,
            _percent(each),
            s=_LARGEST_AREA * each.summary.size_bytes / largest,
            color=ORANGE if each is taken else BLUE,
            edgecolor="white",
            zorder=3,
        )


def _label(axes: "Axes", shown: Sequence[Measured], renderer: "RendererAgg") -> None:
    """Write name, time and size above or below each disc, at the nearest height that is free."""
    from matplotlib.transforms import Bbox

    points = [(each.median_us, _percent(each)) for each in shown]
    places = axes.transData.transform(points)
    # A disc of the largest area has this radius; labels stay clear of all of them.
    clear = (_LARGEST_AREA / math.pi) ** 0.5 * _DPI / _POINTS_PER_INCH
    occupied = [Bbox.from_bounds(x - clear, y - clear, 2 * clear, 2 * clear) for x, y in places]
    for number in sorted(range(len(shown)), key=lambda index: points[index][0]):
        each = shown[number]
        figures = f"{microseconds(each.median_us)} µs, {size(each.summary.size_bytes)}"
        for height in _HEIGHTS:
            label = axes.annotate(
                f"{printable(each.name)}\n{figures}",
                points[number],
                xytext=(0, height),
                textcoords="offset points",
                ha="center",
                va="center",
                linespacing=1.25,
                # Above the lines that lead to labels farther out, and below the discs.
                zorder=2 - abs(height) / 100,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
                arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.8, "shrinkB": 0},
            )
            box = _moved_inside(label, axes, renderer)
            if height == _HEIGHTS[-1] or not any(box.overlaps(other) for other in occupied):
                occupied.append(box)
                break
            label.remove()


def _moved_inside(label: "Annotation", axes: "Axes", renderer: "RendererAgg") -> "Bbox":
    """Move a label sideways until it is within the axes, and return where its text is."""
    from matplotlib.text import Text

    label.update_positions(renderer)
    box = Text.get_window_extent(label, renderer)
    left, right = axes.bbox.x0 - box.x0, box.x1 - axes.bbox.x1
    shift = max(0.0, left) - max(0.0, right)
    label.xyann = (shift * _POINTS_PER_INCH / _DPI, label.xyann[1])
    return box.translated(shift, 0).padded(2)


def _percent(each: Measured) -> float:
    return 100 * each.score.accuracy.value if each.score else math.nan
