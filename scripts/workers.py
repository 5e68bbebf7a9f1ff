"""Processes that may die, and put to what they were at: for `fuzz-loading` and `fuzz-readers`."""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")

GIVEN_UP_SECONDS = 150


@dataclass(frozen=True)
class Work(Generic[Result]):
    """What the processes do.

    Attributes:
        target: called in each process with its arguments and a pipe, from which it receives numbers
            of cases until it receives None, and to which it sends a result for each.
        arguments: for the process of that number.
        lost: makes the result of a case whose process "died" or "hung", from the number of the
            case, that word and the seconds.
    """

    target: Callable[..., None]
    arguments: Callable[[int], tuple[Any, ...]]
    lost: Callable[[int, str, float], Result]


@dataclass
class _Worker:
    """One process with the number of the case that it is at."""

    process: Any
    pipe: Any
    number: int
    since: float


def results(work: Work[Result], count: int, jobs: int) -> Iterator[Result]:
    """Yield the results of so many cases as they come."""
    context = multiprocessing.get_context("spawn")
    numbers = iter(range(count))

    def start(slot: int) -> _Worker | None:
        number = next(numbers, None)
        if number is None:
            return None
        mine, theirs = context.Pipe()
        process = context.Process(
            target=work.target, args=(*work.arguments(slot), theirs), daemon=True
        )
        process.start()
        theirs.close()
        mine.send(number)
        return _Worker(process, mine, number, time.monotonic())

    workers = {slot: worker for slot in range(jobs) if (worker := start(slot))}
    while workers:
        ready = wait([worker.pipe for worker in workers.values()], timeout=5)
        for slot, worker in list(workers.items()):
            taken = time.monotonic() - worker.since
            if worker.pipe not in ready and taken <= GIVEN_UP_SECONDS:
                continue
            try:
                if worker.pipe not in ready:
                    raise TimeoutError
                yield worker.pipe.recv()
            except (EOFError, TimeoutError) as error:
                worker.process.kill()
                worker.process.join()
                how = "died" if isinstance(error, EOFError) else "hung"
                yield work.lost(worker.number, how, taken)
                workers[slot] = start(slot)
            else:
                worker.number, worker.since = next(numbers, None), time.monotonic()
                worker.pipe.send(worker.number)
                if worker.number is None:
                    worker.process.join()
                    workers[slot] = None
        workers = {slot: worker for slot, worker in workers.items() if worker}
