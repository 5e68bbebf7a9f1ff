"""Columns of text for a terminal."""

from collections.abc import Sequence

from edge_runtime.wording import ABSENT, columns, fitted

WIDTH = 100
_LEAST_NAME = 10
_ENOUGH_NAME = 24


def aligned(
    heads: list[list[str]],
    rows: list[list[str]],
    *,
    width: int = WIDTH,
    left: int = 1,
    optional: Sequence[int] = (),
) -> list[str]:
    """Return rows below their headings and a line, within so many columns.

    Args:
        heads: one row of headings or two.
        rows: the cells; the first of each is cut in the middle where there is no room for it.
        width: how many columns there are.
        left: so many columns are set to the left, the others to the right.
        optional: indexes of columns that are left out, in this order, to make room for the first
            one; and where they have no figure at all.
    """
    kept = list(range(len(heads[0])))
    wanted = min(_ENOUGH_NAME, max(columns(row[0]) for row in rows))
    for index in optional:
        nobody = all(row[index] == ABSENT for row in rows)
        if nobody or width - _others(heads, rows, kept, "  ") < wanted:
            kept.remove(index)
    gap = "  " if width - _others(heads, rows, kept, "  ") >= _LEAST_NAME else " "
    room = max(1, width - _others(heads, rows, kept, gap))
    cells = [[fitted(row[0], room), *(row[n] for n in kept[1:])] for row in [*heads, *rows]]
    taken = [max(map(columns, column)) for column in zip(*cells, strict=True)]
    lines = [
        gap.join(
            _padded(cell, wide, index < left)
            for index, (cell, wide) in enumerate(zip(row, taken, strict=True))
        ).rstrip()
        for row in cells
    ]
    return [*lines[: len(heads)], "─" * max(map(columns, lines)), *lines[len(heads) :]]


def _others(heads: list[list[str]], rows: list[list[str]], kept: list[int], gap: str) -> int:
    """Return how many columns all cells but the first of a row take."""
    return sum(max(columns(row[n]) for row in [*heads, *rows]) + len(gap) for n in kept[1:])


def _padded(text: str, width: int, to_left: bool) -> str:
    blanks = " " * (width - columns(text))
    return text + blanks if to_left else blanks + text
