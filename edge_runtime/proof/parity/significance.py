"""Which classes and which cells of the confusion matrix moved beyond chance."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_runtime.proof.metrics import PairedCounts, Rate
from edge_runtime.proof.statistics.paired import difference_interval, holm, mcnemar_p_value

SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class ClassChange:
    """What became of one class.

    Attributes:
        before: the share of its images that the reference found.
        after: the share that the candidate found.
        interval: of the difference of both shares, at 95 % for this class alone.
        p_value: of the exact McNemar test, adjusted for all classes by Holm's method.
    """

    index: int
    before: Rate
    after: Rate
    lost: int
    won: int
    interval: tuple[float, float]
    p_value: float

    @property
    def difference(self) -> float:
        """The candidate's recall minus the reference's."""
        return self.after.value - self.before.value

    @property
    def beyond_chance(self) -> bool:
        """Whether luck is an unlikely explanation, given how many classes were looked at."""
        return self.p_value < SIGNIFICANCE

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "class": self.index,
            "recall_full": self.before.to_dict(),
            "recall": self.after.to_dict(),
            "lost": self.lost,
            "won": self.won,
            "difference_interval": list(self.interval),
            "p_value_holm": self.p_value,
            "beyond_chance": self.beyond_chance,
        }


@dataclass(frozen=True)
class CellChange:
    """What became of one cell of the confusion matrix.

    Attributes:
        left: images of the reference's cell that the candidate answers otherwise.
        entered: images of the candidate's cell that the reference answered otherwise.
        p_value: of the exact McNemar test, adjusted by Holm's method for all cells that an image
            left or entered. In the others the test cannot find anything, whatever the truth, so
            they need no correction (Tarone 1990, Biometrics 46: 515-522).
    """

    true: int
    answer: int
    left: int
    entered: int
    p_value: float

    @property
    def beyond_chance(self) -> bool:
        """Whether luck is an unlikely explanation, given how many cells were looked at."""
        return self.p_value < SIGNIFICANCE

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**vars(self), "beyond_chance": self.beyond_chance}


def class_changes(counts: PairedCounts) -> tuple[ClassChange, ...]:
    """Return what became of each class that has images, in the order of the classes."""
    before, after = counts.reference_recalls, counts.candidate_recalls
    present = [index for index, rate in enumerate(before) if rate.total]
    lost, won, totals = counts.by_class
    intervals = difference_interval(lost[present], won[present], totals[present])
    p_values = holm([mcnemar_p_value(int(lost[index]), int(won[index])) for index in present])
    found = zip(present, *(bound.tolist() for bound in intervals), p_values, strict=True)
    return tuple(
        ClassChange(at, before[at], after[at], int(lost[at]), int(won[at]), (low, high), p_value)
        for at, low, high, p_value in found
    )


def cell_changes(counts: PairedCounts) -> tuple[CellChange, ...]:
    """Return the cells that images left or entered, the least likely by chance first."""
    cells = [(int(true), int(answer)) for true, answer in np.argwhere(counts.left + counts.entered)]
    moved = [(int(counts.left[cell]), int(counts.entered[cell])) for cell in cells]
    p_values = holm([mcnemar_p_value(left, entered) for left, entered in moved])
    changes = [
        CellChange(*cell, *sizes, p_value)
        for cell, sizes, p_value in zip(cells, moved, p_values, strict=True)
    ]
    return tuple(sorted(changes, key=lambda change: (change.p_value, change.true, change.answer)))
