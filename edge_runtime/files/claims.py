"""Claims: how a command keeps others away from the files that it makes, and is repeated.

A command that makes files claims them before its slow part, with a hidden file beside them that it
keeps locked, and deletes the claim as the last thing that it does. A claim without a lock is what a
killed command left. What it names may be there already, finished or not, and the same command may
replace it when it is repeated.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge_runtime.errors import EdgeError
from edge_runtime.files.locks import is_at, lock


@contextlib.contextmanager
def claimed(
    claim: Path, targets: Sequence[Path], *, replace: bool, error: type[EdgeError], advice: str
) -> Iterator[None]:
    """Claim the files that are about to be made in the folder of ``claim``.

    Args:
        claim: the hidden file that says so.
        targets: the files, all in that folder.
        replace: whether files that are there may be replaced.
        error: what to raise.
        advice: what the error says to do about files that are there.

    Raises:
        EdgeError: another process is making files here, or one of them is there, and neither
            ``replace`` nor the claim of a killed command allows to replace it.
        OSError: the claim cannot be written.
    """
    descriptor = _open(claim, error)
    try:
        # The names that a killed command wrote here.
        left = os.pread(descriptor, os.fstat(descriptor).st_size, 0).split(b"\0")
        new = [path for path in targets if os.fsencode(path.name) not in left]
        kept = [path for path in new if os.path.lexists(path)]
        ours = [path for path in targets if path not in kept]
        try:
            if kept and not replace:
                raise error(f"{', '.join(map(str, kept))} exists; {advice}.")
            if new:
                os.write(descriptor, b"".join(os.fsencode(path.name) + b"\0" for path in new))
                os.fsync(descriptor)
            yield
        except BaseException:
            if not any(os.path.lexists(path) for path in ours):
                claim.unlink()
            raise
        claim.unlink()
    finally:
        os.close(descriptor)


def _open(claim: Path, error: type[EdgeError]) -> int:
    """Return the descriptor of the claim's file, locked."""
    while True:
        descriptor = os.open(claim, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        if not lock(descriptor, wait=False):
            os.close(descriptor)
            raise error(
                f"Another fmnist-edge is making files in {claim.parent} at this moment; try again "
                "when it has ended."
            )
        if is_at(descriptor, claim):
            return descriptor
        os.close(descriptor)  # its owner ended and deleted it meanwhile
