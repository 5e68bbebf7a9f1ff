"""What Ctrl-C does to a training."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from trainer.partial import target_of


@contextlib.contextmanager
def interrupts_kept(
    partial: Path | None, say: Callable[[str], object]
) -> Iterator[Callable[[], None]]:
    """Yield a check that raises KeyboardInterrupt when one was lost; say how to go on after it.

    Python drops an exception that a signal raises within a destructor or a callback from C, and
    TensorFlow has many of both; so the signal is remembered, and asked for after each epoch.
    ``partial`` is where the state after the last epoch is kept; None where nothing is.
    """
    lost = False

    def interrupt(number: int, frame: object) -> None:
        nonlocal lost
        lost = True
        raise KeyboardInterrupt

    def check() -> None:
        if lost:
            raise KeyboardInterrupt

    # A shell that starts a job in the background lets it ignore the signal; so it shall stay.
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    listens = threading.current_thread() is threading.main_thread() and not ignored
    before = signal.signal(signal.SIGINT, interrupt) if listens else None
    try:
        yield check
    except KeyboardInterrupt:
        if partial is not None:
            where = "" if str(partial.parent) == "runs" else f" --runs-dir {partial.parent}"
            say("")
            say(
                "The last whole epoch is kept; go on with: fmnist-edge train --resume --name "
                f"{target_of(partial).name}{where}"
            )
        raise
    finally:
        if listens:
            signal.signal(signal.SIGINT, before)
