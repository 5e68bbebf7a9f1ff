"""Records that add up, field by field."""

import operator
from dataclasses import field, fields
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Self = TypeVar("Self", bound="Mergeable")

# Real numbers are summed as whole multiples of this: integers add up to the same sum in any order,
# floating-point numbers do not. One image is off by at most 4e-12.
UNIT = 2.0**-37


class Mergeable:
    """A dataclass whose `a + b` adds each field, and whose `==` compares each.

    A field made by `largest` takes the larger of both.
    """

    def __add__(self: Self, other: Self) -> Self:
        if type(other) is not type(self):
            return NotImplemented
        merged = {}
        for item in fields(self):  # type: ignore[arg-type]
            ours, theirs = getattr(self, item.name), getattr(other, item.name)
            if np.shape(ours) != np.shape(theirs):
                raise ValueError(
                    f"Counts of the same classes add up, got {item.name} of {np.shape(ours)} and "
                    f"{np.shape(theirs)}."
                )
            merged[item.name] = item.metadata.get("merge", operator.add)(ours, theirs)
        return type(self)(**merged)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and all(
            np.array_equal(getattr(self, item.name), getattr(other, item.name))
            for item in fields(self)  # type: ignore[arg-type]
        )

    __hash__ = None  # type: ignore[assignment]


def largest() -> Any:
    """Return a dataclass field of which the larger value is kept."""
    return field(metadata={"merge": max})


def to_units(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return values below 2**6 in whole multiples of `UNIT`; a million of them can be summed."""
    return np.rint(values / UNIT).astype(np.int64)


def sums_by_bin(
    units: NDArray[np.int64], bins: NDArray[np.integer[Any]], bin_count: int
) -> NDArray[np.object_]:
    """Return the sum of the (N,) units in each bin, (bin_count,) Python integers."""
    sums = np.zeros(bin_count, np.int64)
    np.add.at(sums, bins, units)
    return sums.astype(object)
