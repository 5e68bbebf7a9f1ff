"""Figures of one run: its images, its training, and the answers of its model (needs Matplotlib).

Each function returns a Matplotlib figure whose title is the finding and saves nothing;
``save_run_figures`` draws them all into a folder.
"""

from collections.abc import Sequence
from pathlib import Path

from edge_runtime.files.writing import write_atomically
from trainer.figures.answers import Floats, Integers
from trainer.figures.confidence import confidence_histogram
from trainer.figures.confusion import confusion_matrix_figure
from trainer.figures.curves import History, overfits_after, training_curves
from trainer.figures.grid import Images
from trainer.figures.per_class import per_class_figure, per_class_table
from trainer.figures.pictures import example_grid, least_confident_grid, predictions_grid
from trainer.figures.style import to_png

__all__ = [
    "confidence_histogram",
    "confusion_matrix_figure",
    "example_grid",
    "least_confident_grid",
    "overfits_after",
    "per_class_figure",
    "per_class_table",
    "predictions_grid",
    "save_run_figures",
    "to_png",
    "training_curves",
]


def save_run_figures(
    folder: Path,
    *,
    train_images: Images,
    train_labels: Integers,
    test_images: Images,
    test_labels: Integers,
    probabilities: Floats,
    class_names: Sequence[str],
    history: History,
    seed: int,
) -> list[Path]:
    """Draw every figure of a run into ``folder``; the same run gives the same bytes.

    Args:
        folder: where to, which exists.
        train_images: (N, H, W, C) uint8, of which examples are shown.
        train_labels: (N,) int64.
        test_images: (M, H, W, C) uint8.
        test_labels: (M,) int64.
        probabilities: (M, K) float32, the model's answers to ``test_images``.
        class_names: K names.
        history: one mapping an epoch, see ``training_curves``; empty if nothing was trained.
        seed: chooses the images of ``predictions.png``.

    Returns:
        The files written: seven PNG figures and ``per_class.txt``.

    Raises:
        DatasetError: images, labels and class names do not belong together.
        PredictionsError: the probabilities are not of the test images, or not finite.
    """
    test = (test_images, test_labels, probabilities, class_names)
    answers = (test_labels, probabilities)
    figures = {
        "examples.png": example_grid(train_images, train_labels, class_names),
        "curves.png": training_curves(history),
        "predictions.png": predictions_grid(*test, seed),
        "confusion.png": confusion_matrix_figure(*answers, class_names),
        "confidence.png": confidence_histogram(*answers),
        "least_confident.png": least_confident_grid(*test),
        "per_class.png": per_class_figure(*answers, class_names),
    }
    contents: dict[str, bytes | str] = {name: to_png(figures[name]) for name in figures}
    contents["per_class.txt"] = per_class_table(*answers, class_names)
    for name, content in contents.items():
        write_atomically(folder / name, content)
    return [folder / name for name in contents]
