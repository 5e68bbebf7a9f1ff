"""The latency of one image: rounds in which every model takes its turn.

All models are loaded into one process and take turns, in another order each round; see "How it is
measured" in docs/how-to/benchmark.md. Nothing else runs meanwhile: an interpreter of one thread
starts none, and those of several have time to go to sleep in the warm-up of each block.
"""

import contextlib
import gc
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.benchmarks.contestant import Subject
from edge_runtime.benchmarks.distribution import Latency
from edge_runtime.inference.quantization import quantization_table

Arguments = tuple[Any, ...]

WARM_UP_NS = 2_000_000


@dataclass(frozen=True)
class Rounds:
    """How the latency is measured.

    Attributes:
        rounds: how many turns each model has.
        images: timed in a turn at most, for each of the three figures.
        block_ns: no image is begun after so long, so that a slow model does not take all the time.
        seed: of the order within the rounds.
    """

    rounds: int = 40
    images: int = 100
    block_ns: int = 20_000_000
    seed: int = 0


@dataclass(frozen=True)
class Settings:
    """How thoroughly a benchmark measures.

    Attributes:
        rounds: of the latency.
        loads: how often each model is loaded.
        starts: how many processes of their own each model gets.
        workers: threads and processes of the throughput.
        seconds: of each repeat of the throughput.
        repeats: of the throughput.
    """

    rounds: Rounds = field(default_factory=Rounds)
    loads: int = 5
    starts: int = 5
    workers: int = 1
    seconds: float = 0.15
    repeats: int = 3


@dataclass(frozen=True)
class Turns:
    """What one model's turns gave.

    Attributes:
        array: from a (1, H, W, C) uint8 array to probabilities, through `Classifier.predict`.
        interpreter: `invoke` alone, of an interpreter whose input was set before.
        picture: from the path of a PNG file of the input's size to the answer, through
            `Classifier.classify`.
    """

    array: Latency
    interpreter: Latency
    picture: Latency

    @property
    def own_code_us(self) -> float:
        """What our code around `invoke` takes for one image: the median over the rounds."""
        array, interpreter = self._round_medians()
        return float(np.median(array - interpreter))

    @property
    def interpreter_share(self) -> float:
        """The part of the time from array to probabilities that `invoke` takes, at most 1."""
        array, interpreter = self._round_medians()
        return min(1.0, float(np.median(interpreter / array)))

    def _round_medians(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return np.array(self.array.round_medians_us), np.array(self.interpreter.round_medians_us)

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "from_array": asdict(self.array),
            "interpreter_alone": asdict(self.interpreter),
            "from_png": asdict(self.picture),
            "own_code_us": self.own_code_us,
            "interpreter_share": self.interpreter_share,
        }


def measure_rounds(
    subjects: Sequence[Subject],
    *,
    settings: Rounds,
    between: Callable[[], None],
    progress: Callable[[int], None],
) -> list[Turns]:
    """Measure the latency of every subject; each round gives them their next images.

    ``between`` is called after each round, outside of what is timed, ``progress`` after each turn.
    """
    rng = np.random.default_rng(settings.seed)
    parts = [_parts(each) for each in subjects]
    taken: list[list[list[NDArray[np.int64]]]] = [[[], [], []] for _ in subjects]
    for number in range(settings.rounds):
        places = range(number * settings.images, (number + 1) * settings.images)
        for index in rng.permutation(len(subjects)):
            for (function, arguments), times in zip(parts[index], taken[index], strict=True):
                calls = [arguments[place % len(arguments)] for place in places]
                warm_up(function, calls, for_ns=WARM_UP_NS)
                times.append(time_calls(function, calls, limit_ns=settings.block_ns))
            progress(1)
        between()
    return [Turns(*map(Latency.of, times)) for times in taken]


def _parts(subject: Subject) -> list[tuple[Callable[..., object], list[Arguments]]]:
    """Return the three functions to time, in the order of `Turns`, each with its arguments."""
    return [
        (subject.classifier.predict, [(image[np.newaxis],) for image in subject.images]),
        (_invocation(subject), [()]),
        (subject.classifier.classify, [(path,) for path in subject.files]),
    ]


def _invocation(subject: Subject) -> Callable[[], None]:
    """Return `invoke` of an interpreter of the same model, with an image in its input."""
    contestant, tensor = subject.contestant, subject.classifier.summary.inputs[0]
    interpreter = contestant.backend.load(
        contestant.file.data, threads=contestant.threads, kernels=contestant.kernels
    )
    # The same image as often as the model's batch is large.
    pixels = np.resize(quantization_table(tensor)[subject.images[0]], tensor.shape)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], pixels)
    return interpreter.invoke


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
    return float(np.median(time_calls(lambda: None, [()] * 2000, limit_ns=10**9)))
