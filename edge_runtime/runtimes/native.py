"""Keeping what native libraries print to standard error away from the user."""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

from edge_runtime.runtimes.forking import in_every_fork


class _Silence:
    """Standard error of the process, while someone wants it silenced: it is shared by all threads.

    Were it saved by each thread, the second would save what the first one put in its place.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()  # a signal handler may load a model too
        self.count = 0
        self.saved: int | None = None

    def begin(self) -> None:
        with self.lock:
            self.count += 1
            if self.count > 1:
                return
            sys.stderr.flush()
            try:
                self.saved = os.dup(2)
            except OSError:  # standard error is closed: there is nothing to silence
                return
            devnull = os.open(os.devnull, os.O_WRONLY)
            os.dup2(devnull, 2)
            os.close(devnull)

    def end(self) -> None:
        with self.lock:
            self.count -= 1
            if self.count == 0:
                self.restore()

    def restore(self) -> None:
        if self.saved is not None:
            os.dup2(self.saved, 2)
            os.close(self.saved)
            self.saved = None

    def forget_other_threads(self) -> None:
        """After a fork, undo what threads had begun that are not here."""
        self.lock, self.count = threading.RLock(), 0
        self.restore()


_silence = _Silence()
in_every_fork(_silence.forget_other_threads)


@contextlib.contextmanager
def native_messages_silenced() -> Iterator[None]:
    """Keep what is printed from C++ ("Created XNNPACK delegate", "oneDNN is on") off stderr.

    The TFLite runtimes have no switch for it, and TensorFlow's works only after its first lines.
    Errors arrive as Python exceptions all the same.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    _silence.begin()
    try:
        yield
    finally:
        _silence.end()
