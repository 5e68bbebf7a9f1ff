"""How numbers and names are written, the same in every report."""

from edge_runtime.metrics import Rate

ABSENT = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"

# Joiners are not printable by themselves, but Persian and Hindi words need them.
_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"

_KIBIBYTE = 1024
_MEBIBYTE = 1024 * 1024


def printable(value: object) -> str:
    """Return text without what could steer a terminal, turn letters around, or not be encoded."""
    return "".join(
        letter if letter.isprintable() or letter in _JOINERS else "\N{REPLACEMENT CHARACTER}"
        for letter in str(value)
    )


def shortened(text: str, limit: int) -> str:
    """Return ``text``, cut to ``limit`` characters of which the last is then an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def percent(value: float, decimals: int = 1) -> str:
    """Return a fraction as a percentage without its sign, NaN as a dash."""
    return f"{value * 100:.{decimals}f}" if value == value else ABSENT


def percent_interval(rate: Rate, decimals: int = 1) -> str:
    """Return the 95 % interval of a rate in percent."""
    low, high = rate.interval
    return span(percent(low, decimals), percent(high, decimals))


def span(low: str, high: str) -> str:
    """Return "from low to high" as it is set between numbers."""
    return f"{low}\N{EN DASH}{high}"


def signed(value: int | float, decimals: int = 0) -> str:
    """Return a number with its sign; what rounds to zero has none."""
    rounded = round(value, decimals)
    sign = MINUS if rounded < 0 else "+" if rounded > 0 else ""
    return f"{sign}{abs(rounded):,.{decimals}f}"


def points(difference: float, decimals: int = 1) -> str:
    """Return a difference of two fractions in percentage points, with its sign."""
    return signed(difference * 100, decimals)


def points_allowed(fraction: float) -> str:
    """Return a limit in points as it was given: "1 point", "0.5 points"."""
    value = round(fraction * 100, 6)
    return f"{value:g} point{'' if value == 1 else 's'}"


def probability(value: float) -> str:
    """Return a difference of probabilities with four decimals."""
    if value == 0:
        return "0"
    return "<0.0001" if 0 < value < 0.00005 else f"{value:.4f}"


def size(size_bytes: int) -> str:
    """Return a file's size in KiB, or in MiB from one on."""
    if size_bytes < _MEBIBYTE:
        return f"{size_bytes / _KIBIBYTE:,.1f} KiB"
    return f"{size_bytes / _MEBIBYTE:,.1f} MiB"


def microseconds(value: float) -> str:
    """Return a duration; decimals only where they matter."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def plural(count: int, noun: str, plural_noun: str | None = None) -> str:
    """Return a count with its noun, as in "1 image" and "1,000 images"."""
    return f"{count:,} {noun if count == 1 else plural_noun or noun + 's'}"
