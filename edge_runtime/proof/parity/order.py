"""Which predictions were made from which: the order of a chain, whatever order files came in."""

from collections.abc import Iterable, Sequence
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
    earlier = range(index - 1, -1, -1)
    same = [at for at in earlier if same_file(predictions[at].details, after.details)]
    at_home = [at for at in same if _place(predictions[at]) == home]
    here = [at for at in same if _place(predictions[at]) == _place(after)]
    # A file that was rebuilt on the device belongs to its like at home.
    rebuilt = [at for at in earlier if _is_rebuilt(predictions[at], after)]
    rebuilt_at_home = [at for at in rebuilt if _place(predictions[at]) == home]
    groups = [here, at_home, same]
    if scheme is not None:
        groups = [here, at_home, rebuilt_at_home, same, rebuilt]
    if scheme not in FLOAT_SCHEMES:
        is_float = [at for at in earlier if predictions[at].details.get("scheme") == "float32"]
        groups += [[at for at in is_float if _place(predictions[at]) == home], is_float]
    for group in groups:
        if group:
            return _nearest(predictions, group, after)
    is_first = scheme is not None and predictions[0].details.get("scheme") in FLOAT_SCHEMES
    return 0 if is_first else index - 1


def _nearest(predictions: Sequence[Predictions], group: Iterable[int], after: Predictions) -> int:
    """Return the first of the group whose machine and runtime are most like those after."""
    return min(group, key=lambda at: len(moves(predictions[at].details, after.details)))


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
