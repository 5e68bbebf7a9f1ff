"""The real numbers of the layers of a file, each as exactly as it is known."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge_runtime.models.quantized.file import WITH_WEIGHTS, QuantizedFile, Reals

# What hundreds of float32 roundings add up to, that kernels and converters make in other orders.
FLOAT_STEP = 2.0**-16


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
