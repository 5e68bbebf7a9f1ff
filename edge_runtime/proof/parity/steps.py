"""From the full model to the one on the device: in which order, and by which steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from edge_runtime.data.predictions import Predictions
from edge_runtime.proof.metrics import PairedCounts
from edge_runtime.proof.parity.movement import Movement, runtime_of

StepKind = Literal["conversion", "quantization", "runtime", "preprocessing"]

# What each step is called where people read of it.
STEP_NAMES: dict[StepKind, str] = {
    "conversion": "conversion",
    "quantization": "quantization",
    "runtime": "runtime or CPU",
    "preprocessing": "preprocessing",
}

_FULL_SCHEMES = ("keras", None)
FLOAT_SCHEMES = ("keras", "float32", None)
_PLACE_KEYS = ("backend", "backend_version", "cpu", "machine")
# What `changes` returns when it cannot know.
NOT_RECORDED = "not recorded"
# Which kernels run follows from the file, so these say something of the same file only.
_MODE_KEYS = ("kernels", "threads")

_Place = tuple[Any, Any]


@dataclass(frozen=True)
class Step:
    """What lies between two predictions of the same images.

    Attributes:
        kinds: what changed; usually one.
        before: index of the predictions that it starts from; 0 is the reference.
        after: index of those that it leads to.
        changed: what changed, in words, as in "float32 → int8".
        counts: the answers after it against those before it.
        movement: where both are of the same file and the same pixels, how its probabilities moved.
    """

    kinds: tuple[StepKind, ...]
    before: int
    after: int
    before_model: str
    after_model: str
    changed: str
    counts: PairedCounts
    movement: Movement | None = None

    @property
    def name(self) -> str:
        """What changed: "quantization", or "conversion and quantization" if both did."""
        return joined_names(self.kinds)


def joined_names(kinds: Sequence[StepKind]) -> str:
    """Return what steps that were taken at once are called: "a", "a and b", "a, b and c"."""
    *rest, last = (STEP_NAMES[kind] for kind in kinds)
    return f"{', '.join(rest)} and {last}" if rest else last


def step_kinds(before: Predictions, after: Predictions) -> tuple[StepKind, ...]:
    """Return what changed from one model's predictions to another's."""
    kinds: list[StepKind] = []
    if not same_file(before.details, after.details):
        kinds += _model_changes(before.details, after.details)
    if inputs_differ(before, after):
        kinds.append("preprocessing")
    if not kinds or _moved(before.details, after.details):
        kinds.append("runtime")
    return tuple(kind for kind in get_args(StepKind) if kind in kinds)


def _model_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[StepKind]:
    old, new = before.get("scheme"), after.get("scheme")
    if new is None and old != "keras":
        return []
    kinds: list[StepKind] = []
    if old in _FULL_SCHEMES and new not in _FULL_SCHEMES:
        kinds.append("conversion")
    if new not in FLOAT_SCHEMES:
        kinds.append("quantization")
    return kinds or ["conversion"]


def _moved(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Say whether a .tflite runs on another machine or runtime than the .tflite before it.

    From Keras to LiteRT the runtime always changes: that is the conversion. But a quantized model
    that only a device of another kind has run may have been harmed by either.
    """
    if before.get("scheme") in _FULL_SCHEMES:
        return after.get("scheme") not in FLOAT_SCHEMES and differ(before, after, ("machine",))
    return bool(moves(before, after))


