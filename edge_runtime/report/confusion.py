"""Confusion matrices as tables whose cells are shaded."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edge_runtime.parity import Comparison
from edge_runtime.report.markup import escaped, folded, scroller
from edge_runtime.wording import signed

# style.css defines so many shades of each colour.
_SHADES = 9

_LARGE = 16
_FOLDED_FROM = 25

Cell = Callable[[int, int], str]


def confusion_section(comparison: Comparison, model: str, class_names: tuple[str, ...]) -> str:
    """Return both matrices and their difference side by side; only one if none of it changed."""
    counts = comparison.counts
    if not counts.confusion_difference.any():
        return "<p>Both models confuse the same classes equally often.</p>" + shared_matrix(
            comparison, class_names
        )
    matrices = (
        f'<div class="matrices{" large" if len(class_names) > _LARGE else ""}">'
        f"{_matrix(counts.reference_confusion, 'Full model', class_names)}"
        f"{_matrix(counts.candidate_confusion, model, class_names)}"
        f"{_difference(counts.confusion_difference, model, class_names)}</div>"
    )
    if len(class_names) < _FOLDED_FROM:
        return _KEY + matrices
    return _KEY + folded(f"The three matrices of {len(class_names)} classes", matrices)


def shared_matrix(comparison: Comparison, class_names: tuple[str, ...]) -> str:
    """Return the one matrix of two models that count the same, folded."""
    matrix = _matrix(comparison.counts.reference_confusion, "Both models", class_names)
    large = " large" if len(class_names) > _LARGE else ""
    return folded("Confusion of both models", f'<div class="matrices{large}">{matrix}</div>')


_KEY = (
    "<p>Rows are true classes, columns are answers, and a number counts images. On the diagonal, "
    "outlined, are the right answers. The stronger its colour, the larger a cell's share of its "
    'row. In the difference, <span class="swatch w6">orange is worse</span> and '
    '<span class="swatch b6">blue is better</span> than the full model: more right answers (+ on '
    "the diagonal) or fewer mistakes (\N{MINUS SIGN} elsewhere).</p>"
)


def _matrix(confusion: NDArray[np.int64], title: str, class_names: tuple[str, ...]) -> str:
    totals = confusion.sum(axis=1)

    def cell(row: int, column: int) -> str:
        count = int(confusion[row, column])
        # The root lets a few mistakes be seen beside hundreds of right answers.
        shade = f"h{_shade(math.sqrt(count / totals[row]))}" if count else ""
        return _cell(f"{count:,}" if count else "", shade, row == column)

    return _table(title, class_names, cell)


def _difference(difference: NDArray[np.int64], model: str, class_names: tuple[str, ...]) -> str:
    largest = int(np.abs(difference).max())

    def cell(row: int, column: int) -> str:
        change = int(difference[row, column])
        if not change:
            return _cell("", "", row == column)
        colour = "b" if (change > 0) == (row == column) else "w"
        return _cell(signed(change), f"{colour}{_shade(abs(change) / largest)}", row == column)

    return _table(f"Difference: {model} minus full model", class_names, cell)


def _shade(share: float) -> int:
    return max(1, math.ceil(share * _SHADES))


def _cell(text: str, shade: str, diagonal: bool) -> str:
    classes = " ".join(filter(None, (shade, "d" if diagonal else "")))
    return f'<td class="{classes}">{text}</td>' if classes else f"<td>{text}</td>"


def _table(title: str, class_names: tuple[str, ...], cell: Cell) -> str:
    names = [escaped(name) for name in class_names]
    head = "".join(f'<th scope="col" title="{name}"><span>{name}</span></th>' for name in names)
    rows = "".join(
        f'<tr><th scope="row" title="{name}"><span>{name}</span></th>'
        f"{''.join(cell(row, column) for column in range(len(names)))}</tr>"
        for row, name in enumerate(names)
    )
    table = (
        f'<table class="confusion"><thead><tr><td class="corner">true ↓<br>answer →</td>{head}</tr>'
        f"</thead><tbody>{rows}</tbody></table>"
    )
    return (
        f'<figure class="matrix"><figcaption>{escaped(title)}</figcaption>'
        f"{scroller(table, title, css_class='cells')}</figure>"
    )
