"""What a board reports during the run: temperature, clock, throttling.

Linux gives temperature and clock below /sys where it has them; what a Raspberry Pi's firmware has
throttled is in its `vcgencmd get_throttled`. What is not there is None, which is usual elsewhere.
"""

import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

SYS = Path("/sys")

# https://www.raspberrypi.com/documentation/computers/os.html#get_throttled
_FLAGS = {0: "under-voltage", 1: "clock capped", 2: "throttled", 3: "soft temperature limit"}
_SINCE_BOOT = 16  # the same flags so many bits higher: it has happened since the start
_ASKING_SECONDS = 5.0


@dataclass(frozen=True)
class Reading:
    """One look at the board.

    Attributes:
        temperature_c: of the hottest zone, in degrees Celsius.
        clock_mhz: of the slowest core.
        flags: what the firmware does now, in words; () is nothing.
        flags_since_boot: what it has done since the board was started.
    """

    temperature_c: float | None = None
    clock_mhz: float | None = None
    flags: tuple[str, ...] | None = None
    flags_since_boot: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Board:
    """What a board did during a run: the lowest and highest of a `Reading`, and every flag."""

    temperature_c: tuple[float, float] | None
    clock_mhz: tuple[float, float] | None
    flags: tuple[str, ...] | None
    flags_since_boot: tuple[str, ...] | None


def summed_up(readings: Sequence[Reading]) -> Board | None:
    """Return what was seen during a run; None on a machine that reports nothing."""
    if all(reading == Reading() for reading in readings):
        return None
    return Board(
        temperature_c=_range(reading.temperature_c for reading in readings),
        clock_mhz=_range(reading.clock_mhz for reading in readings),
        flags=_together(reading.flags for reading in readings),
        flags_since_boot=_together(reading.flags_since_boot for reading in readings),
    )


def read_board(sys_root: Path = SYS) -> Reading:
    """Look at the board once; takes a few milliseconds on a Pi."""
    thousandths = _numbers(sys_root, "class/thermal/thermal_zone*/temp")
    kilohertz = _numbers(sys_root, "devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq")
    throttled = _throttled()
    return Reading(
        temperature_c=max(thousandths) / 1000 if thousandths else None,
        clock_mhz=min(kilohertz) / 1000 if kilohertz else None,
        flags=None if throttled is None else flags_in_words(throttled),
        flags_since_boot=None if throttled is None else flags_in_words(throttled >> _SINCE_BOOT),
    )


def flags_in_words(bits: int) -> tuple[str, ...]:
    """Return what the lowest four bits of `get_throttled` mean."""
    return tuple(words for bit, words in _FLAGS.items() if bits >> bit & 1)


def _numbers(root: Path, pattern: str) -> list[int]:
    found = []
    for path in root.glob(pattern):
        try:
            found.append(int(path.read_text("ascii")))
        except (OSError, ValueError):  # a sensor that is asleep answers with an error
            continue
    return found


def _throttled() -> int | None:
    """Return the bits of `vcgencmd get_throttled`, which answers "throttled=0x50000"."""
    command = ["vcgencmd", "get_throttled"]
    try:
        out = subprocess.check_output(
            command, stderr=subprocess.DEVNULL, text=True, timeout=_ASKING_SECONDS
        )
        return int(out.strip().partition("=")[2], 16)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def _range(values: Iterable[float | None]) -> tuple[float, float] | None:
    known = [value for value in values if value is not None]
    return (min(known), max(known)) if known else None


def _together(seen: Iterable[tuple[str, ...] | None]) -> tuple[str, ...] | None:
    """Return every flag that was seen once; None where nothing reports them."""
    known = [flags for flags in seen if flags is not None]
    if not known:
        return None
    return tuple(words for words in _FLAGS.values() if any(words in flags for flags in known))
