"""Recall by class: what changed, with its interval, and what of it is beyond chance."""

from collections.abc import Mapping, Sequence

from edge_runtime.proof.parity import ClassChange, Comparison, class_changes
from edge_runtime.proof.report import tables
from edge_runtime.proof.report.charts import Axis
from edge_runtime.proof.report.figures import Figures, class_figures

_MOST_ROWS = 15
_MOST_ROWS_FOLDED = 85


def ordered(changes: Sequence[ClassChange]) -> list[ClassChange]:
    """Return the classes by p-value, of equal ones the largest loss first."""
    return sorted(
        changes, key=lambda change: (change.p_value, change.after.value - change.before.value)
    )


def recall_view(
    comparison: Comparison, class_names: Sequence[str], margin: float | None
) -> Mapping[str, object]:
    """Return the classes, those beyond chance first, then by their change; many are folded."""
    changes = ordered(class_changes(comparison.counts))
    present = {change.index for change in changes}
    axis = Axis.around([bound for change in changes for bound in change.interval])
    beyond = [change for change in changes if change.beyond_chance]
    shown = [
        _figures(change, class_names, axis) for change in changes[: _MOST_ROWS + _MOST_ROWS_FOLDED]
    ]
    return {
        "count": len(changes),
        "moved": sum(bool(change.lost or change.won) for change in changes),
        "beyond": len(beyond),
        "worse": sum(change.lost > change.won for change in beyond),
        "shown": tables.table(tables.CLASSES_ON_PAGE, shown[:_MOST_ROWS]),
        "folded": tables.table(tables.CLASSES_ON_PAGE, shown[_MOST_ROWS:]),
        "absent": [name for index, name in enumerate(class_names) if index not in present],
        "zero": axis.at(0),
        "limit": axis.at(-margin) if margin is not None and -margin > axis.low else "",
    }


def _figures(change: ClassChange, class_names: Sequence[str], axis: Axis) -> Figures:
    """Return what is said of a class, and where its interval lies in the chart."""
    difference = change.after.value - change.before.value
    low, high = change.interval
    return class_figures(change, class_names) | {
        "tone": "worse" if difference < 0 else "better" if difference > 0 else "",
        "beyond": "◆" if change.beyond_chance else "",
        "at": axis.at(difference),
        "low": axis.within(low),
        "high": axis.within(high),
    }
