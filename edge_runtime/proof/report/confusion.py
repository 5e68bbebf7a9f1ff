"""Confusion of both models and the difference: tables whose cells are shaded, or pictures.

From 26 classes on the numbers can no longer be read, so that each cell becomes a pixel and what
moved is told in words.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.proof.metrics import PairedCounts
from edge_runtime.proof.parity import cell_changes
from edge_runtime.proof.report.pictures import png_link
from edge_runtime.wording import printable, shortened, signed

# The style sheet defines so many shades of each colour.
_SHADES = 9
_LARGE = 16
# What fits beside a matrix, in letters.
_SHORT_NAME, _LONG_NAME = 15, 30
_MOST_CLASSES = 25
_MOST_PIXELS = 400

# The page's blue and orange, of which the opacity tells how much: right in light and in dark.
_BLUE, _ORANGE = (40, 130, 210), (230, 110, 30)

# Rows of cells: what each says, its classes, and whether it is beyond chance.
Matrix = list[list[tuple[str, str, bool]]]


def confusion_view(
    counts: PairedCounts, model: str, class_names: Sequence[str]
) -> Mapping[str, object]:
    """Return which cells changed, and both matrices and their difference as tables or links."""
    changes = cell_changes(counts)
    before, after = counts.reference_confusion, counts.candidate_confusion
    moved = counts.confusion_difference
    beyond = [change for change in changes if change.beyond_chance]
    matrices: list[Matrix] = []
    links: list[str] = []
    if counts.class_count <= _MOST_CLASSES:
        marked = {(change.true, change.answer) for change in beyond}
        matrices = [_matrix(before)]
        matrices += [_matrix(after), _difference(moved, marked)] if moved.any() else []
    elif counts.class_count <= _MOST_PIXELS:
        links = [png_link(pixels) for pixels in (_heat(before), _heat(after), _heat_moved(moved))]
    limit = _LONG_NAME if counts.class_count > _LARGE else _SHORT_NAME
    titles = ("Full model", model, f"Difference: {model} minus full model")
    return {
        "changes": changes,
        "beyond": beyond,
        "names": [shortened(printable(name), limit) for name in class_names],
        "is_large": counts.class_count > _LARGE,
        "matrices": list(zip(titles, matrices, strict=False)),
        "pictures": list(zip(titles, links, strict=False)),
    }


def _matrix(confusion: NDArray[np.int64]) -> Matrix:
    def cell(true: int, answer: int, count: int) -> tuple[str, str, bool]:
        # The root lets a few mistakes be seen beside hundreds of right answers.
        share = math.sqrt(count / totals[true]) if count else 0
        return f"{count:,}" if count else "", _classes("h", share, true == answer), False

    totals = confusion.sum(axis=1)
    return _cells(confusion, cell)


def _difference(difference: NDArray[np.int64], marked: set[tuple[int, int]]) -> Matrix:
    def cell(true: int, answer: int, change: int) -> tuple[str, str, bool]:
        is_right, beyond = true == answer, (true, answer) in marked
        colour = "b" if (change > 0) == is_right else "w"
        classes = _classes(colour, abs(change) / largest, is_right, beyond)
        return signed(change) if change else "", classes, beyond

    largest = int(np.abs(difference).max())
    return _cells(difference, cell)


def _cells(
    matrix: NDArray[np.int64], cell: Callable[[int, int, int], tuple[str, str, bool]]
) -> Matrix:
    return [
        [cell(true, answer, count) for answer, count in enumerate(row)]
        for true, row in enumerate(matrix.tolist())
    ]


def _classes(colour: str, share: float, is_right: bool, beyond: bool = False) -> str:
    """Return the classes of a cell: its shade, and how it is outlined."""
    shade = f"{colour}{max(1, math.ceil(share * _SHADES))}" if share else ""
    return " ".join(filter(None, (shade, "beyond-cell" * beyond, "d" * is_right)))


def _heat(confusion: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return a confusion matrix as (K, K, 4) pixels."""
    shares = np.sqrt(confusion / np.maximum(1, confusion.sum(axis=1, keepdims=True)))
    return _pixels(np.broadcast_to(_BLUE, (*shares.shape, 3)), shares)


def _heat_moved(difference: NDArray[np.int64]) -> NDArray[np.uint8]:
    better = (difference > 0) == np.eye(len(difference), dtype=bool)
    shares = np.abs(difference) / max(1, int(np.abs(difference).max()))
    return _pixels(np.where(better[..., np.newaxis], _BLUE, _ORANGE), np.sqrt(shares))


def _pixels(colours: NDArray[np.int64], opacity: NDArray[np.float64]) -> NDArray[np.uint8]:
    alpha = np.rint(opacity * 255)[..., np.newaxis]
    return np.concatenate([colours, alpha], axis=2).astype(np.uint8)
