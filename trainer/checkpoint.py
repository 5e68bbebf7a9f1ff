"""The state of a training between two epochs, written so that it can be taken up bit for bit."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.arrays import ArrayFile
from edge_runtime.errors import TrainingError
from edge_runtime.files.documents import DOCUMENT_LIMIT_BYTES
from edge_runtime.files.reading import open_regular
from edge_runtime.files.writing import write_atomically

_LIMIT_BYTES = 2**32 - 1  # of the zip format without its extension


@dataclass(frozen=True)
class Checkpoint:
    """Everything that the next epoch depends on.

    The order of the images is drawn from (seed, epoch), and each random layer keeps its state in a
    variable of the model, so the variables are all the random state there is.

    Attributes:
        history: one entry for each epoch that was completed.
        model: the model's variables, in the model's order.
        optimizer: the optimizer's variables, its step count among them.
    """

    history: list[dict[str, float]]
    model: list[NDArray[Any]]
    optimizer: list[NDArray[Any]]

    @classmethod
    def of(cls, model: Any, optimizer: Any, history: list[dict[str, float]]) -> "Checkpoint":
        """Take the state of a model and its optimizer.

        Raises:
            TrainingError: a weight is NaN or infinite; such a state is not worth keeping.
        """
        values = [np.asarray(variable) for variable in model.variables]
        if not all(np.isfinite(value).all() for value in values):
            raise TrainingError("a weight became NaN or infinite")
        return cls(history, values, [np.asarray(variable) for variable in optimizer.variables])

    def restore(self, model: Any, optimizer: Any) -> None:
        """Put the state into a model and its optimizer, built as they were.

        Raises:
            TrainingError: they are of another architecture.
        """
        for values, owner in ((self.model, model), (self.optimizer, optimizer)):
            shapes = [tuple(variable.shape) for variable in owner.variables]
            if shapes != [value.shape for value in values]:
                raise TrainingError("The checkpoint is of another network than the run's model.")
            for variable, value in zip(owner.variables, values, strict=True):
                variable.assign(value)

    def save(self, path: Path) -> None:
        """Write the checkpoint, whole or not at all."""
        buffer = io.BytesIO()
        arrays = {f"model_{index:05d}": value for index, value in enumerate(self.model)}
        arrays |= {f"optimizer_{index:05d}": value for index, value in enumerate(self.optimizer)}
        history = np.array(json.dumps(self.history))
        np.savez(buffer, allow_pickle=False, history=history, **arrays)
        write_atomically(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path) -> "Checkpoint":
        """Read what `save` wrote.

        Raises:
            TrainingError: the file is missing or damaged.
        """
        try:
            with open_regular(path, limit_bytes=_LIMIT_BYTES) as file:
                arrays = ArrayFile(file, limit_bytes=_LIMIT_BYTES)
                names = sorted(arrays)
                return cls(
                    json.loads(arrays.text("history", limit_bytes=DOCUMENT_LIMIT_BYTES // 4)),
                    [arrays[name] for name in names if name.startswith("model_")],
                    [arrays[name] for name in names if name.startswith("optimizer_")],
                )
        except (OSError, ValueError, RecursionError) as error:
            raise TrainingError(
                f"The checkpoint {path} cannot be read ({error}); start again with --force."
            ) from error
