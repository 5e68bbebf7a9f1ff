"""One call of an interpreter, from a batch of pixels to its answer, as short as it can be.

A small network takes 20 µs, so a microsecond here is 5 %: methods are bound and buffers made once.
"""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.backends import Interpreter
from edge_runtime.delegation import Delegation, read_delegation
from edge_runtime.inspection import TensorInfo
from edge_runtime.quantization import flips_top_bit, quantization_table

Finish = Callable[[NDArray[Any]], NDArray[Any]]
Run = Callable[[NDArray[np.uint8], Finish], NDArray[Any]]
_Fill = Callable[[NDArray[np.uint8]], NDArray[Any]]


class Invocation:
    """An interpreter that several threads may call, each in its turn.

    Args:
        interpreter: its tensors are allocated.
        source: its input, (B, H, W, C) or (B, H, W).
        result: its output, (B, K).

    Attributes:
        run: a function from (B, H, W, C) uint8 pixels, and from what to make of the (B, K) numbers
            of the output tensor, to what that makes of them. Raises what the interpreter does when
            it fails: RuntimeError or ValueError.
    """

    def __init__(self, interpreter: Interpreter, source: TensorInfo, result: TensorInfo) -> None:
        self._interpreter = interpreter
        # Not a plain lock, which a signal handler would wait for that interrupts its holder.
        self._lock = threading.RLock()
        self.run = _runner(interpreter, source, result, self._lock)

    def delegation(self) -> Delegation:
        """Return which operators XNNPACK took over."""
        with self._lock:
            return read_delegation(self._interpreter)


def _runner(
    interpreter: Interpreter,
    source: TensorInfo,
    result: TensorInfo,
    lock: AbstractContextManager[Any],
) -> Run:
    set_tensor, invoke, get_tensor = (
        interpreter.set_tensor,
        interpreter.invoke,
        interpreter.get_tensor,
    )
    into, out_of, fill = source.index, result.index, _filler(source)
    calls = 0

    def run(images: NDArray[np.uint8], finish: Finish) -> NDArray[Any]:
        nonlocal calls
        with lock:
            this = calls = calls + 1
            set_tensor(into, fill(images))
            invoke()
            numbers = get_tensor(out_of)
            if calls == this:
                return finish(numbers)
        # A signal handler of this very thread called it in between, and the tensors were its own.
        return run(images, finish)

    return run


def _filler(source: TensorInfo) -> _Fill:
    """Return a function from pixels to the input tensor, as `quantization_table` has it."""
    shape = source.shape
    if flips_top_bit(source):
        return _top_bit_flipper(shape)
    table = quantization_table(source)
    if source.dtype == "float32":
        return lambda images: images.astype(np.float32).reshape(shape)
    if table.dtype == np.uint8 and np.array_equal(table, np.arange(256)):
        return lambda images: images.reshape(shape)
    return lambda images: table.take(images).reshape(shape)


def _top_bit_flipper(shape: tuple[int, ...]) -> _Fill:
    """Return the function for int8 pixels: each byte with its top bit flipped.

    NumPy is fastest with two arrays of one shape and a place for the result.
    """
    flip = np.bitwise_xor
    pixel_shape = (*shape, 1)[:4]
    top_bits = np.full(pixel_shape, 128, np.uint8)
    flipped = np.empty(pixel_shape, np.uint8)
    numbers = flipped.view(np.int8).reshape(shape)

    def fill(images: NDArray[np.uint8]) -> NDArray[Any]:
        flip(images, top_bits, flipped)
        return numbers

    return fill
