"""Many pictures, read in their order, in several processes where that is faster.

Decoding is most of the time that a small network's answer takes, and threads do not help: two that
decode small PNGs are slower than one. A process does the work of another core.
"""

import struct
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from edge_runtime.data.decoding.layout import LIMIT_PIXELS
from edge_runtime.data.images import Invert, Picture, Preprocessing, try_picture
from edge_runtime.errors import ModelError, PictureError
from edge_runtime.files.reading import MEBIBYTE
from edge_runtime.runtimes.forked import Worker, WorkerLostError, may_fork

# So long one process reads alone. It is about what two workers cost on a small board, and tells how
# long the rest would take; where that is less than as much again, they are not worth it.
_ALONE_SECONDS = 0.2
# What one request to a worker should take, so that asking costs little and none of them waits long.
_CHUNK_SECONDS = 0.02
_MOST_IN_CHUNK = 64
# Two requests fit into a pipe, so that neither side waits for the other to read.
_MOST_CHUNK_BYTES = 24 * 1024

# What the largest picture takes, and its file.
_MOST_PICTURE_BYTES = 4 * LIMIT_PIXELS + 64 * MEBIBYTE

_HEAD = struct.Struct("=??I")  # whether it was read, whether it is inverted, how many bytes follow


def read_pictures(
    pictures: Sequence[str], preprocessing: Preprocessing, *, invert: Invert = "auto"
) -> Iterator[Picture | PictureError]:
    """Yield what `read_picture` returns for each path, or its PictureError; "-" is stdin."""
    start, done = time.perf_counter(), 0
    for done, picture in enumerate(pictures, 1):
        yield try_picture(picture, preprocessing, invert=invert)
        rest, seconds = len(pictures) - done, time.perf_counter() - start
        if seconds > _ALONE_SECONDS and rest * seconds / done > _ALONE_SECONDS:
            break
    rest_of = pictures[done:]
    count = _worker_count() if rest_of and "-" not in rest_of else 0
    if count < 2:
        yield from (try_picture(picture, preprocessing, invert=invert) for picture in rest_of)
        return
    size = round(_CHUNK_SECONDS * done / (time.perf_counter() - start))
    readers = _Readers(count, preprocessing, invert)
    try:
        yield from readers.read(_chunks(rest_of, min(max(size, 1), _MOST_IN_CHUNK)))
    finally:
        readers.close()


def _worker_count() -> int:
    """Return how many processes may read at once: one for each core, as far as memory allows."""
    from edge_runtime.inference.pool import usable_cores

    if not may_fork():
        return 0
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        kibibytes = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        return 0
    return min(usable_cores(), kibibytes * 1024 // _MOST_PICTURE_BYTES)


def _chunks(pictures: Sequence[str], most: int) -> Iterator[list[str]]:
    chunk: list[str] = []
    size = 0
    for picture in pictures:
        length = len(_encoded([picture]))
        if chunk and (len(chunk) == most or size + length > _MOST_CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(picture)
        size += length
    if chunk:
        yield chunk


def _encoded(pictures: Sequence[str]) -> bytes:
    return "\0".join(pictures).encode(errors="surrogateescape")


class _Readers:
    """Processes that take turns, so that their replies come in the order of the requests."""

    def __init__(self, count: int, preprocessing: Preprocessing, invert: Invert) -> None:
        self._preprocessing, self._invert = preprocessing, invert
        self._workers = [self._worker() for _ in range(count)]

    def _worker(self) -> Worker:
        return Worker(lambda: self._answer)

    def _answer(self, request: bytes) -> bytes:
        """Return what became of the pictures of a request; this runs in a worker."""
        reply = []
        for picture in request.decode(errors="surrogateescape").split("\0"):
            read = try_picture(picture, self._preprocessing, invert=self._invert)
            if isinstance(read, PictureError):
                body = str(read).encode(errors="surrogateescape")
            else:
                body = read.pixels.tobytes()
            inverted = isinstance(read, Picture) and read.inverted
            reply += [_HEAD.pack(isinstance(read, Picture), inverted, len(body)), body]
        return b"".join(reply)

    def read(self, chunks: Iterator[list[str]]) -> Iterator[Picture | PictureError]:
        """Yield what became of each picture, two requests ahead of every worker."""
        waiting: deque[tuple[int, list[str]]] = deque()
        for number, chunk in enumerate(chunks):
            place = number % len(self._workers)
            if len(waiting) == 2 * len(self._workers):
                yield from self._received(waiting)
            self._workers[place].send(_encoded(chunk))
            waiting.append((place, chunk))
        while waiting:
            yield from self._received(waiting)

    def _received(self, waiting: deque[tuple[int, list[str]]]) -> Iterator[Picture | PictureError]:
        place, chunk = waiting.popleft()
        try:
            reply = self._workers[place].receive()
        except ModelError as error:
            self._replace(place, error, [sent for at, sent in waiting if at == place])
            yield from self._one_by_one(chunk)
            return
        yield from self._unpacked(reply, chunk)

    def _replace(self, place: int, error: ModelError, unanswered: Sequence[list[str]]) -> None:
        """Start another process in the place of one that is lost; one that has answered stays."""
        if not isinstance(error, WorkerLostError):
            return
        self._workers[place].close()
        self._workers[place] = self._worker()
        for chunk in unanswered:
            self._workers[place].send(_encoded(chunk))

    def _one_by_one(self, chunk: Sequence[str]) -> Iterator[Picture | PictureError]:
        """Read pictures each in a process of its own, of which one ended another."""
        for picture in chunk:
            with self._worker() as worker:
                worker.send(_encoded([picture]))
                try:
                    reads = list(self._unpacked(worker.receive(), [picture]))
                except WorkerLostError:
                    words = "the process that decoded it has died"
                    reads = [PictureError(f"{picture}: {words}; save it again, or remove it.")]
                except ModelError as error:
                    reads = [PictureError(f"{picture}: {error}.")]
            yield from reads

    def _unpacked(self, reply: bytes, chunk: Sequence[str]) -> Iterator[Picture | PictureError]:
        position = 0
        for _ in chunk:
            was_read, inverted, size = _HEAD.unpack_from(reply, position)
            position += _HEAD.size + size
            body = reply[position - size : position]
            if was_read:
                pixels = np.frombuffer(body, np.uint8).reshape(self._preprocessing.shape)
                yield Picture(pixels, inverted)
            else:
                yield PictureError(body.decode(errors="surrogateescape"))

    def close(self) -> None:
        """End the processes, whatever they do."""
        for worker in self._workers:
            worker.close()
