"""One way to print results: what they were measured on, and a Markdown table."""

import contextlib
import importlib.metadata
import os
from collections.abc import Iterable

from edge_runtime.runtimes.machine import machine_details
from edge_runtime.wording import ABSENT

_PACKAGES = ("numpy", "tensorflow", "keras", "ai-edge-litert", "tflite-runtime")


def print_conditions(*more: object, **facts: object) -> None:
    """Print the machine, its CPUs and the versions, then what is measured, as in "seed 0"."""
    machine = machine_details()
    print(f"{machine['cpu']}, {os.cpu_count()} CPUs, {machine['system']}, {_software()}")
    print(
        *more,
        *(f"{name} {value}" for name, value in facts.items()),
        sep=", ",
        end="\n\n",
        flush=True,
    )


def _software() -> str:
    """Return the versions of Python and of the installed packages that count."""
    found = [f"Python {machine_details()['python']}"]
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found.append(f"{name} {importlib.metadata.version(name)}")
    return ", ".join(found)


class Table:
    """A Markdown table; each row is printed as soon as it is there.

    Args:
        columns: a heading, a colon, and how `format` shows the cells below: "model:<9" is text of
            that width, "accuracy:.4f" a number.
    """

    def __init__(self, *columns: str) -> None:
        names, _, self._formats = zip(*(column.rpartition(":") for column in columns), strict=True)
        examples = (format("" if spec[0] == "<" else 0, spec) for spec in self._formats)
        self._widths = [max(3, *map(len, pair)) for pair in zip(names, examples, strict=True)]
        self._print(names)
        self._print(
            "-" * width if spec[0] == "<" else f"{'-' * (width - 1)}:"
            for spec, width in zip(self._formats, self._widths, strict=True)
        )

    def row(self, *values: object) -> None:
        """Print a row; None is a dash, and a text stays as it is."""
        self._print(
            ABSENT if value is None else value if isinstance(value, str) else format(value, spec)
            for value, spec in zip(values, self._formats, strict=True)
        )

    def _print(self, cells: Iterable[str]) -> None:
        padded = (
            cell.strip().ljust(width) if spec[0] == "<" else cell.strip().rjust(width)
            for cell, spec, width in zip(cells, self._formats, self._widths, strict=True)
        )
        print(f"| {' | '.join(padded)} |", flush=True)
