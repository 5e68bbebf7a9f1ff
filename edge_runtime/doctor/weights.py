"""Whether the weights of a file are those of the full model, layer by layer.

A weight that a converter rounded lies within half a step of what it was. That alone tells rounding
from damage; nothing here is tuned.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.doctor.findings import Cause
from edge_runtime.models.quantized import QuantizedFile
from edge_runtime.models.quantized.layers import Layer, layers_of

# What an exact signature proves even where the answers stay alike: no conversion does that.
DAMAGE = ("bits-flipped", "bias-lost")


@dataclass(frozen=True, eq=False)
class Difference:
    """A layer, the full model's, and its place among the layers, from 1."""

    layer: Layer
    full: Layer
    number: int

    @property
    def outside(self) -> NDArray[np.bool_]:
        """Which weights are others."""
        return self.layer.weights.outside(self.full.weights)

    @property
    def is_sparse(self) -> bool:
        """Whether at most half of the weights are others, and so of each channel."""
        outside = self.outside
        by_channel = outside.mean(axis=1).max() if outside.shape[1] > 1 else 0
        return bool(max(outside.mean(), by_channel) <= 1 / 2)

    @property
    def bias_is_off(self) -> bool:
        """Whether any bias is another; one that is left out is 0."""
        mine, full = self.layer.bias, self.full.bias
        if mine is None or full is None:
            one = mine or full
            return one is not None and bool(one.numbers.any())
        return bool(mine.outside(full).any())

    def is_scaled(self, *, axis: int | None) -> bool:
        """Whether each channel of an axis, or all, is multiplied by one number.

        A batch norm is folded into what it follows, or into what comes next.
        """
        return self.layer.weights.is_multiple(self.full.weights, axis=axis)


def differences(file: QuantizedFile, full: QuantizedFile) -> list[Difference] | None:
    """Return the layers that differ, the first first.

    Returns:
        None where the two graphs have other layers, so that nothing can be compared.
    """
    mine, theirs = layers_of(file), layers_of(full)
    if not mine or not theirs or len(mine) != len(theirs):
        return None
    found = []
    for number, (one, other) in enumerate(zip(mine, theirs, strict=True), start=1):
        same = other.as_in(one)
        if same is None:
            return None
        found.append(Difference(one, same, number))
    return [one for one in found if one.outside.any() or one.bias_is_off]


def weights_cause(found: list[Difference]) -> Cause:
    """Return what is wrong with weights that differ."""
    first, (kind, seen) = found[0], _kind(found)
    more = f", and {len(found) - 1} more layers differ" if len(found) > 1 else ""
    return Cause(
        kind,
        f"The weights are others than the full model's, first in layer {first.number} "
        f"({first.layer.name}, {first.layer.operator}): {seen}{more}",
        "Copy the file again if it was damaged on its way (its SHA-256 is in the manifest); else "
        "convert the full model again: fmnist-edge convert",
    )


def _kind(found: list[Difference]) -> tuple[str, str]:
    """Return which mistake makes weights differ like that, and how one sees it.

    Another checkpoint differs nearly everywhere, damage in few places.
    """
    moved = [one for one in found if one.outside.any()]
    if not moved and not any(one.layer.bias and one.layer.bias.numbers.any() for one in found):
        return "bias-lost", "its biases are all zero, the weights are right"
    if any(not one.layer.weights.numbers.any() for one in moved):
        return "weights-lost", "they are all zero"
    if [one.number for one in moved] == [1] and moved[0].is_scaled(axis=None):
        return "input-scale", "they are multiplied by one number, as by a scaling of the pixels"
    if all(one.is_scaled(axis=1) or one.is_scaled(axis=0) for one in moved):
        return (
            "batch-norm",
            "each channel is multiplied by another number, and nothing else: the statistics of a "
            "batch normalization were not loaded, or lag behind",
        )
    if all(one.is_sparse for one in moved):
        count = sum(int(one.outside.sum()) for one in moved)
        return "bits-flipped", f"{count} of them are off, the others are right: bits are flipped"
    if not all(np.isfinite(one.layer.weights.numbers).all() for one in moved):
        return "weights-differ", "many are no numbers"
    return "other-training", "they differ all over: they are of another training"
