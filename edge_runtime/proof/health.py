"""Whether a converted model answers at chance, or has lost most of what its full model can do."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.counting import count_numbers
from edge_runtime.proof.metrics import Rate
from edge_runtime.proof.statistics.paired import difference_interval
from edge_runtime.wording import percent


@dataclass(frozen=True)
class Health:
    """How often a model is right, against always giving the commonest class and its full model.

    Attributes:
        images: which ones, in words: "test images" or "training images".
        commonest: how many images are of the commonest class.
        full: the full model's accuracy on the same images; None where that is not known.
        lost: images that only the full model answers rightly.
        won: images that only this one does.
        unrelated: the accuracy of answers that are as frequent as the model's, and have nothing to
            do with the images; by default that of always giving the commonest class.
    """

    images: str
    accuracy: Rate
    commonest: int
    full: Rate | None = None
    lost: int = 0
    won: int = 0
    unrelated: float | None = None

    @property
    def chance(self) -> float:
        """The accuracy of always giving the commonest class."""
        return self.commonest / self.accuracy.total

    @property
    def is_at_chance(self) -> bool:
        """Whether the accuracy is not shown to be above chance, at 95 %.

        So few images that even right answers to all would not show it say nothing. Where nearly all
        images are of one class a good model is hardly more accurate than always giving that one;
        it is at chance only if it is less accurate, or its answers may be unrelated to the images.
        """
        total = self.accuracy.total
        could_be_shown = Rate(total, total).exact_interval()[0] > self.chance
        low = self.accuracy.exact_interval()[0]
        unrelated = self.chance if self.unrelated is None else self.unrelated
        related = self.accuracy.value >= self.chance and low > unrelated
        return could_be_shown and low <= self.chance and not related

    @property
    def has_lost_half(self) -> bool:
        """Whether it is shown, at 95 %, to have lost half of what the full model is above chance.

        The interval is the one that `parity` decides with.
        """
        if self.full is None:
            return False
        above = self.full.value - self.chance
        _, best = difference_interval(self.lost, self.won, self.accuracy.total)
        return above > 0 and best < -above / 2

    @property
    def warning(self) -> str | None:
        """What to tell the user, with figures; None where all is well."""
        if self.is_at_chance:
            what = "answers at chance"
        elif self.has_lost_half:
            what = "has lost more than half of the full model's accuracy above chance"
        else:
            return None
        low, high = self.accuracy.exact_interval()
        full = f", the full model {percent(self.full.value)} %" if self.full else ""
        return (
            f"{what}: {percent(self.accuracy.value)} % of {self.accuracy.total:,} {self.images} "
            f"are right (95 % interval {percent(low)} to {percent(high)}){full}; always giving the "
            f"commonest class {percent(self.chance)} %"
        )

    def to_dict(self) -> Mapping[str, Any]:
        """Return it for JSON."""
        return {
            "images": self.images,
            "accuracy": self.accuracy.to_dict(),
            "chance": self.chance,
            "full_model_accuracy": self.full.to_dict() if self.full else None,
            "warning": self.warning,
        }


def measure_health(
    answers: NDArray[np.int64],
    labels: NDArray[np.int64],
    full_answers: NDArray[np.int64] | None = None,
    *,
    images: str,
) -> Health:
    """Return how a model does on labelled images, one or more.

    Its answers, the labels, and the full model's answers if they are known are (N,) classes;
    ``images`` says in words which images these are.
    """
    right = answers == labels
    of_class = count_numbers(labels)
    given = count_numbers(answers, len(of_class))[: len(of_class)]
    health = Health(
        images,
        Rate(int(right.sum()), len(labels)),
        int(of_class.max()),
        unrelated=float(of_class @ given) / len(labels) ** 2,
    )
    if full_answers is None:
        return health
    full = full_answers == labels
    return replace(
        health,
        full=Rate(int(full.sum()), len(labels)),
        lost=int((full & ~right).sum()),
        won=int((right & ~full).sum()),
    )


def warning_line(name: str, warning: str) -> str:
    """Return the line for standard error, with what to do."""
    return f"WARNING: {name} {warning}. Find out why with: fmnist-edge doctor {name}"
