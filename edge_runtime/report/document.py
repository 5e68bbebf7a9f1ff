"""The report for programs: JSON."""

import math
from collections.abc import Mapping
from typing import Any

from edge_runtime.files import to_json
from edge_runtime.parity import ParityReport


def report_json(report: ParityReport) -> str:
    """Return all figures of a report as indented JSON text, without a newline at the end.

    The recall of a class without test images is null, and so is what is not finite in the details
    of a model.
    """
    document: dict[str, Any] = _finite(report.to_dict())
    return to_json(document)


def _finite(value: Any) -> Any:
    """Return a copy in which NaN and infinity, which JSON has no words for, are None."""
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
