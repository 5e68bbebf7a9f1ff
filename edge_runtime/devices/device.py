"""What a device is: a place that runs commands. Everything else is built on that."""

import contextlib
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge_runtime.errors import DeviceError, DeviceTimeoutError

Progress = Callable[[int], None]

_PIECE_BYTES = 64 * 1024


@dataclass(frozen=True)
class Answer:
    """What a command left behind.

    Attributes:
        code: its exit code.
        out: what it printed.
        err: what it wrote to standard error.
    """

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        """What it printed, as text without the last line's end."""
        return self.out.decode(errors="replace").rstrip("\n")


class Device:
    """A place that runs commands: this machine, unless a subclass wraps them for another one."""

    @property
    def name(self) -> str:
        """What messages call it."""
        return "this device"

    @property
    def label(self) -> str:
        """A short word for it, fit for the name of a model that ran there."""
        return "here"

    def run(
        self,
        command: Sequence[str],
        *,
        data: bytes = b"",
        timeout_s: float | None = None,
        progress: Progress | None = None,
    ) -> Answer:
        """Run a command in the home folder there and wait for it.

        Args:
            command: the program and its arguments; each arrives as it is, whatever signs it has.
            data: its standard input.
            timeout_s: how long it may take.
            progress: called with the number of bytes of ``data`` that went out since the last call.

        Raises:
            DeviceError: the device cannot be reached.
            DeviceLostError: the connection broke; what had come so far is in ``received``.
            DeviceTimeoutError: it took too long.
        """
        wrapped = self._wrapped(command)
        try:
            answer = _run_here(wrapped, data, timeout_s, progress)
        except OSError as error:
            raise self._not_started(wrapped[0], error) from error
        except DeviceTimeoutError as error:
            raise DeviceTimeoutError(
                f"{self.name} did not finish within {timeout_s:.0f} s; look at what it is doing, "
                "and try again."
            ) from error
        return self._checked(answer)

    def _wrapped(self, command: Sequence[str]) -> Sequence[str]:
        """Return the command of this machine that runs one on the device."""
        return command

    def _checked(self, answer: Answer) -> Answer:
        """Return the answer of the command there, or raise what went wrong on the way."""
        return answer

    def _not_started(self, program: str, error: OSError) -> DeviceError:
        return DeviceError(f"'{program}' cannot be started here ({error.strerror}).")


def check(device: Device, answer: Answer, what: str) -> Answer:
    """Return the answer of a command that was to do something, as in "set up Python".

    Raises DeviceError with its last words if it ended with another exit code than 0.
    """
    if answer.code == 0:
        return answer
    lines = [line.strip() for line in answer.err.splitlines() if line.strip()]
    reason = lines[-1].removeprefix("Error: ") if lines else f"exit code {answer.code}"
    raise DeviceError(f"{device.name} could not {what}: {reason}")


def _run_here(
    command: Sequence[str], data: bytes, timeout_s: float | None, progress: Progress | None
) -> Answer:
    """Run a command on this machine; what takes too long is killed."""
    expired = threading.Event()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=err)
        except ValueError as error:
            raise DeviceError("This cannot be a command: an argument has a NUL byte.") from error

        def expire() -> None:
            expired.set()
            child.kill()

        timer = threading.Timer(timeout_s or 0, expire)
        if timeout_s is not None:
            timer.start()
        try:
            _feed(child, data, progress)
            child.wait()
        except BaseException:
            child.kill()
            child.wait()
            raise
        finally:
            timer.cancel()
        if expired.is_set():
            raise DeviceTimeoutError
        out.seek(0)
        err.seek(0)
        return Answer(child.returncode, out.read(), err.read().decode(errors="replace"))


def _feed(child: "subprocess.Popen[bytes]", data: bytes, progress: Progress | None) -> None:
    """Write to the command's standard input; it may end before it has read all."""
    assert child.stdin is not None
    # A broken pipe is no error here: the exit code shows what happened.
    with contextlib.suppress(BrokenPipeError):
        for start in range(0, len(data), _PIECE_BYTES):
            piece = data[start : start + _PIECE_BYTES]
            child.stdin.write(piece)
            child.stdin.flush()
            if progress:
                progress(len(piece))
    with contextlib.suppress(BrokenPipeError):
        child.stdin.close()
