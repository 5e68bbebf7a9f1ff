"""The driver's side of a worker: starts it, asks, ends it."""

import json
import os
import queue
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from peers.contestants import Contestant

_WORKER = Path(__file__).with_name("worker.py")
_PATIENCE_S = 120


class WorkerError(Exception):
    """A worker did not start, died, or did not answer in time."""


class Worker:
    """One contestant in its own process, asleep unless asked.

    Args:
        contestant: who.
        root: the repository, which holds the environments.
        folder: the folder of the models and of sample.npz.
        core: the one that it is pinned to.

    Raises:
        WorkerError: the environment is not there, or the contestant cannot run its model.
    """

    def __init__(self, contestant: Contestant, root: Path, folder: Path, core: int) -> None:
        python, model = contestant.python(root), folder / contestant.model
        if not python.exists():
            raise WorkerError(
                f"{contestant.environment} is not there; scripts/bench-peers makes it"
            )
        if not model.exists():
            raise WorkerError(f"{contestant.model} could not be made")
        self.contestant = contestant
        command = [python, _WORKER, contestant.adapter, model, contestant.precision]
        self._process = subprocess.Popen(
            [*map(str, command), str(folder / "sample.npz"), str(core)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        try:
            self.version: str = self._receive()["version"]
        except WorkerError:
            self.close()
            raise

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request and return the reply.

        Raises:
            WorkerError: it died or did not answer in time.
        """
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise WorkerError("its process ended") from None
        return self._receive()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def _receive(self) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=_PATIENCE_S)
        except queue.Empty:
            raise WorkerError(f"it did not answer within {_PATIENCE_S} seconds") from None
        if not line:
            raise WorkerError("its process ended")
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise WorkerError(reply["error"])
        return reply
