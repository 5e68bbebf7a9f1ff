"""Functions in forked children, a few at a time; each sees what its parent has imported."""

import os
import pickle
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

Result = TypeVar("Result")


def in_children(tasks: Iterable[Callable[[], Result]], jobs: int) -> list[Result]:
    """Return what each task returns, in their order.

    Raises:
        SystemExit: a task raised; what it raised is printed.
    """
    with tempfile.TemporaryDirectory(prefix="inject-faults-results-") as name:
        folder, running, count = Path(name), 0, 0
        for count, task in enumerate(tasks, 1):
            if running == jobs:
                _wait()
                running -= 1
            _start(task, folder / str(count))
            running += 1
        for _ in range(running):
            _wait()
        return [pickle.loads((folder / str(number + 1)).read_bytes()) for number in range(count)]


def _start(task: Callable[[], object], result: Path) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    if os.fork():
        return
    code = 1
    try:
        result.write_bytes(pickle.dumps(task()))
        code = 0
    except SystemExit as error:
        print(error, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _wait() -> None:
    _, status = os.wait()
    if status:
        raise SystemExit("A task failed.")
