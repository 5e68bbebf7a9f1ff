"""What the page shows of one converted model: its flips, classes, confusions and confidences."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.proof.metrics import ConfidenceCounts, PairedCounts, Rate
from edge_runtime.proof.parity import ClassChange, Comparison, Judgement
from edge_runtime.proof.report import once, tables
from edge_runtime.proof.report.axis import Axis
from edge_runtime.proof.report.document import THRESHOLDS
from edge_runtime.proof.report.figures import Figures, class_figures, ordered
from edge_runtime.proof.report.pictures import Pictures, png_link
from edge_runtime.proof.report.sentences import threshold_sentence
from edge_runtime.wording import printable

_GALLERY_LIMIT = 48
_MOST_CLASSES, _MOST_FOLDED_CLASSES = 15, 85
# From so many classes on a confusion matrix has no numbers, and then no picture either.
_MOST_NUMBERS, _MOST_PIXELS = 25, 400
# The style sheet has so many shades of a colour, and smaller letters for so many classes.
_SHADES, _LARGE = 9, 16
# The page's blue and orange, of which the opacity tells how much: right in light and in dark.
_BLUE, _ORANGE = (40, 130, 210), (230, 110, 30)


def answers_view(
    report: Judgement, comparison: Comparison, pictures: Pictures
) -> dict[str, object]:
    """Return what became of the answers of one model, by what the template calls it."""
    counts, contract, names = comparison.counts, report.contract, report.reference.class_names
    effects = [counts.at_threshold(threshold) for threshold in THRESHOLDS]
    return {
        "gallery": pictures.gallery(comparison.flips[:_GALLERY_LIMIT]),
        "recall": _recall(counts, names, contract.margins.class_recall),
        "confusion": _confusion(counts, printable(comparison.model)),
        "reference_bins": _bins(counts.reference_confidence),
        "candidate_bins": _bins(counts.candidate_confidence),
        "brier_interval": once.brier_interval(counts, contract.confidence),
        "thresholds": [(each, threshold_sentence(each, counts.image_count)) for each in effects],
    }


def _recall(
    counts: PairedCounts, class_names: Sequence[str], margin: float | None
) -> dict[str, object]:
    """Return the classes, those beyond chance first, then by their change; many are folded."""
    changes = ordered(once.class_changes(counts))
    present = {change.index for change in changes}
    axis = Axis.around([bound for change in changes for bound in change.interval])
    beyond = [change for change in changes if change.beyond_chance]
    some = changes[: _MOST_CLASSES + _MOST_FOLDED_CLASSES]
    shown = [_class(change, class_names, axis) for change in some]
    return {
        "count": len(changes),
        "moved": sum(bool(change.lost or change.won) for change in changes),
        "beyond": len(beyond),
        "worse": sum(change.lost > change.won for change in beyond),
        "shown": tables.table(tables.CLASSES_ON_PAGE, shown[:_MOST_CLASSES]),
        "folded": tables.table(tables.CLASSES_ON_PAGE, shown[_MOST_CLASSES:]),
        "absent": [name for index, name in enumerate(class_names) if index not in present],
        "zero": axis.at(0),
        "limit": axis.at(-margin) if margin is not None and -margin > axis.low else "",
    }


def _class(change: ClassChange, class_names: Sequence[str], axis: Axis) -> Figures:
    """Return what is said of a class, and where its interval lies in the chart."""
    low, high = change.interval
    return class_figures(change, class_names) | {
        "tone": "worse" if change.difference < 0 else "better" if change.difference > 0 else "",
        "beyond": "◆" if change.beyond_chance else "",
        "at": axis.at(change.difference),
        "low": axis.within(low),
        "high": axis.within(high),
    }


def _bins(model: ConfidenceCounts) -> list[tuple[Rate, float]]:
    """Return the accuracy in each of ten bins of confidence, and the mean confidence there."""
    return [
        (Rate(int(right), int(images)), float(confidence) / max(1, int(images)))
        for images, right, confidence in zip(*model.bins, strict=True)
    ]


def _confusion(counts: PairedCounts, model: str) -> dict[str, object]:
    """Return which cells changed, and both matrices and their difference, as numbers or links."""
    before, after = counts.reference_confusion, counts.candidate_confusion
    moved, changes = counts.confusion_difference, once.cell_changes(counts)
    beyond = [change for change in changes if change.beyond_chance]
    better = (moved > 0) == np.eye(counts.class_count, dtype=bool)
    shares = np.abs(moved) / max(1, int(np.abs(moved).max()))
    matrices, links = list[object](), list[str]()
    if counts.class_count <= _MOST_NUMBERS:
        marked = {(change.true, change.answer) for change in beyond}
        matrices = [_cells(before, "h", _filled(before)), _cells(after, "h", _filled(after))]
        matrices.append(_cells(moved, np.where(better, "b", "w"), shares, marked))
    elif counts.class_count <= _MOST_PIXELS:
        links = [_heat(_filled(before), _BLUE), _heat(_filled(after), _BLUE)]
        links.append(_heat(np.sqrt(shares), np.where(better[..., np.newaxis], _BLUE, _ORANGE)))
    return {
        "changes": changes,
        "beyond": beyond,
        "titles": ("Full model", model, f"Difference: {model} minus full model"),
        "matrices": matrices,
        "links": links,
        "is_same": not moved.any(),
        "is_large": counts.class_count > _LARGE,
    }


def _filled(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how strong each cell is; the root lets few mistakes be seen beside many answers."""
    filled: NDArray[np.float64] = np.sqrt(
        confusion / np.maximum(1, confusion.sum(axis=1, keepdims=True))
    )
    return filled


def _cells(
    matrix: NDArray[np.int64],
    colours: NDArray[np.str_] | str,
    strengths: NDArray[np.float64],
    marked: Collection[tuple[int, int]] = (),
) -> list[list[tuple[int, str]]]:
    """Return rows of cells, each a number and its classes for the style sheet."""
    shades = np.char.add(colours, np.char.mod("%d", np.maximum(1, np.ceil(strengths * _SHADES))))
    return [
        [
            (count, _classes(shade * bool(count), true == answer, (true, answer) in marked))
            for answer, (count, shade) in enumerate(zip(numbers, row, strict=True))
        ]
        for true, (numbers, row) in enumerate(zip(matrix.tolist(), shades.tolist(), strict=True))
    ]


def _classes(shade: str, is_right: bool, beyond: bool) -> str:
    return " ".join(filter(None, (shade, "beyond-cell" * beyond, "d" * is_right)))


def _heat(strengths: NDArray[np.float64], colours: object) -> str:
    """Return a link to a picture of a matrix with a pixel for each cell."""
    rgb = np.broadcast_to(np.asarray(colours), (*strengths.shape, 3))
    alpha = np.rint(strengths * 255)[..., np.newaxis]
    return png_link(np.concatenate([rgb, alpha], axis=2).astype(np.uint8))
