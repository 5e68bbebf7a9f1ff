"""The folder that a training leaves: `runs/NAME/`; `runs/latest` points to the newest."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.data.datasets import Dataset, DatasetSpec, load_dataset
from edge_runtime.errors import RunError, nearest_name
from edge_runtime.files.documents import parse_object
from edge_runtime.files.reading import MEBIBYTE, read_capped, resolved
from edge_runtime.files.writing import switch_link

LATEST = "latest"
CONFIG = "config.json"


@dataclass(frozen=True)
class Run:
    """What one training made: its folder `runs/NAME`, and what was trained, on what, with what."""

    folder: Path
    config: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name of the run."""
        return self.folder.name

    @property
    def model_path(self) -> Path:
        """The full model, in Keras' format."""
        return self.folder / "model.keras"

    @property
    def predictions_path(self) -> Path:
        """What the full model says about the test images."""
        return self.folder / "full.predictions.npz"

    @property
    def parity_folder(self) -> Path:
        """Where the parity reports of this run go."""
        return self.folder / "parity"

    @property
    def dataset_spec(self) -> DatasetSpec:
        """What it was trained and tested on."""
        return DatasetSpec.from_dict(self.config["dataset"])

    def load_dataset(self) -> Dataset:
        """Load the very images that it was trained and tested on.

        Raises:
            DatasetError: they cannot be loaded.
            RunError: they have changed since.
        """
        dataset = load_dataset(self.dataset_spec)
        if dataset.fingerprint != self.config["dataset_fingerprint"]:
            raise RunError(
                f"The images of '{dataset.name}' are no longer those that {self.name} was trained "
                "and tested on (their fingerprint differs); bring them back, or train again."
            )
        return dataset

    def converted_models(self) -> list[Path]:
        """Return the .tflite files of this run, the largest first."""
        return sorted(self.folder.glob("*.tflite"), key=lambda path: -path.stat().st_size)


def find_run(runs_dir: Path, name: str | None = None) -> Run:
    """Return the run of that name (or path), or the latest.

    Where `runs/latest` is missing or points nowhere, the latest is the finished run that was
    written last.

    Raises:
        RunError: there is none, or it is not finished.
    """
    folder = runs_dir / (name or LATEST)
    if name is None and not folder.exists() and (configs := _configs(runs_dir)):
        folder = configs[-1].parent
    if name and not folder.exists() and Path(name).is_dir():
        folder = Path(name)
    if not folder.exists():
        if name is None:
            raise RunError(
                f"There is no finished run in '{runs_dir}'; train one first with: fmnist-edge train"
            )
        raise RunError(
            f"There is no run '{name}' in '{runs_dir}'." + nearest_name(name, _names(runs_dir))
        )
    # The run's own name reads better than "latest", and stays true when there is a later one.
    return open_run(link_followed(folder))


def open_run(folder: Path) -> Run:
    """Return the run in that folder.

    Raises:
        RunError: the folder is no finished run.
    """
    try:
        config = parse_object(read_capped(folder / CONFIG, limit_bytes=MEBIBYTE))
        dataset, fingerprint = dict(config["dataset"]), str(config["dataset_fingerprint"])
        return Run(folder, {**config, "dataset": dataset, "dataset_fingerprint": fingerprint})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunError(
            f"{folder} is no finished run: its config.json cannot be read ({error})."
        ) from error


def run_at(path: Path) -> Run | None:
    """Return the run whose folder a path is; None if it is none.

    Raises:
        RunError: the run is not finished.
    """
    return open_run(path) if (path / CONFIG).is_file() else None


def finished_runs(runs_dir: Path) -> tuple[Run, ...]:
    """Return all finished runs, the latest first, then the newest; none where there are none."""
    found: dict[Path, Run] = {}
    for path in reversed(_configs(runs_dir)):
        with contextlib.suppress(RunError):  # another one's damage is no matter of this model
            found.setdefault(resolved(path.parent), open_run(link_followed(path.parent)))
    return tuple(found.values())


def _configs(runs_dir: Path) -> list[Path]:
    """Return the config.json of each finished run, the newest last and `latest` behind it."""
    configs = [path for path in runs_dir.glob(f"[!.]*/{CONFIG}") if path.is_file()]
    return sorted(configs, key=lambda path: (path.parent.name == LATEST, path.stat().st_mtime_ns))


def link_followed(folder: Path) -> Path:
    """Return the folder that a link names, spelled as it does; one that is no link as it is."""
    return folder.parent / folder.readlink() if folder.is_symlink() else folder


def images_missing(model: Path, error: RunError) -> RunError:
    """Return what to raise when neither --dataset nor a run says which images a model is for."""
    return RunError(
        f"{model} needs images, and no run provides them; name some with --dataset, as in "
        f"--dataset sample. {error}"
    )


def _names(runs_dir: Path) -> list[str]:
    return [entry.name for entry in runs_dir.glob("[!.]*") if entry.is_dir()]


def next_run_name(runs_dir: Path, stem: str) -> str:
    """Return `STEM-N` with the smallest N that is larger than any in use, unfinished runs too."""
    unfinished = [entry.name[1:-8] for entry in runs_dir.glob(".*.partial")]
    names = [*_names(runs_dir), *unfinished]
    taken = [name.removeprefix(f"{stem}-") for name in names if name.startswith(f"{stem}-")]
    return f"{stem}-{1 + max((int(number) for number in taken if number.isdecimal()), default=0)}"


def mark_latest(run: Run) -> None:
    """Let `runs/latest` point to a run; the link is replaced in one step."""
    switch_link(run.folder.parent / LATEST, Path(run.folder.name))
