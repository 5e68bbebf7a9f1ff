"""Where commands write what they found, and whether they can."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from edge_runtime.commands.chain import Link
from edge_runtime.data.predictions import PREDICTIONS_SUFFIX, Predictions
from edge_runtime.errors import EdgeError
from edge_runtime.files.reading import resolved
from edge_runtime.files.writing import refuse_unwritable_folder, write_together
from edge_runtime.proof.parity_report import ParityReport
from edge_runtime.proof.report import report_html, report_json, report_junit, report_markdown
from edge_runtime.proof.report.rendering import refuse_missing_jinja

REPORT_FILES = {
    "html": "report.html",
    "json": "report.json",
    "junit": "report.xml",
    "markdown": "report.md",
}


def chosen_file(out: Path | None, default: Path, suffix: str) -> Path:
    """Return where a file goes that --out may name, or the folder for it; else to ``default``."""
    if out is None:
        return default
    if out.is_dir():
        return out / default.name
    if not out.name.endswith(suffix):
        suggested = out.with_name(out.name.removesuffix(Path(suffix).suffix) + suffix)
        raise click.UsageError(
            f"Expected --out to be a folder that is there, or to end in {suffix}, as in "
            f"{suggested}; got '{out}'."
        )
    return out


def refuse_impossible_file(path: Path, option: str) -> None:
    """Raise if a file of that name cannot be written; asked before the slow part."""
    if path.is_dir():
        raise EdgeError(f"{path} is a folder; choose another {option}.")
    if not path.parent.is_dir():
        raise EdgeError(f"There is no folder {path.parent}; make it, or choose another {option}.")


def report_files(folder: Path, formats: Sequence[str]) -> dict[str, Path]:
    """Return where the report of each format goes, in the order of `REPORT_FILES`.

    Raises EdgeError if one cannot be made or written; asked before the slow part.
    """
    files = {kind: folder / name for kind, name in REPORT_FILES.items() if kind in formats}
    try:
        refuse_unwritable_folder(folder)
    except OSError as error:
        if error.filename is None:  # there is no current folder, and so no place that has a name
            raise
        raise EdgeError(
            f"The reports cannot be written to {folder} ({error.strerror}); choose another --out."
        ) from error
    for path in files.values():
        if path.is_dir():
            raise EdgeError(f"{path} is a folder; choose another --out.")
    if {"html", "markdown"} & set(files):
        refuse_missing_jinja()
    return files


def render(report: ParityReport, pictures: NDArray[np.uint8] | None, kind: str) -> str:
    """Return the text of a report's file."""
    if kind == "html":
        return report_html(report, pictures)
    renderers = {"json": report_json, "junit": report_junit, "markdown": report_markdown}
    return renderers[kind](report)


def predictions_files(
    folder: Path, made: Sequence[Predictions], given: Iterable[Path]
) -> dict[Path, Predictions]:
    """Return under which path in a folder each model's predictions are kept.

    "a/int8" and "a-int8" get two, and none takes the place of a file that was given.
    """
    taken = {resolved(path) for path in given}
    found: dict[Path, Predictions] = {}
    for predictions in made:
        stem, number = predictions.model.replace("/", "-").lstrip("."), 1
        path = folder / f"{stem}{PREDICTIONS_SUFFIX}"
        while path in found or resolved(path) in taken:
            number += 1
            path = folder / f"{stem}.{number}{PREDICTIONS_SUFFIX}"
        found[path] = predictions
    return found


def write_results(
    folder: Path,
    documents: Mapping[Path, str],
    chain: Sequence[Predictions],
    links: Sequence[Link],
) -> None:
    """Write the reports and the predictions that were made for them: all or none."""
    given = {id(link.predictions) for link in links}
    made = [predictions for predictions in chain if id(predictions) not in given]
    stored = predictions_files(folder, made, (link.path for link in links))
    folder.mkdir(parents=True, exist_ok=True)
    write_together(
        {path: predictions.to_bytes() for path, predictions in stored.items()}
        | {path: text.rstrip("\n") + "\n" for path, text in documents.items()}
    )
