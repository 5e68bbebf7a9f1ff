"""JSON that anybody may have written, read under limits."""

import json
import re
from typing import Any

from edge_runtime.files.reading import MEBIBYTE

DOCUMENT_LIMIT_BYTES = 8 * MEBIBYTE
# A document of n values takes up to 150 bytes a value, those with names; so these take 43 MiB.
# A manifest of the 21,841 classes of ImageNet has 170,000.
_MOST_VALUES = 300_000
# One character beyond U+FFFF, such as an emoji, makes Python keep 4 bytes for each of a text.
_WIDE = re.compile(rb"[\xf0-\xf4]")
_WIDE_LIMIT_BYTES = 4 * MEBIBYTE


def parse_object(text: bytes | str) -> dict[str, Any]:
    """Return a JSON object, in which no number is infinite or NaN.

    Raises:
        ValueError: the text is too long, has too many values or levels, or is no JSON object.
    """
    if len(text) > DOCUMENT_LIMIT_BYTES:
        raise ValueError(f"it is larger than {DOCUMENT_LIMIT_BYTES // MEBIBYTE} MiB")
    if not isinstance(text, bytes):
        text = text.encode("utf-8", errors="surrogatepass")
    if len(text) > _WIDE_LIMIT_BYTES and _WIDE.search(text):
        raise ValueError(
            f"it is larger than {_WIDE_LIMIT_BYTES // MEBIBYTE} MiB, and has characters beyond "
            "U+FFFF; write them as \\u and digits"
        )
    if sum(text.count(mark) for mark in (b",", b"[", b"{")) > _MOST_VALUES:
        raise ValueError(f"it has more than {_MOST_VALUES:,} values")
    try:
        document = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise ValueError("expected a JSON object")
    return document


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{digits[:20]} is too large a number")
    return number
