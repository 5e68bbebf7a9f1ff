"""Scales and zero points that contradict each other, or what the specification demands."""

from collections.abc import Iterator

import numpy as np

from edge_runtime.doctor.calibration import range_of
from edge_runtime.doctor.case import as_fed
from edge_runtime.doctor.correction import Correction
from edge_runtime.doctor.surgery import Affine, Group, QuantizedFile

# The bias is stored in steps of input scale × weight scale, exact but for float32's rounding.
_SCALE_TOLERANCE = 0.01


def stated_wrongly(file: QuantizedFile) -> Iterator[tuple[Correction, dict[int, Affine]]]:
    """Yield what contradicts itself in the file, with the number that would agree."""
    for group in file.groups:
        if not group.consistent:
            affine = group.fixed or _agreed(file, group)
            yield tensor_fault(file, group, affine), dict.fromkeys(group.tensors, affine)
    for _, source, weights, bias in file.bias_operators():
        implied = float(np.median(np.array(bias.scales) / np.array(weights.scales)))
        owner = file.group_of(source.index)
        if owner is None or not owner.consistent or implied <= 0:
            continue
        if abs(source.scales[0] / implied - 1) > _SCALE_TOLERANCE:
            affine = Affine(implied, owner.affine.zero_point)
            yield tensor_fault(file, owner, affine), dict.fromkeys(owner.tensors, affine)
    yield from _border_conversions(file)
    yield from _input_off_the_pixels(file)


def _border_conversions(
    file: QuantizedFile,
) -> Iterator[tuple[Correction, dict[int, Affine]]]:
    """Yield conversions between int8 and uint8 at the border that do more than shift by 128."""
    graph = file.graph
    for operator in graph.operators:
        if operator.code.name != "QUANTIZE":
            continue
        source, result = operator.inputs[0], operator.outputs[0]
        groups = file.group_of(source), file.group_of(result)
        if groups[0] is None or groups[1] is None or groups[1].fixed is not None:
            continue
        at_input = source in graph.inputs
        outer, inner = groups if at_input else groups[::-1]
        if outer is None or inner is None or {outer.dtype, inner.dtype} != {"int8", "uint8"}:
            continue
        shift = 128 if outer.dtype == "uint8" else -128
        right = Affine(inner.affine.scale, inner.affine.zero_point + shift)
        same_scale = abs(outer.affine.scale / right.scale - 1) <= _SCALE_TOLERANCE
        if not (same_scale and outer.affine.zero_point == right.zero_point):
            yield tensor_fault(file, outer, right), dict.fromkeys(outer.tensors, right)


def _agreed(file: QuantizedFile, group: Group) -> Affine:
    """Return what an operator with a bias confirms for tensors that should agree, or the last."""
    for _, source, weights, bias in file.bias_operators():
        implied = float(np.median(np.array(bias.scales) / np.array(weights.scales)))
        if source.index in group.tensors and abs(source.scales[0] / implied - 1) < _SCALE_TOLERANCE:
            return Affine(source.scales[0], source.zero_points[0])
    last = file.graph.tensors[group.tensors[-1]]
    return Affine(last.scales[0], last.zero_points[0])


def _input_off_the_pixels(
    file: QuantizedFile,
) -> Iterator[tuple[Correction, dict[int, Affine]]]:
    """Yield an input that is as wide as the pixels 0 to 255, and does not lie over them."""
    group = file.group_of(file.graph.inputs[0]) or next(iter(file.groups), None)
    if group is None or group.dtype == "int16":
        return
    low, high = range_of(group.affine, group.dtype)
    if abs((high - low) / 255 - 1) < 0.02 and abs(low) > 1.5 * group.affine.scale:
        affine = Affine(group.affine.scale, int(np.iinfo(group.dtype).min))
        yield tensor_fault(file, group, affine), dict.fromkeys(group.tensors, affine)


def tensor_fault(file: QuantizedFile, group: Group, right: Affine) -> Correction:
    """Return a wrong scale or zero point as a cause."""
    where, stated = where_is(file, group), _stated(file, group, right)
    same_scale = abs(stated.scale / right.scale - 1) < 0.15
    if same_scale and stated.zero_point != right.zero_point:
        what = "zero-point"
        detail = f"zero point is {stated.zero_point}, and should be {right.zero_point}"
    else:
        what = "scale"
        detail = f"scale is {stated.scale:.4g}, and should be about {right.scale:.4g}"
        if stated.zero_point != right.zero_point:
            detail += f" (zero point {stated.zero_point}, should be {right.zero_point})"
    name = {"input": "The input's", "output": "The output's"}.get(
        where, f"An inner tensor's ({_name(file, group)})"
    )
    return Correction(
        f"{where}-{what}",
        f"{name} {detail}",
        f"{where} {what.replace('-', ' ')} repaired",
        "Someone changed the file, or a tool wrote it wrongly. Convert the model again: "
        "fmnist-edge convert. If it comes back, the converter writes this layer wrongly; then take "
        "--quantize float16.",
        as_fed,
        tone=False,
    )


def _stated(file: QuantizedFile, group: Group, right: Affine) -> Affine:
    """Return what the file says of the tensor of a group that is furthest from what is right."""
    tensors = (file.graph.tensors[index] for index in group.tensors)
    stated = [Affine(tensor.scales[0], tensor.zero_points[0]) for tensor in tensors]
    return max(
        stated,
        key=lambda one: (
            abs(np.log(max(one.scale, 1e-30) / right.scale)) > _SCALE_TOLERANCE,
            one.zero_point != right.zero_point,
        ),
    )


def where_is(file: QuantizedFile, group: Group) -> str:
    """Return "input", "output" or "inner"; a conversion at the border belongs to the border."""
    graph = file.graph
    producers = graph.producers()
    inputs, outputs = set(graph.inputs), set(graph.outputs)
    for index in group.tensors:
        maker = producers.get(index)
        if maker and maker.code.name == "QUANTIZE" and maker.inputs[0] in graph.inputs:
            inputs.add(index)
    for operator in graph.operators:
        if operator.code.name in ("QUANTIZE", "DEQUANTIZE") and operator.outputs[0] in outputs:
            outputs.add(operator.inputs[0])
    if inputs & set(group.tensors):
        return "input"
    return "output" if outputs & set(group.tensors) else "inner"


def _name(file: QuantizedFile, group: Group) -> str:
    name = file.graph.tensors[group.tensors[0]].name
    return name.partition(";")[0] or f"tensor {group.tensors[0]}"
