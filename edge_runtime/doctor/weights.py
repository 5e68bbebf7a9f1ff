"""Whether the weights of a file are those of the full model, layer by layer.

A weight that a converter rounded lies within half a step of what it was. That alone tells rounding
from damage; nothing here is tuned.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge_runtime.doctor.findings import Cause
from edge_runtime.doctor.judging import FLOAT_STEP
from edge_runtime.doctor.surgery import WITH_WEIGHTS, QuantizedFile, Reals

# What an exact signature proves even where the answers stay alike: no conversion does that.
DAMAGE = ("bits-flipped", "bias-lost")


@dataclass(frozen=True, eq=False)
class Constant:
    """Real numbers of a file, each known to ± slack: (O, n), a row for each output channel."""

    numbers: Reals
    slack: Reals

    def outside(self, full: "Constant") -> NDArray[np.bool_]:
        """Return which numbers are further from the full model's than rounding takes them."""
        apart = np.abs(self.numbers - full.numbers)
        largest = np.abs(full.numbers).max(axis=1, keepdims=True, initial=0)
        within: NDArray[np.bool_] = apart <= self.slack + full.slack + FLOAT_STEP * largest
        return np.logical_not(within)

    def is_multiple(self, full: "Constant", *, axis: int | None) -> bool:
        """Return whether one number larger than 0, for each row or column or all, makes both agree.

        Each weight leaves an interval of factors that take it there; they must have one in common.
        """
        known = np.abs(full.numbers) > full.slack
        base = np.where(known, np.abs(full.numbers), np.nan)
        signed = self.numbers * np.sign(full.numbers)
        slack = self.slack + FLOAT_STEP * np.abs(signed)
        low = np.fmax.reduce((signed - slack) / base, axis=axis)
        high = np.fmin.reduce((signed + slack) / base, axis=axis)
        some = np.atleast_1d(known.any(axis=axis))
        fits = np.atleast_1d((low <= high) & (high > 0))
        return bool(some.any() and fits[some].all())


@dataclass(frozen=True, eq=False)
class Layer:
    """An operator with weights of a shape; its name is that of the tensor that it computes."""

    name: str
    operator: str
    shape: tuple[int, ...]
    weights: Constant
    bias: Constant | None

    def as_in(self, file: "Layer") -> "Layer | None":
        """Return the layer in the form that it has in a file; None if that is another layer.

        `convert` packs the pixels of a first convolution: several outputs of a row are computed
        from one window, so its kernel is there several times, further along the row each time.
        """
        if (self.operator, self.shape) == (file.operator, file.shape):
            return self
        if self.operator != file.operator or len(self.shape) != 4 or len(file.shape) != 4:
            return None
        filters, tall, wide, channels = self.shape
        times, window = file.shape[0] // filters, file.shape[3] // channels
        if file.shape != (times * filters, tall, 1, window * channels) or times < 2:
            return None
        bias = self.bias and Constant(
            *(np.tile(one, (times, 1)) for one in (self.bias.numbers, self.bias.slack))
        )
        strides = range(1, (window - wide) // (times - 1) + 1)
        forms = (self._packed(file.shape, times, window, stride) for stride in strides)
        packed = min(forms, key=lambda one: file.weights.outside(one).sum(), default=None)
        return None if packed is None else replace(self, weights=packed, bias=bias)

    def _packed(self, shape: tuple[int, ...], times: int, window: int, stride: int) -> Constant:
        filters, tall, wide, channels = self.shape
        found = []
        for numbers in (self.weights.numbers, self.weights.slack):
            packed = np.zeros((times, filters, tall, window, channels))
            for place in range(times):
                columns = slice(place * stride, place * stride + wide)
                packed[place, :, :, columns] = numbers.reshape(self.shape)
            found.append(packed.reshape(shape[0], -1))
        return Constant(*found)


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

    @property
    def bias_is_lost(self) -> bool:
        """Whether the biases are zero."""
        return self.layer.bias is None or not self.layer.bias.numbers.any()

    @property
    def is_scaled(self) -> bool:
        """Whether each channel is multiplied by a number of its own: a batch norm, folded in.

        It is folded into what it follows, or into what comes next.
        """
        mine, full = self.layer.weights, self.full.weights
        return mine.is_multiple(full, axis=1) or mine.is_multiple(full, axis=0)

    @property
    def is_scaled_as_a_whole(self) -> bool:
        """Whether all weights are multiplied by one number: a scaling of the pixels, folded in."""
        return self.layer.weights.is_multiple(self.full.weights, axis=None)


def layers_of(file: QuantizedFile) -> list[Layer] | None:
    """Return the layers with constants in the order of the computation.

    Returns:
        None where a weight is stored in a way that is not known here.
    """
    producers = file.graph.producers()

    def read(index: int | None, channels: int = 0) -> Constant | None:
        if index is None:
            return None
        maker = producers.get(index)
        if maker is not None and maker.code.name == "DEQUANTIZE":  # float16 becomes float32
            index = maker.inputs[0]
        found = file.reals(index)
        if found is None:
            return None
        rows = [np.moveaxis(np.atleast_1d(one), channels, 0) for one in found]
        return Constant(*(one.reshape(len(one), -1) for one in rows))

    layers = []
    for operator in file.graph.operators:
        kind = operator.code.name
        if kind in WITH_WEIGHTS:
            weights = read(operator.inputs[1], 3 if kind == "DEPTHWISE_CONV_2D" else 0)
            bias = read(file.bias_of(operator))
            if weights is None:
                return None
        elif kind in ("MUL", "ADD", "SUB"):  # a batch norm that could not be folded
            weights = next(filter(None, (read(index, -1) for index in operator.inputs)), None)
            if weights is None or weights.numbers.size == 1:
                continue  # of two computed tensors, or a scaling of the pixels
            bias = weights if kind != "MUL" else None
            weights = Constant(0 * weights.numbers, weights.slack) if bias else weights
        else:
            continue
        tensor = file.graph.tensors[operator.outputs[0]]
        name = tensor.name.partition(";")[0] or f"tensor {tensor.index}"
        shape = file.graph.tensors[operator.inputs[1]].shape
        layers.append(Layer(name, kind, shape, weights, bias))
    return layers


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
    if not moved and all(one.bias_is_lost for one in found):
        return "bias-lost", "its biases are all zero, the weights are right"
    if any(not one.layer.weights.numbers.any() for one in moved):
        return "weights-lost", "they are all zero"
    if [one.number for one in moved] == [1] and moved[0].is_scaled_as_a_whole:
        return "input-scale", "they are multiplied by one number, as by a scaling of the pixels"
    if all(one.is_scaled for one in moved):
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
