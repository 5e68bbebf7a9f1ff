"""One demand of the contract, and what became of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from edge_runtime.errors import ContractError
from edge_runtime.proof.parity.contract import Budgets

Decision = Literal["holds", "inconclusive", "broken"]

# What a command ends with.
EXIT_CODES: Mapping[Decision, int] = {"holds": 0, "broken": 3, "inconclusive": 4}
Demand = Literal[
    "accuracy", "agreement", "class_recall", "brier", "size_bytes", "latency_us", "memory_bytes"
]

_SEVERITY: tuple[Decision, ...] = ("holds", "inconclusive", "broken")


@dataclass(frozen=True)
class Check:
    """One demand, and what became of it.

    Attributes:
        demand: what is asked.
        limit: the margin or budget of the contract.
        decision: "holds" or "broken" when the whole interval lies on one side of the limit,
            "inconclusive" when the limit lies within it.
        value: what was measured: a difference for accuracy, class_recall and brier (candidate
            minus reference), a rate for agreement, a figure for budgets.
        interval: where the true value lies; None for budgets, which are measured, not estimated.
            Where the demand is broken by itself but not among the others it reaches over the limit,
            as wide as it takes to cover all true values at once.
        class_index: the class that decided, of class_recall.
        broken_alone: whether it is inconclusive only for being one of many: its own interval lies
            beyond the limit, but among so many demands and classes luck may have done that.
    """

    demand: Demand
    limit: float
    decision: Decision
    value: float
    interval: tuple[float, float] | None = None
    class_index: int | None = None
    broken_alone: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**asdict(self), "interval": list(self.interval) if self.interval else None}


def worst(decisions: list[Decision]) -> Decision:
    """Return the most severe decision; without any demand nothing is broken."""
    return max(decisions, key=_SEVERITY.index, default="holds")


def check_budgets(model: str, details: Mapping[str, Any], budgets: Budgets) -> tuple[Check, ...]:
    """Judge what a model costs by what its predictions recorded.

    Raises:
        ContractError: a figure that has a budget was not recorded.
    """
    latency = details.get("latency_us")
    measured: dict[Demand, Any] = {
        "size_bytes": details.get("size_bytes"),
        "latency_us": latency.get("median") if isinstance(latency, Mapping) else None,
        "memory_bytes": details.get("memory_bytes"),
    }
    checks = []
    for demand, value in measured.items():
        limit = getattr(budgets, demand)
        if limit is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
            raise ContractError(
                f"The contract has a budget for {demand}, but the predictions of {model} do not "
                "record it; make them again with: fmnist-edge predict"
            )
        checks.append(Check(demand, limit, "holds" if value <= limit else "broken", float(value)))
    return tuple(checks)
