"""From block medians to figures, and from figures to a table."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Result:
    """What one contestant did; times in microseconds per image.

    Attributes:
        key, label, precision, version: who.
        median, low, high: of the block medians over the rounds; 50, 10 and 90 %.
        least: the fastest single image.
        ratio: median of (block median / LiteRT static's of the same round); None without it.
        accuracy: share of the test images that it names rightly, 0 to 1.
        same_as_keras: share of the test images that it names as Keras does, 0 to 1.
        difference: largest difference of a probability from Keras'.
    """

    key: str
    label: str
    precision: str
    version: str
    median: float
    low: float
    high: float
    least: float
    ratio: float | None
    accuracy: float
    same_as_keras: float
    difference: float

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)


def spread(medians: Sequence[float]) -> tuple[float, float, float]:
    """Return 10, 50 and 90 % of the block medians."""
    low, middle, high = np.percentile(medians, [10, 50, 90])
    return float(low), float(middle), float(high)


def ratio_in_rounds(medians: Sequence[float], baseline: Sequence[float] | None) -> float | None:
    """Return the median over the rounds of the ratio within a round, which drift leaves alone."""
    if baseline is None:
        return None
    return float(np.median(np.array(medians) / np.array(baseline)))


def table(results: Sequence[Result]) -> str:
    """Return a Markdown table, the fastest first within a precision."""
    head = (
        "| runtime | | median µs | 10–90 % | least | × LiteRT static | accuracy | as Keras | "
        "largest difference |\n|---|---|---:|---:|---:|---:|---:|---:|---:|"
    )
    rows = [
        f"| {r.label} | {r.precision} | {r.median:.1f} | {r.low:.1f}–{r.high:.1f} | "
        f"{r.least:.1f} | "
        f"{'' if r.ratio is None else f'{r.ratio:.2f}'} | {r.accuracy:.1%} | {r.same_as_keras:.1%} "
        f"| {r.difference:.4f} |"
        for r in sorted(results, key=lambda item: (item.precision != "int8", item.median))
    ]
    return "\n".join([head, *rows])
