"""What the graph itself does to the pixels, where multiplications and additions in front say so."""

from collections.abc import Iterator, Sequence

import numpy as np

from edge_runtime.doctor.correction import Correction
from edge_runtime.doctor.evidence import LEAST_ERROR_CUT, SHIFT_ERROR_CUT, SLIGHT_ERROR_CUT
from edge_runtime.doctor.subject import Floats
from edge_runtime.doctor.surgery import QuantizedFile

# What networks are usually trained on.
_USUAL = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (-0.5, 0.5))
_TOLERANCE = 0.02  # of the width; int8 constants are rounded
_ENDS: Floats = np.array([0, 255], np.float32).reshape(2, 1, 1, 1)
# Contrasts, of the given one, at which a half-trained network may do better than at its own.
_SLIGHTLY = (1 / 8, 8)
_PASSES = ("QUANTIZE", "DEQUANTIZE", "RESHAPE", "TRANSPOSE", "REVERSE_V2", "CAST")


def scaling_in_front(file: QuantizedFile) -> tuple[float, float] | None:
    """Return factor and offset that the graph applies to its input before anything else.

    Returns:
        None where there is none, where each channel has its own, or where it was folded into
        weights.
    """
    graph = file.graph
    reached, factor, offset, found = graph.inputs[0], 1.0, 0.0, False
    for operator in graph.operators:
        if reached not in operator.inputs:
            continue
        name = operator.code.name
        if name in ("MUL", "ADD", "SUB"):
            others = [index for index in operator.inputs if index != reached]
            number = file.constant(others[0]) if len(others) == 1 else None
            if number is None or (name == "SUB" and operator.inputs[0] != reached):
                return None
            if name == "MUL":
                factor, offset = factor * number, offset * number
            else:
                offset += number if name == "ADD" else -number
            found = True
        elif name not in _PASSES:
            break
        reached = operator.outputs[0]
    return (factor, offset) if found and factor != 0 else None


def off_usual(scaling: tuple[float, float], correction: Correction | None = None) -> float:
    """Return how far black and white, corrected, end from the nearest usual range, in its width."""
    ends = _ENDS if correction is None else correction.apply(_ENDS)
    low, high = (scaling[0] * float(end) + scaling[1] for end in ends.reshape(2, -1).mean(axis=1))
    return min(
        max(abs(low - usual[0]), abs(high - usual[1])) / (usual[1] - usual[0]) for usual in _USUAL
    )


def is_usual(scaling: tuple[float, float], correction: Correction | None = None) -> bool:
    """Return whether black and white, corrected, come to a range that networks are trained on."""
    return off_usual(scaling, correction) <= _TOLERANCE


def error_cut(correction: Correction, scaling: tuple[float, float] | None) -> float:
    """Return which share of the wrong answers a correction must mend to be believed.

    A half-trained model may gain from a slight change of brightness without a fault: one whose
    batch norms have not settled answers better at another contrast. What the graph says by itself
    is no luck: an unusual range that becomes a usual one.
    """
    if not correction.tone:
        return LEAST_ERROR_CUT
    if scaling is not None and not is_usual(scaling) and is_usual(scaling, correction):
        return LEAST_ERROR_CUT
    low, high = correction.apply(_ENDS).reshape(2, -1).mean(axis=1)
    if not _SLIGHTLY[0] <= (high - low) / 255 <= _SLIGHTLY[1]:
        return LEAST_ERROR_CUT
    return SHIFT_ERROR_CUT if correction.kind == "input-zero-point" else SLIGHT_ERROR_CUT


def undo_scaling(scaling: tuple[float, float], known: Sequence[Correction]) -> Iterator[Correction]:
    """Yield what makes a range usual that no known correction makes usual.

    Only a plain factor is undone: any offset could be made usual, and would mean nothing.
    """
    if is_usual(scaling) or any(is_usual(scaling, one) for one in known if one.tone):
        return
    factor, offset = scaling
    low, high = sorted((offset, 255 * factor + offset))
    for usual in _USUAL:
        gain = (usual[1] - usual[0]) / (255 * factor)
        if gain <= 0 or abs(usual[0] - offset) > _TOLERANCE:
            continue
        yield Correction(
            "input-scale",
            f"The model scales its pixels to {low:.4g} to {high:.4g} before the first layer; "
            f"{usual[0]:g} to {usual[1]:g} restores it: they are multiplied by {1 / gain:.3g} once "
            "too often",
            f"pixels × {gain:.3g}",
            "Remove the extra scaling from the Keras model (or correct its factor), then convert "
            "it again with: fmnist-edge convert",
            lambda images, gain=gain: images * np.float32(gain),  # type: ignore[misc]
        )
