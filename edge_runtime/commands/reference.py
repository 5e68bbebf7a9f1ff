"""The full model that `parity` compares with: the one that each file came from, or --reference."""

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from edge_runtime.commands.chain import Link
from edge_runtime.errors import ModelError, RunError
from edge_runtime.models.lineage import (
    FullModel,
    Lineage,
    Origin,
    full_models,
    recorded_text,
    run_around,
)
from edge_runtime.models.runs import Run
from edge_runtime.proof.parity.judgement import HowFound

FLOAT_MODEL = "float32.tflite"


class Source(NamedTuple):
    """The hash of the full model that a link came from, if anything tells it; what is recorded."""

    sha256: str | None
    origin: Origin


def source_of(link: Link, lineage: Lineage) -> Source:
    """Return which full model a converted one came from.

    Raises:
        ModelError: its file or its manifest is damaged, or they do not belong together.
        RunError: only the run tells, and that holds two full models.
    """
    origin = _origin(link, lineage)
    if origin.sha256 is not None or origin.run is None:
        return Source(origin.sha256, origin)
    known = full_models(origin.run)
    if len(known) > 1:
        raise RunError(
            f"{link.path} does not say which full model it was converted from, and model.keras of "
            f"{origin.run.folder} is another one than its predictions are of; convert it again "
            f"with: fmnist-edge convert {origin.run.model_path} --force, or name the full model "
            "with --reference."
        )
    return Source(next(iter(known), None), origin)


def _origin(link: Link, lineage: Lineage) -> Origin:
    if link.predictions is None:
        return lineage.origin(link.path)
    stated = recorded_text(link.predictions, "source_sha256")
    if stated is not None:
        return Origin(stated)
    digest = recorded_text(link.predictions, "model_sha256")
    return lineage.origin_of_bytes(digest, run_around(link.path)) if digest else Origin()


def find_reference(
    given: Sequence[Link], converted: Sequence[Link], lineage: Lineage
) -> tuple[FullModel, HowFound]:
    """Return the full model that all converted ones came from.

    Args:
        given: the full models that were named, if any; one of them must be it.
        converted: the others.
        lineage: where it is looked for, if none was named.

    Raises:
        RunError: they came from different ones, nothing tells from which, or it is not there.
        ModelError: a file or its manifest is damaged.
    """
    sources = [source_of(link, lineage) for link in converted]
    digest = str(sources[0].sha256)
    for link, source in zip(converted, sources, strict=True):
        if source.sha256 is None:
            raise RunError(_unknown(link, source))
        if source.sha256 != digest:
            raise RunError(
                f"{converted[0].path} and {link.path} were converted from different full models "
                f"(SHA-256 {_short(digest)} and {_short(source.sha256)}); compare them one by one, "
                "or name what to hold both to with --reference."
            )
    by_run = any(source.origin.sha256 is None for source in sources)
    how: HowFound = "its run" if by_run else "its source by hash"
    if given:
        return _named(given, converted[0], digest), how
    for link, source in zip(converted, sources, strict=True):
        found = lineage.find(digest, converted=link.path, file=source.origin.file)
        if found is not None:
            return found, how
    raise RunError(_missing(converted[0], sources[0], lineage))


def _named(given: Sequence[Link], converted: Link, digest: str) -> FullModel:
    """Return the full model that was named, if it is the right one and the only one."""
    first = given[0]
    if len(given) > 1:
        raise RunError(
            f"{first.path} and {given[1].path} are both full models; say with --reference which of "
            "them the others are held to."
        )
    if first.sha256 != digest:
        raise RunError(
            f"{converted.path} was not converted from {first.path} (SHA-256 expected: "
            f"{_short(digest)}, got: {_short(first.sha256)}); to compare them all the same, give "
            f"--reference {first.path}."
        )
    return FullModel(digest, first.path, first.path, run_around(first.path))


def _unknown(link: Link, source: Source) -> str:
    if source.origin.run is not None:
        where = f"{source.origin.run.folder}, which it lies in, has no full model"
    elif link.predictions is not None:
        where = "they do not say it, and no run has the file that made them"
    else:
        where = "it has no manifest that says it, and does not lie in a run"
    return (
        f"{link.path}: which full model this came from is not known ({where}); name it with "
        "--reference."
    )


def _missing(link: Link, source: Source, lineage: Lineage) -> str:
    around = run_around(link.path)
    if around is not None and source.sha256 not in (known := full_models(around)) and known:
        return other_model_in_run(link, source, around)
    where = f"any run in '{lineage.runs_dir}'"
    if lineage.run_name is not None:
        where = f"the run '{lineage.run_name}'"
    beside = " or beside it" if source.origin.file and lineage.run_name is None else ""
    return (
        f"{link.path}: the full model that it was converted from ({_described(source)}) was not "
        f"found in {where}{beside}; name it with --reference, or where runs are with --runs-dir."
    )


def other_model_in_run(link: Link, source: Source, run: Run) -> str:
    """Return what to say of a file whose run has been trained again since."""
    held = " and ".join(_short(digest) for digest in full_models(run)) or "none"
    return (
        f"{link.path} was converted from another full model ({_described(source)}) than "
        f"{run.folder} has now ({held}); convert it again with: fmnist-edge convert "
        f"{run.model_path} --force, or name the full model with --reference."
    )


def _described(source: Source) -> str:
    name = f"{source.origin.file}, " if source.origin.file else ""
    return f"{name}SHA-256 {_short(source.sha256)}"


def _short(digest: str | None) -> str:
    return "not recorded" if digest is None else f"{digest[:12]}…"


def models_between(given: Sequence[Link], full: FullModel, lineage: Lineage) -> list[Link]:
    """Return what lies between a run's full model and the links: files of the same source.

    These are the float32 model, and the files that predictions were made with.
    """
    if full.run is None:
        return []
    here = {link.sha256 for link in given if link.predictions is None}
    elsewhere = {link.sha256 for link in given if link.predictions is not None}
    between = []
    for path in full.run.converted_models():
        link = Link(path)
        wanted = path.name == FLOAT_MODEL and link.sha256 not in here
        if (wanted or link.sha256 in elsewhere) and _known_source(link, lineage) == full.sha256:
            between.append(link)
    return between


def foreign_models(converted: Sequence[Link], digest: str | None, lineage: Lineage) -> list[str]:
    """Return the names of those that are known to come from another full model."""
    sources = [(link.stem, _known_source(link, lineage)) for link in converted]
    return [name for name, source in sources if source is not None and source != digest]


def _known_source(link: Link, lineage: Lineage) -> str | None:
    """Return the hash of what a link came from; who did not ask for it is not told of damage."""
    with suppress(ModelError, RunError):
        return source_of(link, lineage).sha256
    return None
