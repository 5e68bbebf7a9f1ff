"""What one training made: a model with its history, metrics, predictions and figures."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.data.datasets import Dataset
from edge_runtime.data.predictions import Predictions
from edge_runtime.errors import RunError
from edge_runtime.files.documents import parse_object
from edge_runtime.files.folders import put_folder_in_place, remove
from edge_runtime.files.reading import MEBIBYTE, read_capped
from edge_runtime.files.writing import write_atomically, write_json_atomically
from edge_runtime.models.runs import open_run
from edge_runtime.runtimes.native import native_messages_silenced
from edge_runtime.wording import html_table, plural
from trainer.partial import CONFIG, RESULT, is_resumable, target_of, working_on
from trainer.recipe import Epoch, TrainingConfig

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LIMIT_BYTES = 64 * MEBIBYTE
_IN_NOTEBOOKS = ("curves", "confusion")


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """What one training made; `trainer.train` returns it, and writes nothing unless asked.

    Examples:
        >>> len(run.history), run.predictions.probabilities.shape
        (2, (40, 10))

    Attributes:
        model: the trained `keras.Model`, from (N, H, W, C) pixels 0..255 to (N, K).
        model_data: the bytes of its `.keras` file.
        dataset: what it was trained and tested on.
        config: how it was trained.
        history: for each epoch its number, loss (nats) and accuracy (0 to 1), and where the test
            images were measured test_loss and test_accuracy.
        metrics: parameter_count, test_accuracy with its 95 % interval, last_epoch, and precision,
            recall and images per_class: the content of `metrics.json`.
        predictions: what the model says about the test images.
        record: the content of `config.json`: the recipe, versions, fingerprint, class names.
        folder: where the run was written; None if it was not.
    """

    model: Any
    model_data: bytes
    dataset: Dataset
    config: TrainingConfig
    history: tuple[Epoch, ...]
    metrics: Mapping[str, Any]
    predictions: Predictions
    record: Mapping[str, Any]
    folder: Path | None = None

    @classmethod
    def load(cls, folder: str | Path) -> "Run":
        """Read what `save`, `train` or `fmnist-edge train` wrote.

        Examples:
            >>> Run.load(run.save("runs/mine").folder).metrics == run.metrics
            True

        Raises:
            RunError: the folder is no finished run, or its images have changed.
            ModelError, PredictionsError, DatasetError: a part of it cannot be read.
        """
        stored = open_run(Path(folder))
        with native_messages_silenced():
            from trainer.architectures import load_keras  # TensorFlow, which takes seconds
        return cls(
            load_keras(stored.model_path),
            stored.model_path.read_bytes(),
            stored.load_dataset(),
            TrainingConfig.from_dict(stored.config["training"]),
            tuple(_read_object(stored.folder / "history.json")["epochs"]),
            _read_object(stored.folder / "metrics.json"),
            Predictions.load(stored.predictions_path),
            stored.config,
            stored.folder,
        )

    def figures(self) -> "dict[str, Figure]":
        """Draw the seven figures of the article.

        Examples:
            >>> run.figures()["curves"].get_suptitle().startswith("Test accuracy")
            True

        Returns:
            Matplotlib figures: examples, curves, predictions, confusion, confidence,
            least_confident and per_class; `trainer.figures.to_png` makes PNG bytes of one.
        """
        from trainer.figures import run_figures  # Matplotlib, only when asked for

        return run_figures(self.dataset, self.predictions, self.history, seed=self.config.seed)

    def save(self, folder: str | Path, *, force: bool = False) -> "Run":
        """Write the run as `fmnist-edge train` does, whole or not at all, its figures too.

        Examples:
            >>> sorted(path.name for path in run.save("runs/other").folder.glob("*.json"))
            ['config.json', 'history.json', 'metrics.json']

        Args:
            folder: such as "runs/mine", which every command then finds.
            force: whether to replace a run that is there.

        Returns:
            The same run, with its folder.

        Raises:
            RunError: there is a run of that name, finished or not.
            OSError: it cannot be written.
        """
        target = Path(folder)
        with working_on(target) as partial:
            if is_resumable(partial) or (target.exists() and not force):
                raise RunError(f"{target} exists; choose another folder, or force=True.")
            return put_in_place(self, partial)

    def rows(self) -> list[tuple[str, str]]:
        """Return what a reader wants to know first, in words: pairs of a name and a value."""
        rate = self.metrics["test_accuracy"]
        low, high = rate["interval_95"]
        accuracy = f"{rate['value']:.1%} (95 % interval {low:.1%} to {high:.1%}, "
        rows = [
            ("parameters", f"{self.metrics['parameter_count']:,}"),
            ("test accuracy", f"{accuracy}{rate['total']:,} images)"),
        ]
        if self.folder is None:
            return rows
        return [("run", str(self.folder)), *rows, ("figures", str(self.folder / "figures"))]

    def __repr__(self) -> str:
        rate = self.metrics["test_accuracy"]
        return (
            f"<Run of {self.config.model} on {self.dataset.name}: "
            f"{plural(len(self.history), 'epoch')}, test accuracy {rate['value']:.1%} of "
            f"{rate['total']:,} images>"
        )

    def _repr_html_(self) -> str:
        from trainer.figures import to_png

        figures = self.figures()
        pictures = [base64.b64encode(to_png(figures[name])).decode() for name in _IN_NOTEBOOKS]
        shown = [f"<img src='data:image/png;base64,{picture}'/>" for picture in pictures]
        return html_table(list(self.rows()), title=repr(self)[1:-1]) + "".join(shown)


def put_in_place(run: Run, partial: Path) -> Run:
    """Write a run into a partial folder, and rename it to what that folder is partial of."""
    result, target = partial / RESULT, target_of(partial)
    remove(result)
    (result / "figures").mkdir(parents=True)
    write_atomically(result / "model.keras", run.model_data)
    run.predictions.save(result / "full.predictions.npz")
    write_json_atomically(result / "history.json", {"epochs": run.history})
    write_json_atomically(result / "metrics.json", run.metrics)
    _write_figures(run, result / "figures")
    write_json_atomically(result / CONFIG, run.record)
    put_folder_in_place(result, target)
    return replace(run, folder=target)


def _write_figures(run: Run, folder: Path) -> None:
    from trainer.figures import per_class_table, to_png

    for name, figure in run.figures().items():
        write_atomically(folder / f"{name}.png", to_png(figure))
    write_atomically(folder / "per_class.txt", per_class_table(run.predictions))


def _read_object(path: Path) -> dict[str, Any]:
    try:
        return parse_object(read_capped(path, limit_bytes=_LIMIT_BYTES))
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read ({error}); train the run again.") from error
