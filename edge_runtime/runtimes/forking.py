"""What a forked process may do with what it inherits.

The threads of an interpreter stay behind in the parent: to run it in the child waits for them for
ever (tflite-runtime), and to destroy it there ends the process by signal 11 (LiteRT too, also at
the end of the program). So a child never touches what it inherited: it keeps it to its end, and
what needs an interpreter or threads of its own makes them anew.
"""

import os
import weakref
from collections.abc import Callable
from typing import Any, Protocol

_interpreters: "weakref.WeakSet[Any]" = weakref.WeakSet()
_renewed: "weakref.WeakSet[Renewable]" = weakref.WeakSet()


class Renewable(Protocol):
    """What has an interpreter, threads or locks that no fork can use."""

    def renew(self) -> None:
        """Forget them without touching them; called in each fork, before anything else is done."""


def keep_in_forks(interpreter: Any) -> None:
    """Let no fork of this process destroy an interpreter that is alive when it is forked."""
    _interpreters.add(interpreter)


def renew_in_forks(renewable: Renewable) -> None:
    """Have something renewed in every fork, as long as it is alive."""
    _renewed.add(renewable)


def in_every_fork(work: Callable[[], None]) -> None:
    """Have something done in each child right after a fork, where there are forks at all."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=work)


def _keep_and_renew() -> None:
    inherited = list(_interpreters)
    if inherited:
        import ctypes  # in forks only: it takes milliseconds

        for interpreter in inherited:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(interpreter))
    for renewable in list(_renewed):
        renewable.renew()


in_every_fork(_keep_and_renew)
