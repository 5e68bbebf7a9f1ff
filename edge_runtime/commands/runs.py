"""What commands take from runs: the models that were converted there, and the images."""

from collections.abc import Collection
from pathlib import Path

from edge_runtime.data.datasets import Dataset, DatasetSpec, load_dataset
from edge_runtime.errors import RunError
from edge_runtime.models.lineage import Lineage, run_for_images
from edge_runtime.models.runs import Run

SPLITS = ("train", "test")


def images_for(
    model: Path, named: DatasetSpec | None, lineage: Lineage, *, needs: Collection[str] = SPLITS
) -> Dataset:
    """Return the dataset that was named, or else that of the run that a model is for.

    Args:
        model: a full model, a .tflite or a bundle.
        named: what `named_dataset` returned.
        lineage: the runs; the latest counts where nothing says which one it is.
        needs: the splits of which a named dataset must have images.

    Raises:
        DatasetError: the images cannot be loaded.
        RunError: no run has them, or they have changed since.
    """
    if named is not None:
        return load_dataset(named, needs=needs)
    return run_for_images(model, lineage).load_dataset()


def converted_in(run: Run) -> list[Path]:
    """Return the models that were converted in a run, the largest first.

    Raises:
        RunError: there are none.
    """
    models = run.converted_models()
    if not models:
        raise RunError(
            f"{run.name} has no converted models yet; make one first with: fmnist-edge convert"
        )
    return models
