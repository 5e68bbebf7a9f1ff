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

from edge_runtime.benchmark.result import Benchmark, Measured
from edge_runtime.errors import EdgeError, MissingDependencyError
from edge_runtime.machine import machine_details
from edge_runtime.wording import microseconds, plural, printable, size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import RendererAgg

# The look of the training figures (trainer/figures/style.py), which this package must not import.
_BLUE, _ORANGE, _INK, _MUTED, _FAINT = "#0072B2", "#E69F00", "#1B1F24", "#59636E", "#E4E7EB"
_STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": _INK,
    "text.parse_math": False,
    "axes.edgecolor": _MUTED,
    "axes.labelcolor": _MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "grid.color": _FAINT,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "ytick.major.size": 0,
}
_SIZE_IN = (800 / 120, 4.4)
_DPI = 120
_TITLE_COLUMNS = 72
_LARGEST_AREA = 900.0  # square points of the largest file
_LEAST_POINTS = 3.0  # the vertical axis spans at least so many: small differences look small
_LOG_FROM = 8.0  # the slowest takes so many times as long as the fastest

# Where a label may stand beside its point: to which side, and how far up, in lines of text.
_PLACES = [(side, lines) for lines in (0, 1.4, -1.4, 2.8, -2.8) for side in ("left", "right")]


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
    """Return a PNG; the title is the finding.

    Raises:
        EdgeError: the accuracy of none was measured.
        MissingDependencyError: Matplotlib is not installed.
    """
    shown = [each for each in found.measured if each.score]
    if not shown:
        raise EdgeError(
            "There is nothing to plot: no accuracy was measured; name test images that fit the "
            "models with --dataset."
        )
    refuse_missing_matplotlib()
    from matplotlib import style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with style.context(["default", _STYLE]):
        figure = Figure(figsize=_SIZE_IN, dpi=_DPI, facecolor="white")
        renderer = FigureCanvasAgg(figure).get_renderer()
        axes = figure.add_axes((0.085, 0.12, 0.88, 0.62))
        title = "\n".join(textwrap.wrap(printable(found.choice.headline), _TITLE_COLUMNS))
        figure.text(0.035, 0.955, title, va="top", fontsize=12.5, fontweight="bold")
        lower = 0.955 - 0.06 * (1 + title.count("\n"))
        figure.text(0.035, lower, _subtitle(found), va="top", color=_MUTED)
        _draw(axes, shown, taken=found.choice.taken)
        _label(axes, shown, renderer)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()


def _subtitle(found: Benchmark) -> str:
    total = max(each.score.accuracy.total for each in found.measured if each.score)
    threads = found.measured[0].contestant.threads
    return (
        f"{plural(total, 'test image')} of {printable(found.dataset)}; median of one image on "
        f"{plural(threads, 'thread')} of {machine_details()['cpu']}; areas: size of the file"
    )


def _draw(axes: "Axes", shown: Sequence[Measured], *, taken: Measured | None) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    times = [each.median_us for each in shown]
    shares = [_percent(each) for each in shown]
    largest = max(each.summary.size_bytes for each in shown)
    middle, half = (max(shares) + min(shares)) / 2, max(_LEAST_POINTS, max(shares) - min(shares))
    axes.set_ylim(middle - 0.7 * half, middle + 0.7 * half)
    if max(times) > _LOG_FROM * min(times):
        axes.set_xscale("log")
        axes.set_xlim(min(times) / 1.6, max(times) * 1.6)
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_xlim(0, max(times) * 1.25)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.grid(axis="y")
    axes.set_xlabel("median time of one image, µs")
    axes.text(0, 1.02, "right answers, %", transform=axes.transAxes, color=_MUTED)
    for each, time, share in zip(shown, times, shares, strict=True):
        axes.scatter(
            time,
            share,
            s=_area(each, largest),
            color=_ORANGE if each is taken else _BLUE,
            alpha=0.85,
            linewidth=0,
        )


def _label(axes: "Axes", shown: Sequence[Measured], renderer: "RendererAgg") -> None:
    """Write name, time and size beside each point, at the first place that is free."""
    from matplotlib.transforms import Bbox

    scale = _DPI / 72
    largest = max(each.summary.size_bytes for each in shown)
    points = [(each.median_us, _percent(each)) for each in shown]
    radii = [(_area(each, largest) / math.pi) ** 0.5 for each in shown]
    taken = [
        Bbox.from_extents(
            x - radius * scale, y - radius * scale, x + radius * scale, y + radius * scale
        )
        for (x, y), radius in zip(axes.transData.transform(points), radii, strict=True)
    ]
    for each, point, radius in zip(shown, points, radii, strict=True):
        for side, lines in _PLACES:
            label = axes.annotate(
                f"{printable(each.name)}  {microseconds(each.median_us)} µs, "
                f"{size(each.summary.size_bytes)}",
                point,
                xytext=((radius + 4) * (1 if side == "left" else -1), 9 * lines),
                textcoords="offset points",
                ha=side,
                va="center",
            )
            box = label.get_window_extent(renderer)
            inside = box.x0 > 0 and box.x1 < _SIZE_IN[0] * _DPI
            free = inside and not any(box.overlaps(other) for other in taken)
            if free or (side, lines) == _PLACES[-1]:
                taken.append(box)
                break
            label.remove()


def _percent(each: Measured) -> float:
    return 100 * each.score.accuracy.value if each.score else math.nan


def _area(each: Measured, largest: int) -> float:
    """Return the area of a point, in square points."""
    return _LARGEST_AREA * each.summary.size_bytes / largest
