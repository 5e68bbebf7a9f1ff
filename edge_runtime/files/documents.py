"""JSON that anybody may have written, read under limits."""

import json
import math
import re
from collections import Counter
from typing import Any, NoReturn

from edge_runtime.files.reading import MEBIBYTE

DOCUMENT_LIMIT_BYTES = 8 * MEBIBYTE
# A document of n values takes up to 150 bytes a value, those with names; so these take 43 MiB.
# A manifest of the 21,841 classes of ImageNet has 170,000.
_MOST_VALUES = 300_000
# One character beyond U+FFFF, such as an emoji, makes Python keep 4 bytes for each of a text.
_WIDE = re.compile(rb"[\xf0-\xf4]")
_WIDE_LIMIT_BYTES = 4 * MEBIBYTE


class _RefusedError(ValueError):
    """What Python's parser would take is no unambiguous JSON."""


def parse_object(text: bytes | str) -> dict[str, Any]:
    """Return a JSON document as `parse_json` does, which must be an object.

    Raises:
        ValueError: it is none, or as in `parse_json`.
    """
    document = parse_json(text)
    if not isinstance(document, dict):
        raise ValueError("expected a JSON object")
    return document


def parse_json(text: bytes | str, *, unique_names: bool = False) -> object:
    """Return a JSON document, in which no number is infinite or NaN.

    Args:
        text: the document.
        unique_names: refuse a name that stands twice in one object; else the last one counts.

    Raises:
        ValueError: the text is too long, has too many values or levels, or is no JSON.
    """
    if len(text) > DOCUMENT_LIMIT_BYTES:
        raise ValueError(f"it is larger than {DOCUMENT_LIMIT_BYTES // MEBIBYTE} MiB")
    data = text if isinstance(text, bytes) else text.encode("utf-8", errors="surrogatepass")
    if len(data) > _WIDE_LIMIT_BYTES and _WIDE.search(data):
        raise ValueError(
            f"it is larger than {_WIDE_LIMIT_BYTES // MEBIBYTE} MiB, and has characters beyond "
            "U+FFFF; write them as \\u and digits"
        )
    if sum(data.count(mark) for mark in (b",", b"[", b"{")) > _MOST_VALUES:
        raise ValueError(f"it has more than {_MOST_VALUES:,} values")
    try:
        return json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            object_pairs_hook=_unambiguous if unique_names else None,
        )
    except _RefusedError:
        raise
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not JSON ({error})") from error


def _refuse_constant(name: str) -> NoReturn:
    raise _RefusedError(f"it has {name}, which is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise _RefusedError(f"it has {digits[:20]}, which is too large a number")
    return number


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        raise _RefusedError(f"it has {ascii(counts.most_common(1)[0][0])[:60]} twice in one object")
    return found
