"""From the full model to the one on the device: which step lies between two predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from edge_runtime.metrics import PairedCounts
from edge_runtime.predictions import Predictions

StepKind = Literal["conversion", "quantization", "runtime", "preprocessing"]

# What each step is called where people read of it.
STEP_NAMES: dict[StepKind, str] = {
    "conversion": "conversion",
    "quantization": "quantization",
    "runtime": "runtime or CPU",
    "preprocessing": "preprocessing",
}

_FULL_SCHEMES = ("keras", None)
_FLOAT_SCHEMES = ("keras", "float32", None)
_PLACE_KEYS = ("backend", "backend_version", "cpu", "machine")
# Which kernels run follows from the file, so these say something of the same file only.
_MODE_KEYS = ("kernels", "threads")


@dataclass(frozen=True)
class Step:
    """What lies between two predictions of the same images.

    Attributes:
        kinds: what changed; usually one.
        before: index of the predictions that it starts from; 0 is the reference.
        after: index of the predictions that it leads to.
        before_model: their names.
        after_model: likewise.
        changed: what changed, in words, as in "float32 → int8".
        counts: the answers after it against those before it.
    """

    kinds: tuple[StepKind, ...]
    before: int
    after: int
    before_model: str
    after_model: str
    changed: str
    counts: PairedCounts

    @property
    def name(self) -> str:
        """What changed: "quantization", or "conversion and quantization" when both did."""
        return " and ".join(STEP_NAMES[kind] for kind in self.kinds)


def predecessors(predictions: Sequence[Predictions]) -> list[int]:
    """Return for each but the first the index of the predictions that it was made from.

    Keras → float32 → quantized → the same file on the device; several quantized models have the
    same float32 model before them. The same file has the same SHA-256. Where the details do not
    say, the one that was given before is taken.
    """
    return [_predecessor(predictions, index) for index in range(1, len(predictions))]


def _predecessor(predictions: Sequence[Predictions], index: int) -> int:
    after = predictions[index].details
    earlier = list(range(index - 1, -1, -1))
    scheme = after.get("scheme")
    for candidate in earlier:
        if _same_file(predictions[candidate].details, after):
            return candidate
    if scheme is None:
        return index - 1
    for candidate in earlier:
        details = predictions[candidate].details
        if details.get("scheme") == scheme and _differ(details, after, ("machine", "cpu")):
            return candidate  # a rebuilt file on the device belongs to its like on the host
    if scheme not in _FLOAT_SCHEMES:
        for candidate in earlier:
            if predictions[candidate].details.get("scheme") == "float32":
                return candidate
    return 0 if predictions[0].details.get("scheme") in _FLOAT_SCHEMES else index - 1


def step_kinds(before: Predictions, after: Predictions) -> tuple[StepKind, ...]:
    """Return what changed from one model's predictions to another's."""
    kinds: list[StepKind] = []
    if not _same_file(before.details, after.details):
        kinds += _model_changes(before.details, after.details)
    if inputs_differ(before, after):
        kinds.append("preprocessing")
    if not kinds or _moved(before.details, after.details):
        kinds.append("runtime")
    return tuple(kind for kind in get_args(StepKind) if kind in kinds)


def _model_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[StepKind]:
    old, new = before.get("scheme"), after.get("scheme")
    if old is None and new is None:
        return []
    kinds: list[StepKind] = []
    if old in _FULL_SCHEMES and new not in _FULL_SCHEMES:
        kinds.append("conversion")
    if new not in _FLOAT_SCHEMES:
        kinds.append("quantization")
    return kinds or ["conversion"]


def _moved(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Say whether a .tflite runs on another machine or runtime than the .tflite before it.

    From Keras to LiteRT the runtime always changes: that is the conversion.
    """
    return before.get("scheme") not in _FULL_SCHEMES and bool(_moves(before, after))


def _moves(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return which recorded facts of machine and runtime differ."""
    keys = _PLACE_KEYS + (_MODE_KEYS if _same_file(before, after) else ())
    return [key for key in keys if _differ(before, after, (key,))]


def inputs_differ(before: Predictions, after: Predictions) -> bool:
    """Say whether the models were given other pixels of the same images.

    The hashes of the pixels say so; of the same model file the recorded preprocessing does too.
    """
    if bool((before.input_sha256 != after.input_sha256).any()):
        return True
    return _same_file(before.details, after.details) and _differ(
        before.details, after.details, ("preprocessing",)
    )


def _same_file(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    known = before.get("model_sha256")
    return known is not None and known == after.get("model_sha256")


def _differ(before: Mapping[str, Any], after: Mapping[str, Any], keys: Sequence[str]) -> bool:
    """Say whether a detail that both record differs."""
    return any(key in before and key in after and before[key] != after[key] for key in keys)


def changes(before: Predictions, after: Predictions) -> str:
    """Return what changed, in words: "float32 → int8", "ai-edge-litert 2.3.0 → 2.4.0"."""
    old, new = before.details, after.details
    found = []
    if not _same_file(old, new):
        schemes = old.get("scheme"), new.get("scheme")
        same = schemes[0] == schemes[1] and schemes[0] is not None
        found.append(f"another {schemes[0]} file" if same else _arrow(*schemes))
    if old.get("scheme") not in _FULL_SCHEMES:
        moves = _moves(old, new)
        if "backend" in moves or "backend_version" in moves:
            runtimes = [_joined(details, ("backend", "backend_version")) for details in (old, new)]
            found.append(_arrow(*runtimes))
        found += [
            _arrow(old[key], new[key]) for key in moves if key in ("cpu", "machine", "kernels")
        ]
        if "threads" in moves:
            found.append(f"{_arrow(old['threads'], new['threads'])} threads")
    if inputs_differ(before, after):
        count = int((before.input_sha256 != after.input_sha256).sum())
        found.append(
            f"other pixels of {count:,} images" if count else "another recorded preprocessing"
        )
    return ", ".join(text for text in found if text) or "a second run"


def _joined(details: Mapping[str, Any], keys: Sequence[str]) -> str:
    return " ".join(str(details[key]) for key in keys if key in details)


def _arrow(before: object, after: object) -> str:
    return f"{before} → {after}" if before is not None and after is not None else ""
