"""Numbers on the command line: finite, and no larger than what the libraries below count with."""

import math
from typing import Any

import click

LARGEST_INT = 2**31 - 1


class Whole(click.IntRange):
    """A whole number within a range that a C int holds: no library of ours counts further."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number."""
        number: Any = super().convert(value, param, ctx)
        if number > LARGEST_INT:
            self.fail(f"{value} is larger than {LARGEST_INT:,}.", param, ctx)
        return number


class Finite(click.FloatRange):
    """A finite number within a range; click's own takes NaN, which is outside of none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number."""
        number: Any = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number
