"""What the manifest of a bundle must say, checked as a whole before anything is made of it.

`docs/explanation/bundle.md` lists the same fields. A field that is not listed is kept, but never
read.
"""

from collections.abc import Callable, Mapping
from typing import Any

from edge_runtime.errors import BundleError
from edge_runtime.models.bundle.tolerance import Tolerance
from edge_runtime.models.manifest import is_sha256

SCHEMA_VERSION = 1
LARGEST_VERSION = 2**31 - 1

_MISSING = object()
_Kind = tuple[str, Callable[[Any], bool]]


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**53  # what every JSON reader can hold


def _is_share(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1


def _is_rate(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    interval, *counts = (value.get(key) for key in ("interval_95", "successes", "total"))
    if not isinstance(interval, list) or len(interval) != 2:
        return False
    if not all(map(_is_share, (value.get("value"), *interval))) or not all(map(_is_count, counts)):
        return False
    return bool(interval[0] <= interval[1] and value["successes"] <= value["total"] != 0)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _each(is_right: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Return what tells an object whose values are all right."""
    return lambda value: isinstance(value, dict) and all(map(is_right, value.values()))


_TEXT: _Kind = ("a text", _is_text)
_TEXTS: _Kind = ("an object of texts", _each(_is_text))
_RATE: _Kind = ("a rate (value, interval_95, successes and total)", _is_rate)
_RATES: _Kind = ("an object of rates (value, interval_95, successes and total)", _each(_is_rate))

_REQUIRED: dict[str, _Kind] = {
    "minimum_runtime": _TEXTS,
    "dataset.name": _TEXT,
    "dataset.fingerprint": ("a SHA-256", is_sha256),
    "metrics.images": _TEXT,
    "metrics.accuracy": _RATE,
    "metrics.recall": _RATES,
    "golden.count": ("a whole number", _is_count),
    "golden.images_from": _TEXT,
    "golden.chosen": _TEXT,
    "golden.made_with": _TEXTS,
    "golden.made_with.runtime": _TEXT,
}
_OPTIONAL: dict[str, _Kind] = {"metrics.agreement_with_full_model": _RATE}


def check_document(document: Mapping[str, Any]) -> tuple[Tolerance, ...]:
    """Check what commands read of the details of a bundle's manifest; return the tolerances.

    Raises:
        BundleError: a field is missing or is of another kind; the sentence names it.
    """
    stated = _value(document, "golden.tolerances")
    if not isinstance(stated, list) or not all(isinstance(entry, dict) for entry in stated):
        raise BundleError("its manifest states no tolerances ('golden.tolerances')")
    tolerances = tuple(map(Tolerance.from_dict, stated))
    for name, (kind, is_right) in (_REQUIRED | _OPTIONAL).items():
        value = _value(document, name)
        if value is _MISSING:
            if name in _REQUIRED:
                raise BundleError(f"its manifest lacks '{name}'; expected {kind}")
        elif not is_right(value):
            raise BundleError(f"its manifest's '{name}' must be {kind}, got {_shortened(value)}")
    return tolerances


def check_version(document: Mapping[str, Any]) -> int:
    """Return the version of a bundle.

    Raises:
        BundleError: it is none, or the manifest is of another schema.
    """
    part = document.get("bundle")
    stated = part.get("schema_version") if isinstance(part, dict) else None
    if not isinstance(part, dict) or type(stated) is not int or stated != SCHEMA_VERSION:
        raise BundleError(f"its manifest is not one of a bundle of version {SCHEMA_VERSION}")
    version = part.get("version")
    if type(version) is not int or not 1 <= version <= LARGEST_VERSION:
        raise BundleError(
            f"expected its 'bundle.version' to be a whole number from 1 on, got "
            f"{_shortened(version)}"
        )
    return version


def _value(document: Mapping[str, Any], name: str) -> Any:
    value: Any = document
    for key in name.split("."):
        value = value.get(key, _MISSING) if isinstance(value, Mapping) else _MISSING
    return value


def _shortened(value: Any) -> str:
    text = repr(value) if isinstance(value, str | int | float | None) else type(value).__name__
    return text if len(text) <= 40 else text[:40] + "…"
