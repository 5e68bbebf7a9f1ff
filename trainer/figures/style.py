"""One look for every figure: size, palette, type, and a header that states the finding."""

import functools
import io
from bisect import bisect_right
from collections.abc import Callable
from typing import Any, ParamSpec

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.textpath import TextToPath

from edge_runtime.benchmarks.plot import FONT, LOOK, MUTED

# Blue is right, or the test split; vermilion, of the same palette, is wrong.
VERMILION = "#D55E00"

POINTS_PER_INCH = 72
WIDTH_IN = 800 / 120  # the width of a README's column, at DPI dots per inch
DPI = 120
MARGIN_IN = 0.25
TITLE_PT = 12.5
SUBTITLE_PT = 9.0
LINE_SPACING = 1.25

STYLE = {
    **LOOK,
    "axes.formatter.useoffset": False,
    "axes.linewidth": 0.8,
    "grid.linewidth": 0.8,
    "hatch.linewidth": 0.8,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "figure.dpi": DPI,
}

P = ParamSpec("P")


def styled(build: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw a figure in the house style, whatever the reader's own Matplotlib settings are.

    Matplotlib makes ticks when it first draws, so each figure is laid out here, and stays so.
    """

    @functools.wraps(build)
    def in_house_style(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with style.context(["default", STYLE]):
            figure = build(*args, **kwargs)
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
        return figure

    return in_house_style


def to_png(figure: Figure) -> bytes:
    """Return a figure as PNG; the same figure always gives the same bytes."""
    buffer = io.BytesIO()
    with style.context(["default", STYLE]):
        figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def new_figure(title: str, subtitle: str, *, body_in: float) -> Figure:
    """Return an empty figure with a header above a body of ``body_in`` inches.

    Args:
        title: the finding, also found by ``figure.get_suptitle()``.
        subtitle: what is shown, and of how many images.
        body_in: height for axes, measured from the bottom edge.
    """
    title = wrap_text(title, size=TITLE_PT, weight="bold")
    subtitle = wrap_text(subtitle, size=SUBTITLE_PT)
    title_in, subtitle_in = (
        LINE_SPACING * size * (1 + text.count("\n")) / POINTS_PER_INCH
        for text, size in ((title, TITLE_PT), (subtitle, SUBTITLE_PT))
    )
    gap_in = 0.06
    height_in = body_in + MARGIN_IN + title_in + gap_in + subtitle_in + 0.13
    figure = Figure(figsize=(WIDTH_IN, height_in), dpi=DPI, facecolor="white")
    left, top = MARGIN_IN / WIDTH_IN, 1 - MARGIN_IN / height_in
    below = top - (title_in + gap_in) / height_in
    shared: dict[str, Any] = {
        "ha": "left",
        "va": "top",
        "linespacing": LINE_SPACING,
        "in_layout": False,
    }
    figure.suptitle(title, x=left, y=top, fontsize=TITLE_PT, fontweight="bold", **shared)
    figure.text(left, below, subtitle, fontsize=SUBTITLE_PT, color=MUTED, **shared)
    return figure


def new_chart(
    title: str, subtitle: str, *, body_in: float, columns: int = 1
) -> tuple[Figure, list[Axes]]:
    """Return a figure as `new_figure` does, and the axes in its body, side by side.

    Matplotlib arranges them in the body with everything written around them.
    """
    figure = new_figure(title, subtitle, body_in=body_in)
    height_in = figure.get_figheight()
    pad_in = 0.6 * MARGIN_IN
    body = (
        (MARGIN_IN - pad_in) / WIDTH_IN,
        (MARGIN_IN - pad_in) / height_in,
        1 - 2 * (MARGIN_IN - pad_in) / WIDTH_IN,
        (body_in - MARGIN_IN + pad_in) / height_in,
    )
    figure.set_layout_engine(ConstrainedLayoutEngine(rect=body, w_pad=pad_in, h_pad=pad_in))
    return figure, list(figure.subplots(1, columns, squeeze=False)[0])


def label_axes(axes: Axes, *, x: str, y: str) -> None:
    """Name both axes, the vertical one by a line over its top that needs no tilted head."""
    axes.set_xlabel(x, labelpad=6)
    axes.set_ylabel(y, rotation=0, ha="left", va="bottom")
    axes.yaxis.set_label_coords(0, 1.03)


def legend_above(axes: Axes, side: str, **look: Any) -> None:
    """Name what is drawn in one row over the "left" or the "right" end of the axes."""
    look |= {"loc": f"lower {side}", "bbox_to_anchor": (0 if side == "left" else 1, 1)}
    axes.legend(ncols=2, borderaxespad=0, frameon=False, **look)


def text_width_pt(text: str, *, size: float, weight: str = "normal") -> float:
    """Return the width of one line of text, in points."""
    font = FontProperties(family=FONT, size=size, weight=weight)
    width, _, _ = TextToPath().get_text_width_height_descent(text, font, ismath=False)
    return float(width)


def fit_text(text: str, *, width_in: float, size: float, weight: str = "normal") -> str:
    """Return ``text`` on one line, cut with an ellipsis where it would pass ``width_in`` inches."""
    text = " ".join(text.split())
    limit_pt = width_in * POINTS_PER_INCH
    if text_width_pt(text, size=size, weight=weight) <= limit_pt:
        return text

    def cut_width_pt(length: int) -> float:
        return text_width_pt(text[:length] + "…", size=size, weight=weight)

    kept = bisect_right(range(len(text)), limit_pt, key=cut_width_pt) - 1
    return text[: max(kept, 1)].rstrip() + "…"


def wrap_text(text: str, *, size: float, weight: str = "normal") -> str:
    """Break ``text`` into lines as wide as a figure; a number keeps its per-cent sign."""
    widest_pt = (WIDTH_IN - 2 * MARGIN_IN) * POINTS_PER_INCH
    words = text.replace(" %", "\N{NO-BREAK SPACE}%").split(" ")

    def fill(limit_pt: float) -> list[str]:
        lines = words[:1]
        for word in words[1:]:
            longer = f"{lines[-1]} {word}"
            if text_width_pt(longer, size=size, weight=weight) <= limit_pt:
                lines[-1] = longer
            else:
                lines.append(word)
        return lines

    lines = fill(widest_pt)
    if len(lines) > 1:  # no last line of one word: narrow all lines as far as their number allows
        limits_pt = [widest_pt * share / 20 for share in range(10, 20)]
        lines = next(
            (narrow for narrow in map(fill, limits_pt) if len(narrow) == len(lines)), lines
        )
    return "\n".join(lines).replace("\N{NO-BREAK SPACE}%", " %")


def percent(fraction: float, *, digits: int = 0) -> str:
    """Return "54 %"; what only rounds to nothing or to all of it reads "<1 %" or ">99 %"."""
    return f"{percent_number(fraction, digits=digits)} %"


def percent_number(fraction: float, *, digits: int = 0) -> str:
    """Return ``fraction`` as ``percent`` does, without the sign."""
    if fraction in (0, 1):
        return f"{100 * fraction:.0f}"
    step = 10.0**-digits
    value = round(100 * fraction, digits)
    if value <= 0:
        return f"<{step:.{digits}f}"
    if value >= 100:
        return f">{100 - step:.{digits}f}"
    return f"{value:.{digits}f}"
