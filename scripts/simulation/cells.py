"""One combination of images, truth and limit: what was found there, and what it must be."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

SIZES = (200, 500, 1000, 2000, 5000, 10000)

LEAST_COVERED = 0.94
# Half of what a 95 % interval leaves out, for every demand.
MOST_WRONG = 0.025
_STANDARD_ERRORS = 3


@dataclass(frozen=True)
class Cell:
    """One combination of images, truth and limit, and what shares of its samples were found."""

    demand: str  # the key in parity.toml
    case: str  # what the candidate does to the answers
    size: int  # images
    limit: float  # the margin, which is also the truth: what is lost, or how much agrees
    count: int  # samples drawn
    covers: float  # of intervals that have the truth in them
    wrong: float | None  # that hold although the truth is the limit; None without a limit
    power: float | None  # that hold when the candidate is healthy; None without a limit
    most_covered: float | None = None  # None where counts are too coarse for such a bar

    def faults(self, tolerance: float) -> list[str]:
        """Return which bars are missed; coverage may be off by the tolerance."""
        found = []
        if self.covers < LEAST_COVERED - tolerance:
            found.append("covers too seldom")
        if self.most_covered is not None and self.covers > self.most_covered + tolerance:
            found.append("covers too often")
        if self.wrong is not None and self.wrong > most_wrong(self.count):
            found.append("wrong too often")
        return found

    def row(self, tolerance: float) -> tuple[object, ...]:
        """Return its row of a table with `COLUMNS`."""
        shares = self.limit, self.covers, self.wrong, self.power
        shown = (None if share is None else share * 100 for share in shares)
        return self.demand, self.case, self.size, *shown, ", ".join(self.faults(tolerance))


COLUMNS = ("demand:<12", "case:<15", "images:6,d", "limit:6.2f")
COLUMNS += ("covers:6.2f", "wrong:6.2f", "power:6.2f", "missed:<6")


def most_wrong(count: int) -> float:
    """Return 2.5 % and three standard errors of so many samples."""
    error = math.sqrt(MOST_WRONG * (1 - MOST_WRONG) / count)
    return MOST_WRONG + _STANDARD_ERRORS * error


def summary(cells: Sequence[Cell], tolerance: float) -> str:
    """Return the extremes of the cells of one demand."""
    covers = min(cell.covers for cell in cells) * 100
    wrong = max((cell.wrong for cell in cells if cell.wrong is not None), default=0) * 100
    faulty = sum(bool(cell.faults(tolerance)) for cell in cells)
    return (
        f"{cells[0].demand}: {len(cells)} cells, covers {covers:.2f} % at least, wrongly holds "
        f"{wrong:.2f} % at most, {faulty} miss a bar"
    )
