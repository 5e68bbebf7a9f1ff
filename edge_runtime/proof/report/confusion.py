"""Confusion of both models and the difference: tables whose cells are shaded, or pictures.

From 26 classes on the numbers can no longer be read, so that each cell becomes a pixel and what
moved is told in words.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.proof.parity import CellChange, Comparison, cell_changes
from edge_runtime.proof.report.markup import escaped, folded, named, row, scroller, table
from edge_runtime.proof.report.pictures import png_link
from edge_runtime.wording import p_value, plural, signed

# style.css defines so many shades of each colour.
_SHADES = 9
_LARGE = 16
# What fits beside a matrix, in letters.
_SHORT_NAME, _LONG_NAME = 15, 30
_MOST_CLASSES = 25
_MOST_PIXELS = 400
_MOST_CELLS = 10

# The page's blue and orange, of which the opacity tells how much: right in light and in dark.
_BLUE, _ORANGE = (40, 130, 210), (230, 110, 30)

Cell = Callable[[int, int], str]


def confusion_section(comparison: Comparison, model: str, class_names: tuple[str, ...]) -> str:
    """Return which confusions changed, then both matrices and their difference."""
    changes = cell_changes(comparison.counts)
    draw = _tables if len(class_names) <= _MOST_CLASSES else _pictures
    return _summary(changes, class_names) + draw(comparison, model, class_names, changes)


def _summary(changes: Sequence[CellChange], class_names: tuple[str, ...]) -> str:
    beyond = [change for change in changes if change.beyond_chance]
    if not changes:
        return "<p>Both models confuse the same images with the same classes.</p>"
    if not beyond:
        return (
            f"<p><b>No cell changed beyond chance</b>, of {plural(len(changes), 'cell')} that "
            "images left or entered.</p>"
        )
    rows = [_cell_row(change, class_names) for change in beyond[:_MOST_CELLS]]
    more = len(beyond) - _MOST_CELLS
    note = f'<p class="quiet">and {more:,} more in report.json</p>' if more > 0 else ""
    return (
        f"<p><b>{plural(len(beyond), 'cell')} changed beyond chance</b> (marked ◆); the others "
        "are within chance.</p>"
        f"{scroller(table('plain', _HEADS, rows), 'Cells beyond chance')}{note}"
    )


_HEADS = (("True class", ""), ("Answer", ""), ("Left", ""), ("Entered", ""), ("p", "Holm"))


def _cell_row(change: CellChange, class_names: tuple[str, ...]) -> str:
    answer = named(class_names[change.answer])
    return row(
        f'<b class="beyond">◆</b> {named(class_names[change.true])}',
        (
            "right answers" if change.true == change.answer else f"taken for {answer}",
            f"{change.left:,}",
            f"{change.entered:,}",
            p_value(change.p_value),
        ),
    )


_KEY = (
    "<p>Rows are true classes, columns are answers, and a number counts images. On the diagonal, "
    "outlined, are the right answers. The stronger its colour, the larger a cell's share of its "
    'row. In the difference, <span class="swatch w6">orange is worse</span> and '
    '<span class="swatch b6">blue is better</span> than the full model: more right answers (+ on '
    "the diagonal) or fewer mistakes (\N{MINUS SIGN} elsewhere).</p>"
)


def _tables(
    comparison: Comparison,
    model: str,
    class_names: tuple[str, ...],
    changes: Sequence[CellChange],
) -> str:
    counts = comparison.counts
    large = " large" if len(class_names) > _LARGE else ""
    before = _matrix(counts.reference_confusion, "Full model", class_names)
    if not counts.confusion_difference.any():
        same = _matrix(counts.reference_confusion, "Both models", class_names)
        return folded("Confusion of both models", f'<div class="matrices{large}">{same}</div>')
    marked = {(change.true, change.answer) for change in changes if change.beyond_chance}
    matrices = (
        before
        + _matrix(counts.candidate_confusion, model, class_names)
        + _difference(counts.confusion_difference, model, class_names, marked)
    )
    return f'{_KEY}<div class="matrices{large}">{matrices}</div>'


def _matrix(confusion: NDArray[np.int64], title: str, class_names: tuple[str, ...]) -> str:
    totals = confusion.sum(axis=1)

    def cell(true: int, answer: int) -> str:
        count = int(confusion[true, answer])
        # The root lets a few mistakes be seen beside hundreds of right answers.
        shade = f"h{_shade(math.sqrt(count / totals[true]))}" if count else ""
        return _cell(f"{count:,}" if count else "", shade, true == answer)

    return _table(title, class_names, cell)


def _difference(
    difference: NDArray[np.int64],
    model: str,
    class_names: tuple[str, ...],
    marked: set[tuple[int, int]],
) -> str:
    largest = int(np.abs(difference).max())

    def cell(true: int, answer: int) -> str:
        change = int(difference[true, answer])
        if not change:
            return _cell("", "", true == answer)
        colour = "b" if (change > 0) == (true == answer) else "w"
        beyond = (true, answer) in marked
        text = signed(change) + ("<b>◆</b>" if beyond else "")
        shade = f"{colour}{_shade(abs(change) / largest)}" + (" beyond-cell" if beyond else "")
        return _cell(text, shade, true == answer)

    return _table(f"Difference: {model} minus full model", class_names, cell)


def _shade(share: float) -> int:
    return max(1, math.ceil(share * _SHADES))


def _cell(text: str, shade: str, diagonal: bool) -> str:
    classes = " ".join(filter(None, (shade, "d" if diagonal else "")))
    return f'<td class="{classes}">{text}</td>' if classes else f"<td>{text}</td>"


def _table(title: str, class_names: tuple[str, ...], cell: Cell) -> str:
    limit = _LONG_NAME if len(class_names) > _LARGE else _SHORT_NAME
    names = [named(name, limit) for name in class_names]
    head = "".join(f'<th scope="col"><span>{name}</span></th>' for name in names)
    rows = "".join(
        f'<tr><th scope="row"><span>{name}</span></th>'
        f"{''.join(cell(true, answer) for answer in range(len(names)))}</tr>"
        for true, name in enumerate(names)
    )
    content = (
        f'<table class="confusion"><thead><tr><td class="corner">true ↓<br>answer →</td>{head}</tr>'
        f"</thead><tbody>{rows}</tbody></table>"
    )
    return (
        f'<figure class="matrix"><figcaption>{escaped(title)}</figcaption>'
        f"{scroller(content, title, css_class='cells')}</figure>"
    )


def _pictures(
    comparison: Comparison,
    model: str,
    class_names: tuple[str, ...],
    changes: Sequence[CellChange],
) -> str:
    if len(class_names) > _MOST_PIXELS:
        return '<p class="quiet">The matrices of so many classes are in report.json.</p>'
    counts = comparison.counts
    pictures = (
        (_heat(counts.reference_confusion), "Full model"),
        (_heat(counts.candidate_confusion), model),
        (_heat_difference(counts.confusion_difference), f"Difference: {model} minus full model"),
    )
    figures = "".join(
        f'<figure class="matrix"><figcaption>{escaped(title)}</figcaption>'
        f'<img class="heat" src="{png_link(pixels)}" alt="{escaped(title)}"></figure>'
        for pixels, title in pictures
    )
    return (
        "<p>Each pixel is a cell: its row is the true class, its column the answer, both in the "
        "order of the classes. The stronger, the larger its share of the row; in the difference "
        "blue is better and orange worse.</p>"
        f'<div class="matrices">{figures}</div>'
    )


def _heat(confusion: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return a confusion matrix as (K, K, 4) pixels."""
    shares = np.sqrt(confusion / np.maximum(1, confusion.sum(axis=1, keepdims=True)))
    return _pixels(np.broadcast_to(_BLUE, (*shares.shape, 3)), shares)


def _heat_difference(difference: NDArray[np.int64]) -> NDArray[np.uint8]:
    better = (difference > 0) == np.eye(len(difference), dtype=bool)
    shares = np.abs(difference) / max(1, int(np.abs(difference).max()))
    return _pixels(np.where(better[..., np.newaxis], _BLUE, _ORANGE), np.sqrt(shares))


def _pixels(colours: NDArray[np.int64], opacity: NDArray[np.float64]) -> NDArray[np.uint8]:
    alpha = np.rint(opacity * 255)[..., np.newaxis]
    return np.concatenate([colours, alpha], axis=2).astype(np.uint8)
