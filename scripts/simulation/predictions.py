"""Predictions that are made up to have the answers that a simulation needs."""

import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.predictions import Predictions


def made_up(
    answers: NDArray[np.int64],
    labels: NDArray[np.int64],
    model: str,
    *,
    classes: int,
    confidence: NDArray[np.float64] | float,
) -> Predictions:
    """Return predictions that give these (N,) answers the confidence, and the others the rest."""
    shares = np.broadcast_to(confidence, len(answers))
    probabilities = np.repeat(((1 - shares) / (classes - 1))[:, np.newaxis], classes, axis=1)
    probabilities[np.arange(len(answers)), answers] = shares
    names = tuple(f"class {index}" for index in range(classes))
    hashes = image_hashes(len(answers))
    return Predictions(probabilities.astype(np.float32), labels, hashes, names, {"model": model})


def image_hashes(count: int) -> NDArray[np.bytes_]:
    """Return so many different hashes, (count,) S64."""
    return np.array([f"{index:064x}".encode() for index in range(count)], "S64")
