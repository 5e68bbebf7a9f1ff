"""On which line of a TOML file each key stands: the standard library's parser does not say."""

import re
import sys
from collections import deque
from collections.abc import Iterator

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KeyPath = tuple[str, ...]

_ENDS_OF_KEYS = {*"\n=,[]{}"}
_MOST_PARTS = 32  # a contract has three

# The tokens of TOML 1.0. A bare word is what is left: a bare key, or a part of a value.
_TOKEN = re.compile(
    r'"""(?:\\.|(?!""").)*"{3,5}'
    r"|'''(?:(?!''').)*'{3,5}"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'"
    r"|\#[^\n]*"
    r"|\n"
    r"|[\[\]{},.=]"
    r"|[^\s\[\]{},.=\#\"']+",
    re.DOTALL,
)


def key_lines(text: str) -> dict[KeyPath, int]:
    """Return the line, from 1, on which each key and table of a TOML text is first named.

    A key in a table has the table's keys before its own: ("steps", "runtime", "accuracy"). The
    tables of an array share one path. Nothing is recorded of what lies in many tables.

    Args:
        text: valid TOML, its lines ended by line feeds alone.
    """
    lines: dict[KeyPath, int] = {}
    for path, line in _Reader(text).named_paths():
        for length in range(1, min(len(path), _MOST_PARTS) + 1):
            lines.setdefault(path[:length], line)
    return lines


def refuse_deep_keys(text: str) -> None:
    """Raise where a key has many parts: of 20,000 parts the parser makes 1.5 GB.

    Args:
        text: TOML, which need not be valid.

    Raises:
        ValueError: there is such a key.
    """
    dots = 0
    for token, _ in _tokens(text):
        dots = dots + 1 if token == "." else 0 if token in _ENDS_OF_KEYS else dots
        if dots >= _MOST_PARTS:
            raise ValueError("a key has too many parts")


class _Reader:
    """Walks through the tokens of a text that is known to be valid."""

    def __init__(self, text: str) -> None:
        self._tokens = deque(_tokens(text))
        self._line = 1

    def named_paths(self) -> Iterator[tuple[KeyPath, int]]:
        """Yield the path and the line of each table header and each key, from top to bottom."""
        table: KeyPath = ()
        while self._tokens:
            if self._next_is("["):
                self._drop("[")
                table = self._key("]")
                yield table, self._line
                self._drop("]")
            elif not self._drop("\n"):
                yield from self._pair(table)

    def _pair(self, table: KeyPath) -> Iterator[tuple[KeyPath, int]]:
        path = (*table, *self._key("="))
        yield path, self._line
        yield from self._value(path)

    def _value(self, path: KeyPath) -> Iterator[tuple[KeyPath, int]]:
        if self._next_is("{"):
            self._take()
            while not self._next_is("}"):
                if not self._drop(",\n"):
                    yield from self._pair(path)
            self._take()
        elif self._next_is("["):
            self._take()
            while not self._next_is("]"):
                if not self._drop(",\n"):
                    yield from self._value(path)
            self._take()
        else:
            while self._tokens and not self._next_is(",\n]}"):
                self._take()

    def _key(self, end: str) -> KeyPath:
        """Take a dotted key and the sign that ends it."""
        parts = []
        while (token := self._take()) != end:
            if token != ".":
                parts.append(_unquoted(token))
        return tuple(parts)

    def _take(self) -> str:
        token, self._line = self._tokens.popleft()
        return token

    def _next_is(self, signs: str) -> bool:
        return self._tokens[0][0] in signs

    def _drop(self, signs: str) -> bool:
        """Take all tokens at hand that are one of these signs; say whether there were any."""
        found = False
        while self._tokens and self._next_is(signs):
            self._take()
            found = True
        return found


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    line = 1
    for match in _TOKEN.finditer(text):
        token = match.group()
        if not token.startswith("#"):
            yield token, line
        line += token.count("\n")


def _unquoted(token: str) -> str:
    if token[0] in "\"'":
        return str(tomllib.loads(f"key = {token}")["key"])
    return token
