"""The report: the full model against its converted forms, judged, said and shown."""

import json
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.files.writing import write_atomically
from edge_runtime.proof.parity import Judgement
from edge_runtime.proof.parity.verdict import verdict_sentence
from edge_runtime.proof.report import notebook_html, report_html, report_json, report_markdown


class ParityReport(Judgement):
    """The full model against its converted forms, on the same test images.

    It is shown in a notebook by its verdict and a table of the models. Nothing is written unless
    one of the `save_` methods is called; they write a whole file or none, and raise OSError where
    it cannot be written.
    """

    @classmethod
    def of(cls, judgement: Judgement) -> "ParityReport":
        """Return what was found as a report."""
        return cls(**{field.name: getattr(judgement, field.name) for field in fields(judgement)})

    def __repr__(self) -> str:
        return f"<ParityReport {self.verdict}>"

    def _repr_html_(self) -> str:
        return notebook_html(self)

    @cached_property
    def verdict(self) -> str:
        """The result in two sentences or three, as a person would say it."""
        return verdict_sentence(self)

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON, as in `report.json`."""
        document: dict[str, Any] = json.loads(report_json(self))
        return document

    def to_html(self, images: NDArray[np.uint8] | None = None) -> str:
        """Return it as one HTML page that needs no network.

        Args:
            images: (N, H, W, C) uint8, the test images in the order of the predictions, for the
                gallery of changed answers; without them it has no pictures.

        Raises:
            PredictionsError: the images are not as many as the predictions.
        """
        return report_html(self, images)

    def save_html(self, path: str | Path, images: NDArray[np.uint8] | None = None) -> None:
        """Write what `to_html` returns."""
        write_atomically(Path(path), self.to_html(images) + "\n")

    def save_json(self, path: str | Path) -> None:
        """Write the report as JSON."""
        write_atomically(Path(path), report_json(self) + "\n")

    def save_markdown(self, path: str | Path) -> None:
        """Write the report as Markdown."""
        write_atomically(Path(path), report_markdown(self))
