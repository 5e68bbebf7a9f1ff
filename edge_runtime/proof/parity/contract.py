"""What a converted model must keep so that it may be released."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from edge_runtime.errors import ContractError
from edge_runtime.proof.parity.steps import StepKind

DEFAULT_MAX_DROP = 0.01
# What 1,000 images show of our own integer files; docs/explanation/verdict.md says more.
DEFAULT_MIN_AGREEMENT = 0.95
_LEAST_CONFIDENCE, _MOST_CONFIDENCE = 0.5, 0.9999


@dataclass(frozen=True)
class Margins:
    """How far the answers may be from those before; None asks nothing.

    None of them may be so strict that no number of images could prove it: with a margin of 0 each
    interval would have to be a point.

    Attributes:
        accuracy: this share of right answers may be lost, above 0: 0.01 is one point.
        agreement: at least this share of the answers is the same, below 1.
        class_recall: each class may lose this share of its images, above 0.
        brier: the Brier score may rise by this, above 0: 0.02 is as much as when one image of a
            hundred goes from surely right to surely wrong.

    Examples:
        >>> Margins(accuracy=0.02, class_recall=0.1).agreement is None
        True
    """

    accuracy: float | None = None
    agreement: float | None = None
    class_recall: float | None = None
    brier: float | None = None

    def __post_init__(self) -> None:
        for name in ("accuracy", "class_recall", "brier"):
            value = getattr(self, name)
            if value is not None and not 0 < value <= 1:
                unit = "" if name == "brier" else " (0.01 is one point)"
                raise ContractError(
                    f"{name} must be above 0 and at most 1{unit}, got {value}; no number of "
                    "images could prove that nothing at all is lost."
                )
        if self.agreement is not None and not 0 <= self.agreement < 1:
            raise ContractError(
                f"agreement must be 0 or more and below 1 (0.98: 98 of 100 answers are the same), "
                f"got {self.agreement}; no number of images could prove that all are."
            )


DEFAULT_MARGINS = Margins(accuracy=DEFAULT_MAX_DROP, agreement=DEFAULT_MIN_AGREEMENT)


@dataclass(frozen=True)
class Budgets:
    """What the model at the end of a chain, the one that is shipped, may cost; None asks nothing.

    Attributes:
        size_bytes: the size of its file.
        latency_us: the median time for one image, in microseconds.
        memory_bytes: how much the process may grow while the model is loaded and run.

    Examples:
        >>> Contract(Margins(accuracy=0.01), budgets=Budgets(size_bytes=50_000)).budgets.size_bytes
        50000
    """

    size_bytes: float | None = None
    latency_us: float | None = None
    memory_bytes: float | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise ContractError(f"{name} must be above 0, got {value}.")


@dataclass(frozen=True)
class Contract:
    """What a converted model must keep so that it may be released.

    Attributes:
        margins: for each converted model against the full one.
        budgets: for the models at the ends of the chains.
        steps: the steps that a chain must have, each with the margins that it alone must keep.
        confidence: of the intervals that decide.

    Examples:
        >>> strict = Contract(Margins(accuracy=0.005, agreement=0.99))
        >>> strict.confidence
        0.95
    """

    margins: Margins = DEFAULT_MARGINS
    budgets: Budgets = field(default_factory=Budgets)
    steps: Mapping[StepKind, Margins] = field(default_factory=dict)
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if not _LEAST_CONFIDENCE <= self.confidence <= _MOST_CONFIDENCE:
            raise ContractError(
                f"confidence must be {_LEAST_CONFIDENCE} to {_MOST_CONFIDENCE} (0.95 is usual), "
                f"got {self.confidence}."
            )

    @property
    def sure(self) -> str:
        """The confidence as it is written: "95 %"."""
        return f"{self.confidence * 100:g} %"

    def with_margins(self, **margins: float | None) -> "Contract":
        """Return it with those of these margins that are given instead of its own.

        Raises:
            ContractError: no number of images could prove one of them.
        """
        given = {name: value for name, value in margins.items() if value is not None}
        return replace(self, margins=replace(self.margins, **given))

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON; what is not asked for is null."""
        return {
            "confidence": self.confidence,
            "margins": asdict(self.margins),
            "budgets": asdict(self.budgets),
            "steps": {kind: asdict(margins) for kind, margins in self.steps.items()},
        }
