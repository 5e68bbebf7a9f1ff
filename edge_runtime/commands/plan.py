"""What `parity` compares: the full model, what came from it, and the run that has the images."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge_runtime.commands.chain import Link, converted_in, open_link
from edge_runtime.commands.reference import (
    find_reference,
    foreign_models,
    models_between,
    other_model_in_run,
    source_of,
)
from edge_runtime.errors import PredictionsError, RunError
from edge_runtime.files.reading import resolved
from edge_runtime.models.lineage import Lineage, Origin, full_models, recorded_text
from edge_runtime.models.runs import Run, find_run, images_missing
from edge_runtime.proof.parity.judgement import Basis


@dataclass(frozen=True)
class Plan:
    """A comparison before any model is run.

    Attributes:
        links: the full model and then the converted ones, each file once.
        basis: what the full model is and how it was found.
        run: the run that the full model is of; None where it was named.
    """

    links: tuple[Link, ...]
    basis: Basis
    run: Run | None


def plan_comparison(given: Sequence[Link], reference: Link | None, lineage: Lineage) -> Plan:
    """Return what is compared with what.

    Args:
        given: models and predictions; none stands for all that was converted in a run. Without a
            full model among them the one that they came from comes before them, and what lies
            between: the float32 model, and the file that a device says it has run.
        reference: the full model, whatever the others came from.
        lineage: the runs in which full models are looked for.

    Raises:
        PredictionsError: there is nothing to compare.
        RunError: the full model that a converted one came from is not known or not there, or the
            run has no converted models.
        ModelError: a file or its manifest is damaged.
    """
    if reference is not None:
        run = None if given else find_run(lineage.runs_dir, lineage.run_name)
        others = given if run is None else _links_of(run)
        digest = reference.sha256
        foreign = foreign_models(others, digest, lineage)
        basis = Basis(str(reference.path), digest, "--reference", tuple(foreign))
        return Plan(_each_once([reference, *others]), basis, run)
    named = [link for link in given if link.is_full]
    converted = [link for link in given if not link.is_full] if given else _whole_run(lineage)
    if not converted:
        raise PredictionsError(
            f"There is nothing to compare with {given[0].path}: give a converted model or more, or "
            "say with --reference which of several full models the others are held to."
        )
    full, how = find_reference(named, converted, lineage)
    basis = Basis(str(full.file), full.sha256, how)
    if named:
        return Plan(_each_once([*named, *converted]), basis, None)
    between = models_between(converted, full, lineage)
    return Plan(_each_once([open_link(full.path), *between, *converted]), basis, full.run)


def _whole_run(lineage: Lineage) -> list[Link]:
    """Return all that was converted in the run, unless that has another full model now."""
    run = find_run(lineage.runs_dir, lineage.run_name)
    converted, known = _links_of(run), full_models(run)
    for link in converted:
        source = source_of(link, lineage)
        if source.sha256 is not None and source.sha256 not in known:
            raise RunError(other_model_in_run(link, source, run))
    return converted


def _links_of(run: Run) -> list[Link]:
    return [Link(path) for path in converted_in(run)]


def _each_once(links: Sequence[Link]) -> tuple[Link, ...]:
    return tuple({resolved(link.path): link for link in links}.values())


def run_of_links(links: Sequence[Link], lineage: Lineage) -> Run:
    """Return the run whose images the links are about, the full model's first, or else the latest.

    Raises RunError if no run has these images.
    """
    for link in links:
        run = _run_of(link, lineage)
        if run is not None:
            return run
    try:
        return find_run(lineage.runs_dir, lineage.run_name)
    except RunError as error:
        raise images_missing(links[0].path, error) from error


def _run_of(link: Link, lineage: Lineage) -> Run | None:
    if link.predictions is None or lineage.run_name is not None:
        return lineage.run_of(link.path)
    fingerprint = recorded_text(link.predictions, "dataset_fingerprint")
    return lineage.run_of_origin(Origin(dataset_fingerprint=fingerprint), link.path)
