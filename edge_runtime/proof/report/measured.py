"""What the figures were measured on: said once where all models share it, else side by side."""

from collections.abc import Mapping, Sequence

from edge_runtime.proof.parity import Judgement
from edge_runtime.proof.report.figures import all_models
from edge_runtime.wording import ABSENT, called, printable, shortened

_LONGEST_NAME, _LONGEST_VALUE = 80, 120
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


def measured_view(report: Judgement) -> Mapping[str, object]:
    """Return the facts that all models share with their labels, and rows of those that differ."""
    known = [_flat(model.details) for model in all_models(report)]
    names = [printable(model.model) for model in all_models(report)]
    order = list(_LABELS)
    found = dict.fromkeys(key for facts in known for key in facts)
    keys = sorted(found, key=lambda key: order.index(key) if key in order else len(order))
    shared, differing = [], []
    for key in keys[:_MOST_KEYS]:
        values = [facts[key] for facts in known if key in facts]
        label = _LABELS.get(key, key.replace("_", " ").capitalize())
        if len(set(values)) == 1:
            shared.append((label, values[0] + _unrecorded(names, known, key)))
        else:
            differing.append((label, [facts.get(key, ABSENT) for facts in known]))
    heads = [("", ""), *((shortened(name, _LONGEST_NAME), "") for name in names)]
    return {"shared": shared, "differing": differing, "heads": heads}


def _unrecorded(names: Sequence[str], known: Sequence[Mapping[str, str]], key: str) -> str:
    """Return of which models a fact is not known, in brackets."""
    silent = [name for name, facts in zip(names, known, strict=True) if key not in facts]
    if not silent:
        return ""
    which = shortened(silent[0], _HASH_LENGTH) if len(silent) == 1 else f"{len(silent)} models"
    return f" (not recorded of {which})"


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
    return called(value, limit)
