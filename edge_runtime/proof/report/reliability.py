"""The reliability diagram of both models, as SVG."""

from edge_runtime.proof.metrics import ConfidenceCounts, PairedCounts, Rate
from edge_runtime.proof.report.markup import escaped
from edge_runtime.wording import fitted

_WIDTH, _HEIGHT = 380, 452
_LEFT, _TOP, _SIDE = 44, 34, 320
_BIN = _SIDE // 10
_BARS_TOP, _BARS_HEIGHT = _TOP + _SIDE + 28, 34
_COUNTS_TOP = _BARS_TOP + _BARS_HEIGHT


def reliability_diagram(counts: PairedCounts, model: str) -> str:
    """Draw accuracy over confidence in ten bins for both models, and how many images are in each.

    The whiskers are 95 % intervals of the accuracy.
    """
    models = (
        ("reference", counts.reference_confidence, -4),
        ("candidate", counts.candidate_confidence, 4),
    )
    content = "".join(
        _line(kind, confidence, shift) + _bars(kind, confidence, shift, counts.image_count)
        for kind, confidence, shift in models
    )
    return (
        f'<svg class="reliability" role="img" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'aria-label="Reliability diagram of the full model and {escaped(model)}">'
        f"{_frame()}{_legend(model)}{content}</svg>"
    )


def _x(share: float) -> float:
    return _LEFT + share * _SIDE


def _y(share: float) -> float:
    return _TOP + (1 - share) * _SIDE


def _frame() -> str:
    ticks = "".join(
        f'<line class="grid" x1="{_x(share):.0f}" x2="{_x(share):.0f}" y1="{_TOP}" '
        f'y2="{_TOP + _SIDE}"/>'
        f'<line class="grid" x1="{_LEFT}" x2="{_LEFT + _SIDE}" y1="{_y(share):.0f}" '
        f'y2="{_y(share):.0f}"/>'
        f'<text class="tick middle" x="{_x(share):.0f}" y="{_TOP + _SIDE + 16}">'
        f"{share * 100:.0f} %</text>"
        f'<text class="tick end" x="{_LEFT - 6}" y="{_y(share) + 4:.0f}">{share * 100:.0f} %</text>'
        for share in (0, 0.2, 0.4, 0.6, 0.8, 1)
    )
    return (
        f'{ticks}<line class="diagonal" x1="{_x(0):.0f}" y1="{_y(0):.0f}" x2="{_x(1):.0f}" '
        f'y2="{_y(1):.0f}"/>'
        f'<text class="tick" x="{_LEFT - 38}" y="{_COUNTS_TOP + 15}">full</text>'
        f'<text class="tick" x="{_LEFT - 38}" y="{_COUNTS_TOP + 29}">conv.</text>'
        f'<text class="tick end" x="{_LEFT + _SIDE - 4}" y="{_TOP + _SIDE - 8}">confidence →</text>'
        f'<text class="tick" x="{_LEFT + 6}" y="{_TOP + 16}">↑ right</text>'
    )


def _legend(model: str) -> str:
    return (
        f'<circle class="point reference" cx="{_LEFT + 6}" cy="14" r="5"/>'
        f'<text class="legend" x="{_LEFT + 17}" y="18">full model</text>'
        f'<path class="point candidate" d="M{_LEFT + 116} 8h12v12h-12z"/>'
        f'<text class="legend" x="{_LEFT + 135}" y="18">{escaped(fitted(model, 24))}</text>'
    )


def _line(kind: str, confidence: ConfidenceCounts, shift: int) -> str:
    """Draw a model's points where it had images, joined, with whiskers."""
    images, right, sums = confidence.bins
    points, marks = [], ""
    for low in range(len(images)):
        if not images[low]:
            continue
        rate = Rate(int(right[low]), int(images[low]))
        x, y = _x(float(sums[low] / images[low])), _y(rate.value)
        points.append(f"{x:.1f} {y:.1f}")
        marks += _point(kind, x, y, rate, shift)
    return f'<path class="joined {kind}" d="M{"L".join(points)}"/>{marks}'


def _point(kind: str, x: float, y: float, rate: Rate, shift: int) -> str:
    low, high = rate.interval
    whisker = (
        f'<line class="spread {kind}" x1="{x + shift / 2:.1f}" x2="{x + shift / 2:.1f}" '
        f'y1="{_y(low):.1f}" y2="{_y(high):.1f}"/>'
    )
    if kind == "reference":
        return f'{whisker}<circle class="point {kind}" cx="{x:.1f}" cy="{y:.1f}" r="5"/>'
    return f'{whisker}<path class="point {kind}" d="M{x - 4:.1f} {y - 4:.1f}h8v8h-8z"/>'


def _bars(kind: str, confidence: ConfidenceCounts, shift: int, total: int) -> str:
    images = confidence.bins[0]
    line = _COUNTS_TOP + (15 if kind == "reference" else 29)
    drawn = ""
    for low, count in enumerate(images):
        middle = _x(low / 10) + _BIN / 2
        height = _BARS_HEIGHT * int(count) / total
        drawn += (
            f'<rect class="bar {kind}" x="{middle + shift - (9 if shift < 0 else 0):.0f}" '
            f'y="{_COUNTS_TOP - height:.1f}" width="9" height="{height:.1f}"/>'
            f'<text class="count" x="{middle:.0f}" y="{line}">{_compact(int(count))}</text>'
        )
    return drawn


def _compact(count: int) -> str:
    """Return a count in four letters at most: 999, 12k, 3M."""
    if count < 10_000:
        return str(count)
    return f"{count // 1000}k" if count < 1_000_000 else f"{count // 1_000_000}M"
