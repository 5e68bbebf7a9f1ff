"""Which full model a converted one came from, and which run or file still has it.

A full model is known by its SHA-256, which `convert` writes into the manifest. Where a file has no
manifest, that of the same bytes in a run tells it, and at last the run that the file lies in.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from edge_runtime.data.predictions import Predictions
from edge_runtime.errors import ModelError, PredictionsError, RunError
from edge_runtime.files.reading import read_capped, resolved, sha256
from edge_runtime.models.bundle.members import MANIFEST, MEMBER_LIMITS
from edge_runtime.models.full_model import hash_full_model, is_full_model
from edge_runtime.models.manifest import Manifest
from edge_runtime.models.model_file import read_model, read_model_bytes
from edge_runtime.models.runs import (
    Run,
    find_run,
    finished_runs,
    images_missing,
    link_followed,
    open_run,
)


@dataclass(frozen=True)
class Origin:
    """What is known of where a converted model came from.

    Attributes:
        sha256: the hash of its full model; None where nothing records it.
        file: the name of the full model's file, if that is recorded.
        dataset_fingerprint: of the images that it was made for, if that is recorded.
        run: the run that has these very bytes, or that the file lies in; None for neither.
    """

    sha256: str | None = None
    file: str | None = None
    dataset_fingerprint: str | None = None
    run: Run | None = None


@dataclass(frozen=True)
class FullModel:
    """A full model that is still there.

    Attributes:
        sha256: its hash.
        file: the model, or where only its predictions are left, these.
        path: what to compare with: its predictions if they are stored, else the model to be run.
        run: the run that has it, or None for a file of its own.
    """

    sha256: str
    file: Path
    path: Path
    run: Run | None = None


@dataclass(frozen=True)
class Lineage:
    """Where full models are looked for: in the run of that name, or in all runs of a folder."""

    runs_dir: Path
    run_name: str | None = None

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """The runs, the latest first.

        Raises:
            RunError: there is none of the name that was given.
        """
        if self.run_name is not None:
            return (find_run(self.runs_dir, self.run_name),)
        return finished_runs(self.runs_dir)

    def _runs_from(self, first: Run | None) -> tuple[Run, ...]:
        return ((first,) if first else ()) + self.runs

    def origin(self, path: Path) -> Origin:
        """Return where a .tflite or a bundle came from.

        Raises:
            ModelError: it cannot be read, or its manifest is damaged or describes another file.
        """
        file = read_model(path)
        around = run_around(path)
        if file.manifest is None:
            return self.origin_of_bytes(sha256(file.data), around)
        return _recorded(file.manifest, around)

    def origin_of_bytes(self, digest: str, around: Run | None = None) -> Origin:
        """Return where a .tflite with this SHA-256 came from, if a run has it, ``around`` first."""
        runs = self._runs_from(around)
        for run in runs:
            for manifest in _manifests(run.folder):
                if manifest.model_sha256 == digest:
                    return _recorded(manifest, run)
        for run in runs:
            if any(sha256(read_model_bytes(path)) == digest for path in run.converted_models()):
                return Origin(run=run)
        return Origin()

    def find(
        self, digest: str, *, converted: Path | None = None, file: str | None = None
    ) -> FullModel | None:
        """Return the full model of that SHA-256.

        It is looked for in the run that the converted model lies in, in the runs, and beside the
        converted model under the name that is recorded, ``file``.
        """
        around = run_around(converted) if converted and self.run_name is None else None
        for run in self._runs_from(around):
            found = full_models(run).get(digest)
            if found is not None:
                return found
        if converted is None or file is None or self.run_name is not None:
            return None
        for folder in dict.fromkeys((converted.parent, resolved(converted).parent)):
            beside = folder / Path(file).name
            if is_full_model(beside) and beside.exists() and hash_full_model(beside) == digest:
                return FullModel(digest, beside, beside)
        return None

    def run_of(self, path: Path) -> Run | None:
        """Return the run whose images a full or a converted model is for; None where none is known.

        That is the run of its full model, another one on the same images, or the run that a file
        without a manifest lies in.

        Raises:
            RunError: the file says what images it is for, and no run has them.
        """
        if self.run_name is not None:
            return self.runs[0]
        if is_full_model(path):
            found = self.find(hash_full_model(path), converted=path) if path.exists() else None
            return found.run if found else run_around(path)
        origin = Origin(run=run_around(path))
        with suppress(ModelError):  # who reads the file for more than its images says what it is
            origin = self.origin(path)
        return self.run_of_origin(origin, path)

    def run_of_origin(self, origin: Origin, path: Path) -> Run | None:
        """Return the run whose images a model of that origin is for, as `run_of`."""
        if origin.sha256 is not None:
            found = self.find(origin.sha256, converted=path)
            if found is not None and found.run is not None:
                return found.run
        if origin.dataset_fingerprint is None:
            return origin.run
        for run in self._runs_from(origin.run):
            if run.config["dataset_fingerprint"] == origin.dataset_fingerprint:
                return run
        raise RunError(
            f"{path} was made for images (fingerprint {origin.dataset_fingerprint[:12]}…) that no "
            f"run in '{self.runs_dir}' has; name them with --dataset."
        )


def run_around(path: Path) -> Run | None:
    """Return the run that a file lies in, or in a folder of which; links are followed."""
    for folder in resolved(path).parents[:2]:
        if (folder / "config.json").is_file():
            with suppress(RunError):
                return open_run(_as_spelled(folder, path))
    return None


def _as_spelled(folder: Path, path: Path) -> Path:
    """Return a folder above a path as the path has it, which reads better than the absolute one."""
    for own in map(link_followed, (path.parent, path.parent.parent)):
        if own.name not in ("", "..") and resolved(own) == folder:
            return own
    return folder


def full_models(run: Run) -> dict[str, FullModel]:
    """Return a run's full model by its hash.

    These are two where `model.keras` was replaced after its predictions were stored.
    """
    found: dict[str, FullModel] = {}
    if run.model_path.is_file():
        digest = hash_full_model(run.model_path)
        found[digest] = FullModel(digest, run.model_path, run.model_path, run)
    stored = None
    with suppress(PredictionsError):
        stored = recorded_text(Predictions.load(run.predictions_path), "model_sha256")
    if stored is not None:
        file = found[stored].file if stored in found else run.predictions_path
        found[stored] = FullModel(stored, file, run.predictions_path, run)
    return found


def recorded_text(predictions: Predictions, key: str) -> str | None:
    """Return a text of the details; in a file that somebody made by hand it may be anything."""
    value = predictions.details.get(key)
    return value if isinstance(value, str) else None


def _recorded(manifest: Manifest, run: Run | None) -> Origin:
    return Origin(manifest.source_sha256, manifest.source_file, manifest.dataset_fingerprint, run)


def _manifests(folder: Path) -> Iterator[Manifest]:
    """Yield the manifests in a folder that can be read; those of other models are not needed."""
    for path in sorted(folder.glob("*.manifest.json")):
        with suppress(ModelError, OSError, ValueError):
            yield Manifest.from_json(read_capped(path, limit_bytes=MEMBER_LIMITS[MANIFEST]))


def run_for_images(path: Path, lineage: Lineage) -> Run:
    """Return the run whose images a model is for; where nothing says it, the latest.

    Raises:
        RunError: no run has them.
    """
    run = lineage.run_of(path)
    if run is not None:
        return run
    try:
        return find_run(lineage.runs_dir, lineage.run_name)
    except RunError as error:
        raise images_missing(path, error) from error
