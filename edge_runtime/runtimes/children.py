"""Processes of our own code, which may crash or hang without harm to the one that starts them."""

import json
import sys
from collections.abc import Callable, Sequence

from edge_runtime.errors import EdgeError

# Nothing in the current folder may pass for a module of ours or of NumPy.
TRUSTED_PATH = "import sys\nsys.path[:] = [path for path in sys.path if path]\n"


def command_of(module: str, *arguments: str, python: str = sys.executable) -> Sequence[str]:
    """Return the command line that runs the function `main` of a module in a process of its own.

    Args:
        module: its dotted name; `main` takes nothing and returns an exit code, or None for 0.
        arguments: what it finds in `sys.argv` from 1 on.
        python: the interpreter, which must be able to import this package.
    """
    code = f"{TRUSTED_PATH}from {module} import main\nsys.exit(main())"
    return (python, "-c", code, *arguments)


def answer(work: Callable[[], object]) -> int:
    """Print what some work with a model returns as JSON, or why it failed as a line of stderr.

    Returns:
        The exit code of the process, 0 or 1.
    """
    try:
        found = work()
    except MemoryError:
        reason = "the model needs more memory than a model of its size should."
    except EdgeError as error:
        reason = str(error)
    except RuntimeError as error:  # a kernel may refuse what it meets only when it is run
        reason = f"the runtime fails: {error}"
    else:
        sys.stdout.write(json.dumps(found))
        return 0
    sys.stderr.write(f"Error: {' '.join(reason.split())}\n")
    return 1
