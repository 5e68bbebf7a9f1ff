"""On which line of a TOML file each key stands: the standard library's parser does not say."""

import re
import sys
from collections.abc import Iterator
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KeyPath = tuple[str, ...]

_MOST_DOTS = 32  # as many as all margins of all steps have on one line
_COMMENT = re.compile(r"^([^\"'#\n]*)#.*", re.MULTILINE)
# A value of n lines is parsed n times. After so many characters lines are not looked for any more.
_MOST_PARSED = 1024 * 1024


def key_lines(text: str) -> dict[KeyPath, int]:
    """Return the line, from 1, on which each key and table of a TOML text is first named.

    A key in a table has the table's keys before its own: ("steps", "runtime", "accuracy"). The
    tables of an array share one path. A key within a value has the line on which the value begins.
    The text is valid TOML, its lines ended by line feeds alone.
    """
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    statement, first, parsed = "", 1, 0
    for number, line in enumerate(text.split("\n"), start=1):
        statement += f"{line}\n"
        parsed += len(statement)
        if parsed > _MOST_PARSED:
            break
        try:
            found = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:  # the statement goes on in the next line
            continue
        is_header = statement.lstrip().startswith("[")
        for path in _paths(found, () if is_header else table):
            lines.setdefault(path, first)
            table = path if is_header else table
        statement, first = "", number + 1
    return lines


def _paths(value: Any, at: KeyPath) -> Iterator[KeyPath]:
    """Yield the path of every key in a value, a table's before those of its keys."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield (*at, key)
            yield from _paths(child, (*at, key))
    elif isinstance(value, list):
        for child in value:
            yield from _paths(child, at)


def refuse_deep_keys(text: str) -> None:
    """Raise ValueError where a key has many parts: of 20,000 parts the parser makes 1.5 GB."""
    # Within a string of several lines a # begins no comment.
    if '"""' not in text and "'''" not in text:
        text = _COMMENT.sub(r"\1", text)
    if max(line.count(".") for line in text.split("\n")) > _MOST_DOTS:
        raise ValueError("a key has too many parts")
