"""JSON that can be read in one way only, and what must be in it."""

import base64
import binascii
from collections.abc import Iterable
from typing import Any

from edge_runtime.errors import SignatureError
from edge_runtime.files.documents import parse_json

_SHOWN = 60


def parse(data: bytes) -> object:
    """Return a JSON document; a name that stands twice in an object, NaN and infinity are refused.

    Raises:
        SignatureError: it is not UTF-8, no JSON, ambiguous, or too deeply nested.
    """
    try:
        return parse_json(data.decode("utf-8"), unique_names=True)
    except UnicodeDecodeError as error:
        raise SignatureError(f"it is not JSON ({error})") from error
    except ValueError as error:
        raise SignatureError(str(error)) from error


def fields(
    value: object, what: str, required: Iterable[str], optional: Iterable[str] | None = ()
) -> dict[str, Any]:
    """Return a JSON object that has the fields that it must have, and no others.

    Args:
        value: what was read.
        what: its name in messages.
        required: the fields that it must have.
        optional: those that it may have; None for any.

    Raises:
        SignatureError: it is something else.
    """
    if not isinstance(value, dict):
        raise SignatureError(f"expected {what} to be a JSON object, got {shown(value)}")
    required = tuple(required)
    for name in required:
        if name not in value:
            raise SignatureError(f"{what} has no '{name}'")
    if optional is not None:
        for name in value:
            if name not in (*required, *optional):
                raise SignatureError(f"{what} has a field {shown(name)} that it must not have")
    return value


def items(value: object, what: str) -> list[Any]:
    """Return a JSON array.

    Raises:
        SignatureError: it is something else.
    """
    if not isinstance(value, list):
        raise SignatureError(f"expected {what} to be a JSON array, got {shown(value)}")
    return value


def text(value: object, what: str, expected: str | None = None) -> str:
    """Return a string that is not empty, or exactly the expected one.

    Raises:
        SignatureError: it is something else.
    """
    if not isinstance(value, str) or not value or expected not in (None, value):
        wanted = f"'{expected}'" if expected else "a string"
        raise SignatureError(f"expected {what} to be {wanted}, got {shown(value)}")
    return value


def base64_bytes(value: object, what: str) -> bytes:
    """Return the bytes that a string of Base64 stands for; of two spellings only the usual one.

    Raises:
        SignatureError: it is not the Base64 of RFC 4648, section 4.
    """
    encoded = text(value, what)
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SignatureError(f"{what} is not Base64 ({error})") from error
    # The last digit before the padding has bits without a meaning: RFC 4648, section 3.5.
    if base64.b64encode(decoded).decode("ascii") != encoded:
        raise SignatureError(f"{what} is not the usual Base64 of its bytes")
    return decoded


def shown(value: object) -> str:
    """Return a value from a file for a message: on one line, escaped and short."""
    return ascii(value) if len(ascii(value)) <= _SHOWN else f"{ascii(value)[:_SHOWN]}…"
