"""Which predictions were made from which: the order of a chain, whatever order files came in."""

from collections.abc import Sequence
from typing import Any

from edge_runtime.data.predictions import Predictions
from edge_runtime.proof.parity.steps import FLOAT_SCHEMES, differ, moves, same_file

_Place = tuple[Any, Any]


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
