"""Figures of one run: its images, its training, and the answers of its model (needs Matplotlib).

Each function returns a Matplotlib figure whose title is the finding; `to_png` makes bytes of it.
Nothing is saved here.
"""

from matplotlib.figure import Figure

from edge_runtime.data.datasets import Dataset
from edge_runtime.data.predictions import Predictions
from trainer.figures.confidence import confidence_histogram
from trainer.figures.confusion import confusion_matrix_figure
from trainer.figures.curves import History, overfits_after, training_curves
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
    "run_figures",
    "to_png",
    "training_curves",
]


def run_figures(
    dataset: Dataset, predictions: Predictions, history: History, *, seed: int
) -> dict[str, Figure]:
    """Draw the seven figures of a run, by name; the same run gives the same PNG bytes.

    Args:
        dataset: what was learnt from, and what ``predictions`` are about.
        predictions: the model's answers to the test images.
        history: one mapping an epoch, see `training_curves`; empty if nothing was trained.
        seed: chooses the images of "predictions".
    """
    images = dataset.test.images
    return {
        "examples": example_grid(dataset.train, dataset.class_names),
        "curves": training_curves(history),
        "predictions": predictions_grid(images, predictions, seed),
        "confusion": confusion_matrix_figure(predictions),
        "confidence": confidence_histogram(predictions),
        "least_confident": least_confident_grid(images, predictions),
        "per_class": per_class_figure(predictions),
    }
