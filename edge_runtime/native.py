"""Keeping what native libraries print to standard error away from the user."""

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def native_messages_silenced() -> Iterator[None]:
    """Keep what is printed from C++ ("Created XNNPACK delegate", "oneDNN is on") off stderr.

    The TFLite runtimes have no switch for it, and TensorFlow's works only after its first lines.
    Errors arrive as Python exceptions all the same.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    try:
        saved = os.dup(2)
    except OSError:  # standard error is closed: there is nothing to silence
        yield
        return
    try:
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, 2)
        os.close(devnull)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
