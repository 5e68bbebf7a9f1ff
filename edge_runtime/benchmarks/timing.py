"""Reading the clock around single calls, with Python's own pauses kept out."""

import contextlib
import gc
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arguments = tuple[Any, ...]

_CLOCK_READS = 2000


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Keep Python's garbage collector from running within the block."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def time_calls(
    function: Callable[..., object], calls: Sequence[Arguments], *, limit_ns: int
) -> NDArray[np.int64]:
    """Call a function with each of the arguments, and return how long each call took.

    Args:
        function: what is timed.
        calls: the arguments of each call.
        limit_ns: no call is begun after so much time; one is made in any case.

    Returns:
        (N,) int64 nanoseconds, N at most ``len(calls)``.
    """
    clock = time.perf_counter_ns
    taken: list[int] = []
    with collector_paused():
        end = clock() + limit_ns
        for arguments in calls:
            start = clock()
            function(*arguments)
            stop = clock()
            taken.append(stop - start)
            if stop >= end:
                break
    return np.array(taken, np.int64)


def warm_up(function: Callable[..., object], calls: Sequence[Arguments], *, for_ns: int) -> None:
    """Call a function with the arguments, from the first again after the last, for so long."""
    end = time.perf_counter_ns() + for_ns
    while True:
        for arguments in calls:
            function(*arguments)
            if time.perf_counter_ns() >= end:
                return


def clock_cost_ns() -> float:
    """Return how much longer a timed call seems than it is: the median time of timing nothing."""
    return float(np.median(time_calls(_nothing, [()] * _CLOCK_READS, limit_ns=10**9)))


def _nothing() -> None:
    pass
