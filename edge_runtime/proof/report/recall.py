"""Recall by class: what changed, with its interval, and what of it is beyond chance."""

from collections.abc import Sequence

from edge_runtime.proof.parity import ClassChange, Comparison, class_changes
from edge_runtime.proof.report.charts import Axis, axis_around, whisker
from edge_runtime.proof.report.markup import folded, named, row, scroller, table
from edge_runtime.wording import ABSENT, p_value, percent, plural, points, points_interval

_MOST_ROWS = 15
_LONGEST_NAME = 32
_MOST_ROWS_FOLDED = 85


def recall_section(
    comparison: Comparison, class_names: tuple[str, ...], margin: float | None
) -> str:
    """Return the classes, those beyond chance first, then by their change; many are folded."""
    changes = ordered(class_changes(comparison.counts))
    if not changes:
        return ""
    present = {change.index for change in changes}
    absent = [named(name) for index, name in enumerate(class_names) if index not in present]
    axis = axis_around([bound for change in changes for bound in change.interval])
    moved = [change for change in changes if change.lost or change.won]
    tables = _tables(changes, class_names, axis, margin) + _without_images(absent)
    if not moved:
        return f"<p>{_summary(changes, moved)}</p>{folded('Recall of every class', tables)}"
    return (
        f"<p>{_summary(changes, moved)} The interval is of the change, at 95 %; p is the exact "
        "McNemar test's, adjusted for the number of classes (Holm).</p>"
        f"{tables}"
    )


def ordered(changes: Sequence[ClassChange]) -> list[ClassChange]:
    """Return the classes by p-value, of equal ones the largest loss first."""
    return sorted(
        changes, key=lambda change: (change.p_value, change.after.value - change.before.value)
    )


def _summary(changes: Sequence[ClassChange], moved: Sequence[ClassChange]) -> str:
    beyond = [change for change in changes if change.beyond_chance]
    if not moved:
        return "In every class the same images are found."
    if not beyond:
        return "<b>No class changed beyond chance</b>: what differs here may well be luck."
    worse = sum(change.lost > change.won for change in beyond)
    return (
        f"<b>{plural(len(beyond), 'class', 'classes')} changed beyond chance</b> (marked ◆): "
        f"{worse:,} got worse, {len(beyond) - worse:,} better. The others are within chance."
    )


def _tables(
    changes: Sequence[ClassChange],
    class_names: tuple[str, ...],
    axis: Axis,
    margin: float | None,
) -> str:
    def of(some: Sequence[ClassChange]) -> str:
        rows = [_row(change, class_names[change.index], axis, margin) for change in some]
        return scroller(table("recalls", _HEADS, rows), "Recall by class")

    rest = changes[_MOST_ROWS : _MOST_ROWS + _MOST_ROWS_FOLDED]
    more = len(changes) - _MOST_ROWS - len(rest)
    note = f'<p class="quiet">and {more:,} more classes in report.json</p>' if more > 0 else ""
    others = folded(f"{plural(len(rest), 'more class', 'more classes')}", of(rest)) if rest else ""
    return of(changes[:_MOST_ROWS]) + others + note


_HEADS = (
    ("Class", ""),
    ("Full", "% found"),
    ("Converted", "% found"),
    ("Change", "points"),
    ("Interval", "95 %"),
    ("Images", "lost / won of"),
    ("p", "Holm"),
    ("", "worse ← 0 → better"),
)


def _row(change: ClassChange, name: str, axis: Axis, margin: float | None) -> str:
    difference = change.after.value - change.before.value
    kind = "worse" if difference < 0 else "better" if difference > 0 else ""
    tag = '<b class="beyond">◆</b> ' if change.beyond_chance else ""
    return row(
        f"{tag}{named(name, _LONGEST_NAME)}",
        (
            percent(change.before.value),
            percent(change.after.value),
            f'<span class="{kind}">{points(difference)}</span>',
            points_interval(change.interval),
            f"{change.lost:,} / {change.won:,} <small>of {change.before.total:,}</small>",
            p_value(change.p_value),
            _chart(difference, change.interval, axis, margin, kind),
        ),
        css_class="moved" if change.beyond_chance else "",
    )


def _chart(
    difference: float, interval: tuple[float, float], axis: Axis, margin: float | None, kind: str
) -> str:
    limit = ""
    if margin is not None and -margin > axis.low:
        x = axis.at(-margin)
        limit = f'<line class="limit" x1="{x}" x2="{x}" y1="0" y2="20"/>'
    zero = axis.at(0)
    return (
        '<svg class="dumbbell" width="100%" height="20" aria-hidden="true">'
        f'<line class="zero" x1="{zero}" x2="{zero}" y1="0" y2="20"/>{limit}'
        f"{whisker(axis, interval, 10, kind or 'same')}"
        f'<circle class="after {kind}" cx="{axis.at(difference)}" cy="10" r="4.5"/></svg>'
    )


def _without_images(names: Sequence[str]) -> str:
    if not names:
        return ""
    shown = ", ".join(names[:_MOST_ROWS])
    more = f" and {len(names) - _MOST_ROWS:,} more" if len(names) > _MOST_ROWS else ""
    return f'<p class="quiet">{ABSENT} without test images, so not judged: {shown}{more}</p>'
