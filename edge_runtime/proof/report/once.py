"""What takes long to find about two models, found once however many reports are written of them."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from edge_runtime.proof import parity
from edge_runtime.proof.metrics import PairedCounts

Options = ParamSpec("Options")
Found = TypeVar("Found")
Finding = Callable[Concatenate[PairedCounts, Options], Found]


def _once(find: Finding[Options, Found]) -> Finding[Options, Found]:
    """Return a function that keeps what was found with the counts, as a cached property does."""

    @wraps(find)
    def remembered(counts: PairedCounts, /, *args: Options.args, **kwargs: Options.kwargs) -> Found:
        found: dict[object, Found] = vars(counts).setdefault("_found", {})
        key = (find.__name__, args, *kwargs.items())
        if key not in found:
            found[key] = find(counts, *args, **kwargs)
        return found[key]

    return remembered


@_once
def change_interval(counts: PairedCounts, confidence: float) -> tuple[float, float]:
    """Return the interval of the change of accuracy."""
    return counts.difference_interval(confidence)


@_once
def same_interval(counts: PairedCounts, confidence: float) -> tuple[float, float]:
    """Return the exact interval of the share of answers that are the same."""
    return counts.agreement.exact_interval(confidence)


@_once
def brier_interval(counts: PairedCounts, confidence: float) -> tuple[float, float]:
    """Return the interval of the rise of the Brier score."""
    return counts.brier_rise.interval(confidence)


class_changes = _once(parity.class_changes)
cell_changes = _once(parity.cell_changes)
