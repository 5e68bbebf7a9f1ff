"""A function in a forked process: what it takes down with it is only that process.

A fork starts in milliseconds and shares the memory of what is loaded already, which counts on a
small board. It is for programs of one thread, as the command line is; see `may_fork`.
"""

import contextlib
import os
import select
import signal
import struct
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

from edge_runtime.errors import EdgeError, ModelError
from edge_runtime.runtimes.closing import Closing

Function = Callable[[bytes], bytes]

_HEAD = struct.Struct("=?Q")  # whether it is an error, and how many bytes follow
_LOOK_SECONDS = 1.0


class WorkerLostError(ModelError):
    """A forked process died or did not answer in time."""


def may_fork() -> bool:
    """Return whether this process may be forked: on Linux, and no other thread runs Python.

    Elsewhere system libraries do not survive it; what another thread holds is never released.
    """
    return sys.platform == "linux" and threading.active_count() == 1


class Worker(Closing):
    """A forked process that answers requests, one after the other.

    ``make`` is called there and returns the function that answers. An `EdgeError` of either is
    raised by `receive`.
    """

    def __init__(self, make: Callable[[], Function]) -> None:
        (request_out, self._requests), (self._replies, reply_in) = os.pipe(), os.pipe()
        # Until the child ignores it: it would carry on as a second copy of the program.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process = os.fork()
            if self._process == 0:
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says what Ctrl-C means
                os.close(self._requests)
                os.close(self._replies)
                _serve(make, request_out, reply_in)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(request_out)
        os.close(reply_in)
        self._open = True

    def send(self, request: bytes) -> None:
        """Send a request; that a process is gone is told by `receive`."""
        with contextlib.suppress(BrokenPipeError):
            _write(self._requests, _HEAD.pack(False, len(request)) + request)

    def receive(self, *, seconds: float | None = None) -> bytes:
        """Return the next reply.

        Args:
            seconds: how long to wait for it at most, while this process is not suspended.

        Raises:
            EdgeError: what the function raised.
            WorkerLostError: the process died or took too long; it is to be closed.
        """
        try:
            self._wait(seconds)
            failed, size = _HEAD.unpack(_read(self._replies, _HEAD.size))
            reply = _read(self._replies, size)
        except EOFError:
            raise WorkerLostError(death_in_words(self._end())) from None
        if failed:
            raise ModelError(reply.decode())
        return reply

    def _wait(self, seconds: float | None) -> None:
        waiting = select.poll()
        waiting.register(self._replies, select.POLLIN)
        left = seconds
        # In short looks, so that the time of a Ctrl-Z does not count.
        while not waiting.poll(1000 * _LOOK_SECONDS):
            left = None if left is None else left - _LOOK_SECONDS
            if left is not None and left <= 0:
                raise WorkerLostError(f"the model did not answer within {seconds:.0f} s")

    def _end(self) -> int:
        """End the process and return its exit code, negative for a signal."""
        self.abandon()
        _, status = os.waitpid(self._process, 0)
        return os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        """End the process, whatever it does."""
        if self._open:
            os.kill(self._process, signal.SIGKILL)
            self._end()

    def abandon(self) -> None:
        """Leave the process to its parent; this one is a fork of that."""
        if self._open:
            self._open = False
            os.close(self._requests)
            os.close(self._replies)


def death_in_words(code: int) -> str:
    """Return what an exit code of a process says that had a model in it."""
    if code == -signal.SIGXCPU:
        return "the model did not answer within its limit of processor time"
    if code < 0:
        return f"the runtime dies of it (signal {-code})"
    return f"the process that ran the model ended with exit code {code}"


def _serve(make: Callable[[], Function], requests: int, replies: int) -> NoReturn:
    """Answer until there are no more requests; nothing of the parent's is cleaned up here."""
    try:
        function: Function | None = None
        while True:
            _, size = _HEAD.unpack(_read(requests, _HEAD.size))
            request = _read(requests, size)
            try:
                function = function or make()
                failed, reply = False, function(request)
            except (EdgeError, MemoryError) as error:
                words = str(error) if isinstance(error, EdgeError) else "there is not enough memory"
                failed, reply = True, words.encode("utf-8", "replace")
            _write(replies, _HEAD.pack(failed, len(reply)) + reply)
    except (EOFError, BrokenPipeError):
        os._exit(0)
    finally:
        os._exit(1)


def _read(pipe: int, size: int) -> bytes:
    parts = []
    while size:
        part = os.read(pipe, min(size, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _write(pipe: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(pipe, rest) :]
