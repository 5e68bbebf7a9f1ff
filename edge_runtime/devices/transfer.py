"""Copy files to a device and back: resumed where they broke off, and checked by their hash.

A file is sent to `.HASH.part` beside its target, the rest of one that broke off is appended, and it
takes its name only when the hash is right. A file that is there already is not sent.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from edge_runtime.devices.device import Answer, Device, Progress, check
from edge_runtime.errors import DeviceError, DeviceLostError
from edge_runtime.files.reading import sha256

Result = TypeVar("Result")

_PAUSES_S = (0.5, 2.0, 5.0)
_SHORT_TIMEOUT_S = 120.0
_GET_LIMIT_BYTES = 1024**3

# Arguments in threes: target, size, hash. Prints for each "done" or the bytes that are there.
_LOOK = """\
set -eu
while [ $# -gt 0 ]; do
    folder=$(dirname -- "$1"); part=$folder/.$3.part
    mkdir -p -- "$folder"
    if [ -f "$1" ] && [ "$(sha256sum <"$1" | cut -c1-64)" = "$3" ]; then echo "done"
    elif [ -f "$part" ]; then wc -c <"$part"
    else echo 0; fi
    shift 3
done
"""
# Arguments: target, size, hash, and how much is there; the rest comes on standard input.
_TAKE = """\
set -eu
part=$(dirname -- "$1")/.$3.part
touch -- "$part"
[ "$(wc -c <"$part")" -eq "$4" ] || exit 77
cat >>"$part"
[ "$(wc -c <"$part")" -ge "$2" ] || exit 75
if [ "$(sha256sum <"$part" | cut -c1-64)" != "$3" ]; then rm -f -- "$part"; exit 76; fi
sync "$part" 2>/dev/null || sync
mv -f -- "$part" "$1"
sync "$(dirname -- "$1")" 2>/dev/null || sync
"""
_INCOMPLETE, _DAMAGED, _MOVED_ON = 75, 76, 77
_SIZE_AND_HASH = 'set -eu; wc -c <"$1"; sha256sum <"$1" | cut -c1-64'
_REST = 'exec tail -c "+$2" -- "$1"'


@dataclass(frozen=True)
class Parcel:
    """Data to send, and where it goes on the device: a relative path is one in the home folder."""

    data: bytes
    target: str

    @property
    def arguments(self) -> tuple[str, str, str]:
        """Target, size and hash, as the scripts above take them."""
        return _path(self.target), str(len(self.data)), sha256(self.data)


def put_files(
    device: Device, parcels: Sequence[Parcel], *, progress: Progress = lambda done: None
) -> int:
    """Send the files that are not on the device yet, and return how many bytes were sent.

    ``progress`` is called with the number of bytes that went out since the last call. Raises
    DeviceError if the device cannot be reached, has no room, or the connection broke repeatedly.
    """
    sent = 0

    def count(done: int) -> None:
        nonlocal sent
        sent += done
        progress(done)

    again(lambda: _put_missing(device, parcels, count))
    return sent


def again(work: Callable[[], Result]) -> Result:
    """Do something again until the connection holds; after some pauses raise DeviceLostError."""
    for pause_s in _PAUSES_S:
        try:
            return work()
        except DeviceLostError:
            time.sleep(pause_s)
    return work()


def _put_missing(device: Device, parcels: Sequence[Parcel], progress: Progress) -> None:
    for parcel, state in zip(parcels, _look(device, parcels), strict=True):
        if state == "done":
            continue
        # More than there should be is of no use; nor are bytes that turn out to be others.
        answer = _send(device, parcel, state, progress)
        if answer.code in (_DAMAGED, _MOVED_ON):
            (state,) = _look(device, [parcel])
            answer = _send(device, parcel, state, progress)
        if answer.code == _INCOMPLETE:
            raise DeviceLostError(f"{device.name} got only a part of {parcel.target}; try again.")
        if answer.code in (_DAMAGED, _MOVED_ON):
            raise DeviceError(
                f"{parcel.target} arrived damaged at {device.name}, twice; check its card."
            )
        check(device, answer, f"take {parcel.target}")


def _look(device: Device, parcels: Sequence[Parcel]) -> list[str]:
    arguments = [argument for parcel in parcels for argument in parcel.arguments]
    answer = device.run(["sh", "-c", _LOOK, "sh", *arguments], timeout_s=_SHORT_TIMEOUT_S)
    states = check(device, answer, "look for files").text.split()
    if len(states) != len(parcels):
        raise DeviceLostError(f"{device.name} did not say which files it has; try again.")
    return states


def _send(device: Device, parcel: Parcel, state: str, progress: Progress) -> Answer:
    """Send what is missing of a file after what `_look` said of it."""
    start = 0 if state == "done" else int(state)
    command = ["sh", "-c", _TAKE, "sh", *parcel.arguments, str(start)]
    return device.run(command, data=parcel.data[start:], progress=progress)


def _path(target: str) -> str:
    """Return a path that no program takes for an option."""
    return target if target.startswith("/") else f"./{target}"


def get_file(device: Device, source: str) -> bytes:
    """Fetch a file; what broke off continues where it stopped.

    Raises DeviceError if it is missing or too large, or the connection broke repeatedly.
    """
    path = _path(source)
    answer = again(lambda: device.run(["sh", "-c", _SIZE_AND_HASH, "sh", path]))
    size, digest = check(device, answer, f"read {source}").text.split()
    if int(size) > _GET_LIMIT_BYTES:
        raise DeviceError(f"{source} on {device.name} has {int(size):,} bytes; 1 GiB is the limit.")
    data = bytearray()

    def fetch() -> None:
        try:
            command = ["sh", "-c", _REST, "sh", path, str(len(data) + 1)]
            data.extend(check(device, device.run(command), f"read {source}").out)
        except DeviceLostError as error:
            data.extend(error.received)
            if len(data) < int(size):
                raise

    again(fetch)
    if sha256(bytes(data)) != digest:
        raise DeviceError(
            f"{source} arrived damaged from {device.name}, or changed meanwhile; try again."
        )
    return bytes(data)
