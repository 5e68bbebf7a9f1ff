"""How numbers and names are written, the same in every report."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

ABSENT = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"

# Joiners are not printable by themselves, but Persian and Hindi words need them.
_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"

# Stands for a letter that must not be shown.
UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"

# The first signs of what CI systems would take for a command. Hardly a text has one, so they are
# compiled when they are needed: a command on a small board should start soon.
_CI_HASHES = r"#(?=#(?:vso|teamcity)?\[)"
_CI_COLON = r"^(\s*):(?=:)"

# Where a spreadsheet takes a text for a formula; those of full width count, too.
_FORMULA = r"(^|;)(\s*[=+\-@＝＋－＠])"

# Fractions that differ by less are the same but for rounding.
_SAME = 1e-9
_MOST_DECIMALS = 4

_KIBIBYTE = 1024
_MEBIBYTE = 1024 * 1024


def printable(value: object) -> str:
    """Return a value as text on one line that steers neither a terminal nor a CI system.

    U+FFFD stands for control characters and line breaks of every kind, marks of direction, what has
    no width, and bytes of a file name that are not UTF-8. Joiners stay between letters of scripts
    that need them; between Latin letters they would only hide.

    It also takes the place of the first sign of a CI system's command. GitHub runs what follows
    `::` at the start of a line of a job's output, and `##[` anywhere (actions/runner,
    ActionCommand.cs); Azure knows `##vso[`, TeamCity `##teamcity[`.
    """
    text = str(value)
    if not text.isprintable():
        text = "".join(
            letter if letter.isprintable() or _joins(text, place) else UNPRINTABLE
            for place, letter in enumerate(text)
        )
    if "##" in text:
        text = re.sub(_CI_HASHES, UNPRINTABLE, text)
    return re.sub(_CI_COLON, rf"\1{UNPRINTABLE}", text) if "::" in text else text


def _joins(text: str, place: int) -> bool:
    """Return whether there is a joiner between two printable letters that are not ASCII."""
    around = text[max(0, place - 1) : place] + text[place + 1 : place + 2]
    joined = len(around) == 2 and around.isprintable() and not any(map(str.isascii, around))
    return text[place] in _JOINERS and joined


def json_escaped(text: str) -> str:
    r"""Return JSON text with all that `printable` would replace as \uXXXX: the same document.

    Only strings hold such signs, apart from the line breaks of indented JSON, which stay.
    """
    import json  # only for JSON

    safe = "\n".join(
        line
        if line.isprintable()
        else "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in line)
        for line in text.split("\n")
    )
    return re.sub(_CI_HASHES, r"\\u0023", safe)


def csv_row(cells: Sequence[object], *, escape_formulas: bool = False) -> str:
    """Return a row of CSV without its line break: printable texts, and numbers as they are.

    Args:
        cells: what stands in it.
        escape_formulas: write ' before what a spreadsheet would run (OWASP, "CSV Injection"): a
            text that begins with =, +, - or @, or has one of them after a semicolon, which
            separates the cells where the comma is in numbers.
    """
    import csv
    import io  # only for CSV

    texts = [printable(cell) if isinstance(cell, str) else cell for cell in cells]
    if escape_formulas:
        texts = [
            re.sub(_FORMULA, r"\1'\2", text) if isinstance(text, str) else text for text in texts
        ]
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(texts)
    return line.getvalue()


def shortened(text: str, limit: int) -> str:
    """Return ``text``, cut to ``limit`` characters with an ellipsis in the middle.

    Names that clash usually share their beginning, and end with what tells them apart.
    """
    if len(text) <= limit:
        return text
    tail = (limit - 1) // 2
    return f"{text[: limit - 1 - tail]}…{text[len(text) - tail :]}"


def called(name: object, limit: int = 60) -> str:
    """Return a name as it is written within a sentence: printable, and not endless."""
    return shortened(printable(name), limit)


def columns(text: str) -> int:
    """Return how wide ``text`` is in letters of a terminal: Chinese ones count as two."""
    if text.isascii():
        return len(text)
    import unicodedata  # a megabyte that few texts need

    return sum(
        0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF")
        for letter in text
    )


def fitted(text: str, width: int) -> str:
    """Return ``text`` cut in the middle so that it is at most so many columns wide."""
    limit = min(len(text), max(1, width))
    while columns(shortened(text, limit)) > max(1, width) and limit > 1:
        limit -= 1
    return shortened(text, limit)


def percent(value: float, decimals: int = 1) -> str:
    """Return a fraction as a percentage without its sign, NaN as a dash."""
    return f"{value * 100:.{decimals}f}" if value == value else ABSENT


def percent_interval(interval: tuple[float, float], decimals: int = 1) -> str:
    """Return the interval of a fraction in percent."""
    return span(*(percent(bound, decimals) for bound in interval))


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


def points_interval(interval: tuple[float, float], decimals: int = 1) -> str:
    """Return the interval of a difference in points, as in "−0.9 to +1.3"."""
    return " to ".join(points(bound, decimals) for bound in interval)


def scores_interval(interval: tuple[float, float], decimals: int = 4) -> str:
    """Return the interval of a difference of two scores, as in "−0.0012 to +0.0074"."""
    return " to ".join(signed(bound, decimals) for bound in interval)


def score_decimals(limit: float, interval: tuple[float, float]) -> int:
    """Return with how many decimals, four or more, no bound of a score looks like the limit."""
    return 2 + decimals_beside(limit, *interval, decimals=2)


def decimals_beside(limit: float, *fractions: float, decimals: int) -> int:
    """Return with how many decimals none of the percentages looks like the limit without being it.

    A bound of 0.996 points beside a limit of 1 point must not be shown as 1.0.
    """
    for wanted in range(decimals, _MOST_DECIMALS):
        if all(
            abs(abs(value) - abs(limit)) < _SAME
            or percent(abs(value), wanted) != percent(abs(limit), wanted)
            for value in fractions
        ):
            return wanted
    return _MOST_DECIMALS


def distance(value: float) -> str:
    """Return a distance of probabilities with as many decimals as say something."""
    if value == 0:
        return "0"
    if value < 0.00005:
        return "<0.0001"
    return f"{value:.4f}" if value < 0.1 else f"{value:.3f}" if value < 1 else f"{value:.2f}"


def points_allowed(fraction: float) -> str:
    """Return a limit in points as it was given: "1 point", "0.5 points"."""
    value = round(fraction * 100, 6)
    return f"{value:g} point{'' if value == 1 else 's'}"


def probability(value: float) -> str:
    """Return a difference of probabilities with four decimals."""
    if value == 0:
        return "0"
    return "<0.0001" if 0 < value < 0.00005 else f"{value:.4f}"


def p_value(value: float) -> str:
    """Return a p-value with as many digits as anybody needs."""
    if value < 0.001:
        return "<0.001"
    return "1" if value > 0.995 else f"{value:.{3 if value < 0.1 else 2}f}"


def p_equals(value: float) -> str:
    """Return "p = 0.02" or "p < 0.001"."""
    text = p_value(value)
    return f"p < {text[1:]}" if text.startswith("<") else f"p = {text}"


def about(count: int) -> str:
    """Return an estimated count, rounded up to two digits: "about 21,000"."""
    unit = 10 ** max(0, len(str(count)) - 2)
    return f"about {-(-count // unit) * unit:,}"


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


class Described:
    """A result that says what it is: on one line as text, and as a table in a notebook."""

    def facts(self) -> Mapping[str, object]:
        """Return what there is to say, by name."""
        raise NotImplementedError

    def __repr__(self) -> str:
        said = ", ".join(f"{name}: {printable(value)}" for name, value in self.facts().items())
        return f"<{type(self).__name__} {said}>"

    def _repr_html_(self) -> str:
        return html_table(list(self.facts().items()))


def html_table(
    rows: Sequence[Sequence[object]], *, header: Sequence[object] = (), title: str = ""
) -> str:
    """Return an HTML table of texts, each row's first cell a heading; nothing in it is markup."""
    from html import escape  # only for notebooks

    def cells(row: Sequence[object], tags: Sequence[str]) -> str:
        filled = (
            f'<{tag} style="text-align:left">{escape(printable(cell))}</{tag}>'
            for tag, cell in zip(tags, row, strict=True)
        )
        return f"<tr>{''.join(filled)}</tr>"

    lines = [cells(header, ["th"] * len(header))] if header else []
    lines += [cells(row, ["th"] + ["td"] * (len(row) - 1)) for row in rows]
    above = f"<b>{escape(printable(title))}</b>" if title else ""
    return f"{above}<table>{''.join(lines)}</table>"


def spelled_out(options: type) -> Callable[[Function], Function]:
    """Let ``help`` and notebooks show each key of a TypedDict in place of ``**options``."""

    def decorate(function: Function) -> Function:
        signature, kind = inspect.signature(function), inspect.Parameter.KEYWORD_ONLY
        *named, _ = signature.parameters.values()
        keys = [
            inspect.Parameter(key, kind, annotation=hint, default=...)
            for key, hint in options.__annotations__.items()
        ]
        signature = signature.replace(parameters=[*named, *keys])
        function.__signature__ = signature  # type: ignore[attr-defined]
        return function

    return decorate
