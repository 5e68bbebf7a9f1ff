"""Horizontal bars of the medians, int8 and float32 side by side."""

import io
from collections.abc import Sequence

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

from peers.results import Result

_OURS, _OTHERS = "#D55E00", "#56B4E9"  # of Okabe and Ito's colours


def draw(results: Sequence[Result], title: str) -> bytes:
    """Return a PNG."""
    figure, panels = plt.subplots(1, 2, figsize=(13, 5.4), layout="constrained")
    figure.suptitle(title, fontsize=15, fontweight="bold")
    for axes, precision in zip(panels, ("int8", "float32"), strict=True):
        chosen = [item for item in results if item.precision == precision]
        chosen.sort(key=lambda item: -item.median)
        colors = [_OURS if item.key.startswith("fmnist-edge") else _OTHERS for item in chosen]
        bars = axes.barh([r.label for r in chosen], [r.median for r in chosen], color=colors)
        axes.bar_label(bars, [f"{r.median:.0f} µs" for r in chosen], padding=4)
        axes.set_title(precision, loc="left")
        axes.set_xlabel("µs for one image, one thread, median (less is better)")
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.margins(x=0.14)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=130, metadata={"Software": None})
    plt.close(figure)
    return buffer.getvalue()


def headline(results: Sequence[Result]) -> str:
    """Return the finding in one sentence: us against the fastest int8 peer outside LiteRT."""
    int8 = [item for item in results if item.precision == "int8"]
    ours = next((item for item in int8 if item.key == "fmnist-edge-int8"), None)
    others = [item for item in int8 if not item.key.startswith(("fmnist-edge", "litert"))]
    if ours is None or not others:
        return "The article's network, one image"
    best = min(others, key=lambda item: item.median)
    factor = best.median / ours.median
    word = f"{factor:.1f} × as fast as" if factor >= 1 else f"{1 / factor:.1f} × slower than"
    return f"fmnist-edge's int8 is {word} {best.label}, the next outside LiteRT"
