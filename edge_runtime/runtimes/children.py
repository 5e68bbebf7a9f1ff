"""Processes of our own code, which may crash or hang without harm to the one that starts them."""

import sys
from collections.abc import Sequence

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
