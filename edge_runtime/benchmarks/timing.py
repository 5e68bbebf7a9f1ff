"""Reading the clock around single calls, while Python's garbage collector is kept from running."""

import contextlib
import gc
import itertools
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
    """Call a function with each of the arguments, and return the nanoseconds of each call.

    No call is begun after ``limit_ns``, but one is made in any case.
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
    """Call a function with the arguments, over and over, for that long."""
    end = time.perf_counter_ns() + for_ns
    for arguments in itertools.cycle(calls):
        function(*arguments)
        if time.perf_counter_ns() >= end:
            return


def clock_cost_ns() -> float:
    """Return what reading the clock adds to the time of a call: the median of timing nothing."""
    return float(np.median(time_calls(lambda: None, [()] * _CLOCK_READS, limit_ns=10**9)))
