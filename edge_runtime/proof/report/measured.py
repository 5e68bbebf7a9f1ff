"""What the figures were measured on: said once where all models share it, else side by side."""

from collections.abc import Mapping, Sequence

from edge_runtime.proof.report.entries import Entry
from edge_runtime.proof.report.markup import definitions, escaped, named, row, scroller, table
from edge_runtime.wording import ABSENT, printable, shortened

_LONGEST_VALUE = 120
_HASH_LENGTH = 17
_MOST_KEYS = 60

# The order in which they are told; what else is recorded follows.
_LABELS = {
    "model_sha256": "File (SHA-256)",
    "size_bytes": "Size in bytes",
    "scheme": "Scheme",
    "backend": "Runtime",
    "backend_version": "Version of the runtime",
    "kernels": "Kernels",
    "threads": "Threads",
    "cpu": "CPU",
    "machine": "Architecture",
    "system": "System",
    "memory_bytes": "Memory in bytes",
    "latency_us median": "Median time, µs",
    "latency_us p10": "Time, 10th percentile, µs",
    "latency_us p90": "Time, 90th percentile, µs",
    "latency_us n": "Images timed",
    "dataset": "Dataset",
    "dataset_fingerprint": "Fingerprint of the dataset",
    "split": "Split",
    "python": "Python",
    "numpy": "NumPy",
    "pillow": "Pillow",
}


def measured_section(models: Sequence[Entry]) -> str:
    """Return the facts of every model; those that differ in a table with a column for each."""
    known = [_flat(entry.details) for entry in models]
    keys = list(dict.fromkeys(key for facts in known for key in facts))
    keys = sorted(keys, key=_rank)[:_MOST_KEYS]
    values = {key: {facts[key] for facts in known if key in facts} for key in keys}
    shared = [key for key in keys if len(values[key]) == 1]
    differing = [key for key in keys if key not in shared]
    same = definitions(
        [(_label(key), min(values[key]) + _unrecorded(models, known, key)) for key in shared],
        css_class="details",
    )
    return (f"<h3>The same for all models</h3>{same}" if shared else "") + (
        _side_by_side(models, known, differing) if differing else ""
    ) or "<p>Nothing was recorded.</p>"


def _unrecorded(models: Sequence[Entry], known: Sequence[Mapping[str, str]], key: str) -> str:
    """Return of which models a fact is not known, in brackets."""
    silent = [
        shortened(entry.model, _HASH_LENGTH)
        for entry, facts in zip(models, known, strict=True)
        if key not in facts
    ]
    if not silent:
        return ""
    return f" (not recorded of {silent[0] if len(silent) == 1 else f'{len(silent)} models'})"


def _side_by_side(
    models: Sequence[Entry], known: Sequence[Mapping[str, str]], keys: Sequence[str]
) -> str:
    heads = [("", ""), *((named(entry.model), "") for entry in models)]
    rows = [
        row(escaped(_label(key)), [escaped(facts.get(key, ABSENT)) for facts in known])
        for key in keys
    ]
    content = scroller(table("plain measured", heads, rows), "What differs between the models")
    return f"<h3>What differs</h3>{content}"


def _flat(details: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """Return nested details as printable text by their joined keys, without the name."""
    flat: dict[str, str] = {}
    for key, value in details.items():
        name = f"{prefix}{printable(key)}"
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{name} ")
        elif name != "model" and value is not None:
            flat[name] = _written(name, value)
    return flat


def _written(key: str, value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    limit = _HASH_LENGTH if key.endswith(("sha256", "fingerprint")) else _LONGEST_VALUE
    return shortened(printable(value), limit)


def _label(key: str) -> str:
    return _LABELS.get(key, key.replace("_", " ").capitalize())


def _rank(key: str) -> int:
    order = list(_LABELS)
    return order.index(key) if key in order else len(order)