def moves(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return which recorded facts of machine and runtime differ."""
    keys = _PLACE_KEYS + (_MODE_KEYS if same_file(before, after) else ())
    return [key for key in keys if differ(before, after, (key,))]


def inputs_differ(before: Predictions, after: Predictions) -> bool:
    """Say whether the models were given other pixels of the same images.

    The hashes of the pixels say so; of the same model file the recorded preprocessing does too.
    """
    if bool((before.input_sha256 != after.input_sha256).any()):
        return True
    return same_file(before.details, after.details) and differ(
        before.details, after.details, ("preprocessing",)
    )


def same_file(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Say whether both name the same model file, by its hash."""
    known = before.get("model_sha256")
    return known is not None and known == after.get("model_sha256")


def differ(before: Mapping[str, Any], after: Mapping[str, Any], keys: Sequence[str]) -> bool:
    """Say whether a detail that both record differs."""
    return any(key in before and key in after and before[key] != after[key] for key in keys)


def changes(before: Predictions, after: Predictions) -> str:
    """Return what changed, in words: "float32 → int8", "ai-edge-litert 2.3.0 → 2.4.0"."""
    old, new = before.details, after.details
    found = []
    if not same_file(old, new):
        schemes = old.get("scheme"), new.get("scheme")
        same = schemes[0] == schemes[1] and schemes[0] is not None
        found.append(f"another {schemes[0]} file" if same else _arrow(*schemes))
    if old.get("scheme") not in _FULL_SCHEMES or same_file(old, new):
        moved = moves(old, new)
        if "backend" in moved or "backend_version" in moved:
            found.append(_arrow(runtime_of(old), runtime_of(new)))
        found += [
            _arrow(old[key], new[key]) for key in moved if key in ("cpu", "machine", "kernels")
        ]
        if "threads" in moved:
            found.append(f"{_arrow(old['threads'], new['threads'])} threads")
    elif _moved(old, new):
        found.append(_arrow(old["machine"], new["machine"]))
    if inputs_differ(before, after):
        count = int((before.input_sha256 != after.input_sha256).sum())
        found.append(
            f"other pixels of {count:,} images" if count else "another recorded preprocessing"
        )
    if not any(found) and not same_file(old, new):
        return NOT_RECORDED
    unknown = "a second run" if "machine" in new else "a run on a machine that is not recorded"
    return ", ".join(text for text in found if text) or unknown


def _arrow(before: object, after: object) -> str:
    return f"{before} → {after}" if before is not None and after is not None else ""


def in_order(predictions: Sequence[Predictions]) -> list[Predictions]:
    """Return the reference, float models, quantized ones, each first where the chain is at home.

    What another machine said comes after what was said of the same kind at home, so that a device
    is held to its host in whatever order the files are named. Of like ones the order stays; where
    one of them does not say what it is, all stay as they are.
    """
    reference, *candidates = predictions
    if any(item.details.get("scheme") is None for item in candidates):
        return list(predictions)
    home = _home(predictions)

    def rank(item: Predictions) -> tuple[bool, bool]:
        return item.details.get("scheme") not in FLOAT_SCHEMES, _place(item) != home

    return [reference, *sorted(candidates, key=rank)]


def predecessors(predictions: Sequence[Predictions]) -> list[int]:
    """Return for each but the first the index of the predictions that it was made from.

    Keras → float32 → quantized → the same file on the device; several quantized models have the
    same float32 model before them, and several devices the same file at home. The same file has
    the same SHA-256. Where the details do not say, the one that was given before is taken.
    """
    return [_predecessor(predictions, index) for index in range(1, len(predictions))]


def _predecessor(predictions: Sequence[Predictions], index: int) -> int:
    after = predictions[index]
    scheme = after.details.get("scheme")
    home = _home(predictions)

    def at_place(group: list[int], place: _Place) -> list[int]:
        return [at for at in group if _place(predictions[at]) == place]

    earlier = range(index - 1, -1, -1)
    same = [at for at in earlier if same_file(predictions[at].details, after.details)]
    # A file that was rebuilt on the device belongs to its like at home.
    rebuilt = [at for at in earlier if scheme is not None and _is_rebuilt(predictions[at], after)]
    floats = [at for at in earlier if predictions[at].details.get("scheme") == "float32"]
    groups = [at_place(same, _place(after)), at_place(same, home), at_place(rebuilt, home)]
    groups += [same, rebuilt]
    if scheme not in FLOAT_SCHEMES:
        groups += [at_place(floats, home), floats]
    for group in filter(None, groups):
        # The one whose machine and runtime are most like those after.
        return min(group, key=lambda at: len(moves(predictions[at].details, after.details)))
    is_first = scheme is not None and predictions[0].details.get("scheme") in FLOAT_SCHEMES
    return 0 if is_first else index - 1


def _is_rebuilt(before: Predictions, after: Predictions) -> bool:
    return before.details.get("scheme") == after.details.get("scheme") and differ(
        before.details, after.details, ("machine", "cpu")
    )


def _home(predictions: Sequence[Predictions]) -> _Place:
    """Return where the float .tflite ran, or else the reference: not on a device, we may hope."""
    floats = [item for item in predictions[1:] if item.details.get("scheme") == "float32"]
    return _place(floats[0] if floats else predictions[0])


def _place(predictions: Predictions) -> _Place:
    return predictions.details.get("machine"), predictions.details.get("cpu")
