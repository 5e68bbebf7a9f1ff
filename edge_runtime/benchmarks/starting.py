"""Start to first answer and peak memory of `fmnist-edge classify`, as a process of its own.

A process that was started by a large one counts that one's memory as its own peak, as Linux keeps
the figure across exec. So a small launcher starts it, takes the time, and asks `wait4`.
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.benchmarks.contestant import Contestant
from edge_runtime.errors import EdgeError
from edge_runtime.runtimes.children import TRUSTED_PATH, command_of

_TIMEOUT_SECONDS = 120.0

# Without site-packages it has 10 MiB. It reads the first byte of the answer, then waits.
_LAUNCHER = """\
import json, os, sys, time
reading, writing = os.pipe()
start = time.perf_counter_ns()
pid = os.posix_spawn(
    sys.argv[1],
    sys.argv[1:],
    os.environ,
    file_actions=[(os.POSIX_SPAWN_DUP2, writing, 1), (os.POSIX_SPAWN_CLOSE, reading)],
)
os.close(writing)
first = os.read(reading, 1)
answered = time.perf_counter_ns()
while os.read(reading, 65536):
    pass
status, used = os.wait4(pid, 0)[1:]
print(json.dumps([answered - start, used.ru_maxrss, os.waitstatus_to_exitcode(status)]))
"""

# The least that an answer takes: Python, NumPy, the runtime, one invocation.
_FLOOR = f"""\
{TRUSTED_PATH}
import importlib
from operator import attrgetter
import numpy
interpreter_class = attrgetter(sys.argv[2])(importlib.import_module(sys.argv[1]))
with open(sys.argv[3], "rb") as file:
    interpreter = interpreter_class(model_content=file.read(), num_threads=int(sys.argv[4]))
interpreter.allocate_tensors()
interpreter.invoke()
print(numpy.argmax(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])))
"""


@dataclass(frozen=True)
class Start:
    """How a process of its own starts.

    Attributes:
        starts: how many were measured.
        first_answer_ms: from the start of the process to its first answer, the median.
        range_ms: the shortest and the longest.
        peak_memory_bytes: the most memory that the process had, the median of the starts.
    """

    starts: int
    first_answer_ms: float
    range_ms: tuple[float, float]
    peak_memory_bytes: int

    @classmethod
    def of(cls, measured: Sequence[tuple[float, int]]) -> "Start":
        """Return what several starts say: milliseconds and bytes of each."""
        times, peaks = zip(*measured, strict=True)
        median_ms, range_ms = statistics.median(times), (min(times), max(times))
        return cls(len(measured), median_ms, range_ms, int(statistics.median(peaks)))


def can_start(contestant: Contestant) -> bool:
    """Whether `classify` can run a model so: it takes a file, and has no choice of kernels."""
    return contestant.path is not None and contestant.kernels == "auto"


def start_once(contestant: Contestant, picture: Path) -> tuple[float, int]:
    """Classify one picture in a new process; return milliseconds to its answer, and peak bytes.

    Raises:
        EdgeError: the process failed.
    """
    path = contestant.path or Path(contestant.name)
    options = ("--backend", contestant.backend.name, "--threads", str(contestant.threads))
    arguments = ("classify", str(path.absolute()), str(picture), *options)
    command = command_of("edge_runtime.cli", *arguments)
    return launch(command, f"{path}: `fmnist-edge classify` in a process of its own")


def floor_once(contestant: Contestant, model: Path) -> tuple[float, int]:
    """Do the least that an answer takes in a new process; return milliseconds and peak bytes.

    The contestant's runtime is used, and ``model`` is a file of its .tflite bytes alone.

    Raises:
        EdgeError: the process failed.
    """
    backend = contestant.backend
    command = [sys.executable, "-c", _FLOOR, backend.module, backend.interpreter, str(model)]
    return launch([*command, str(contestant.threads)], f"{backend.package} in a process of its own")


def launch(command: Sequence[str], what: str) -> tuple[float, int]:
    """Start a process; return milliseconds to its first output, and its peak memory in bytes.

    Raises:
        EdgeError: the process failed; the message begins with ``what``.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _LAUNCHER, *command],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_SECONDS,
            check=True,
        )
        nanoseconds, peak, code = json.loads(done.stdout)
    except subprocess.TimeoutExpired as error:
        raise EdgeError(f"{what} gave no answer within {_TIMEOUT_SECONDS:.0f} s.") from error
    except (ValueError, subprocess.CalledProcessError) as error:
        raise EdgeError(f"{what} cannot be measured ({error}).") from error
    if code != 0:
        reason = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        raise EdgeError(f"{what} failed: {reason.removeprefix('Error: ')}")
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2): bytes there, KiB elsewhere
    return nanoseconds / 1e6, peak * unit
