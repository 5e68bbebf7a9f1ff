"""What `classify` says of each picture: as a table, as CSV, or as JSON."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click
import numpy as np

from edge_runtime.console.terminal import echo, echo_json
from edge_runtime.inference.classifier import Classification, Classifier
from edge_runtime.wording import columns, csv_row, printable


@dataclass(frozen=True)
class Answer:
    """What became of one picture.

    Attributes:
        picture: its path as found, or "-".
        classification: what it shows; None when it could not be read or answered.
        inverted: whether bright and dark were exchanged.
        error: why it could not be, or "".
    """

    picture: str
    classification: Classification | None = None
    inverted: bool = False
    error: str = ""

    @property
    def name(self) -> str:
        """The path; bytes of it that are no UTF-8 are replaced."""
        return "standard input" if self.picture == "-" else click.format_filename(self.picture)


def _best(classification: Classification, classifier: Classifier, top: int) -> list[dict[str, Any]]:
    # A stable sort keeps the first of equal classes in front, as `Classification.index` does.
    order = np.argsort(-classification.probabilities, kind="stable")[:top]
    return [
        {
            "class": classifier.class_names[index],
            "index": int(index),
            "confidence": round(float(classification.probabilities[index]), 6),
        }
        for index in order
    ]


def print_json(answers: list[Answer], classifier: Classifier, top: int) -> bool:
    """Print all answers as one JSON document; return whether one failed."""
    results: list[dict[str, Any]] = []
    for answer in answers:
        if answer.classification is None:
            results.append({"picture": answer.name, "error": answer.error})
            continue
        best = _best(answer.classification, classifier, top)
        shown = {"picture": answer.name, **best[0], "inverted": answer.inverted, "top": best}
        results.append(shown)
    backend = f"{classifier.backend.package} {classifier.backend.version}"
    echo_json({"model": classifier.name, "backend": backend, "results": results})
    return any(answer.error for answer in answers)


def print_csv(
    answers: Iterator[Answer], classifier: Classifier, top: int, escape_formulas: bool
) -> bool:
    """Print rows as answers come, errors to standard error; return whether one failed."""
    echo(csv_row(["picture", "rank", "class", "index", "confidence", "inverted"]))
    failed = False
    for answer in answers:
        if answer.classification is None:
            failed = True
            _print_error(answer)
            continue
        for rank, best in enumerate(_best(answer.classification, classifier, top), 1):
            inverted = str(answer.inverted).lower()
            row = [answer.name, rank, *best.values(), inverted]
            echo(csv_row(row, escape_formulas=escape_formulas))
    return failed


def print_table(answers: list[Answer], classifier: Classifier, top: int) -> bool:
    """Print a line for each answer, errors to standard error; return whether one failed."""
    width = max(
        (columns(printable(answer.name)) for answer in answers if not answer.error), default=0
    )
    for answer in answers:
        if answer.classification is None:
            continue
        for rank, best in enumerate(_best(answer.classification, classifier, top)):
            name = printable(answer.name) if rank == 0 else ""
            note = "  (inverted)" if answer.inverted and rank == 0 else ""
            padding = " " * (width - columns(name))
            echo(f"{name}{padding}  {best['confidence']:>6.1%}  {best['class']}{note}")
    failed = [answer for answer in answers if answer.error]
    for answer in failed:
        _print_error(answer)
    return bool(failed)


def _print_error(answer: Answer) -> None:
    echo(f"Error: {answer.name}: {answer.error}", err=True)
