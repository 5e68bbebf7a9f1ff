"""Faults of scales and zero points: what contradicts itself in the file, or the training images."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from edge_runtime.doctor.case import Case
from edge_runtime.doctor.corrections import Correction
from edge_runtime.errors import ModelError
from edge_runtime.inference.recalibration import Recalibrated, recalibrate
from edge_runtime.models.quantized import Affine, Group, QuantizedFile, range_of

# The kinds of causes that ranges alone prove.
RANGES = {
    "calibration",
    *map("-".join, product(("input", "inner", "output"), ("scale", "zero-point"))),
}
_IMAGES = slice(0, 60)
# The bias is stored in steps of input scale × weight scale, exact but for float32's rounding.
_SCALE_TOLERANCE = 0.01
# Two calibrations on different training images differ by less than this share of the range.
_OFF = 0.5
# There are white pixels in nearly every image, so that no calibration cuts off any of the input's.
_INPUT_CUT = 0.15
# An input that reaches less far has seen nothing but zeros.
_BLANK = 1e-3


def repairs(case: Case) -> Iterator[tuple[Correction, bool]]:
    """Yield repairs of quantization, those of one tensor first, that of all tensors last.

    Yields:
        A copy with other ranges, and whether the file itself proves that these are right, so that
        its answers need only not get worse.
    """
    if not case.has_integers:
        return
    contradictions = list(stated_wrongly(case.file))
    fit = fit_ranges(case)
    found = [(one, True) for one in contradictions]
    if fit is not None:
        group = None if contradictions or saw_nothing(case.file) else fit.changed_alone(case.file)
        if group is not None:
            affine = fit.fitted.affines[group.tensors[0]]
            at_input = case.file.where_is(group) == "input"
            found.append((tensor_fault(case.file, group, affine), at_input))
        found.append((_calibration(case, fit), False))
    yield from ((one, certain) for one, certain in found if case.runs(one))


@dataclass(frozen=True)
class Fit:
    """The ranges that the file says, held against those that training images need.

    Attributes:
        fitted: the copy with the needed ranges.
        off: the groups whose range is another one, in the order of the computation.
    """

    fitted: Recalibrated
    off: tuple[Group, ...] = ()

    def misses(self, group: Group) -> tuple[float, float]:
        """Return by how much of its needed width a range is off at both ends, and cuts off."""
        low, high = group.range
        needed_low, needed_high = range_of(self.fitted.affines[group.tensors[0]], group.dtype)
        width = max(needed_high - needed_low, 1e-9)
        cut = max(needed_high - high, 0) + max(low - needed_low, 0)
        return (abs(low - needed_low) + abs(high - needed_high)) / width, cut / width

    def is_off(self, file: QuantizedFile, group: Group) -> bool:
        """Return whether a range is another one than other training images would give."""
        if group.fixed is not None:
            return not group.consistent
        off, cut = self.misses(group)
        return off > _OFF or (file.where_is(group) == "input" and cut > _INPUT_CUT)

    def changed_alone(self, file: QuantizedFile) -> Group | None:
        """Return the border's tensor that was changed by itself, if there is one.

        Calibration measures the input, too: one that does not fit where all that follows does, or
        misses by far more, was changed. One bad range inside comes from calibration as well.
        """
        at_input = [group for group in self.off if file.where_is(group) == "input"]
        found = at_input or (self.off if len(self.off) == 1 else ())
        group = next((one for one in found if file.where_is(one) != "inner"), None)
        if group is None or not at_input or len(self.off) == 1:
            return group
        inner = (one for one in file.groups if file.where_is(one) == "inner" and not one.fixed)
        worst = max((self.misses(one)[0] for one in inner), default=0.0)
        return group if worst < self.misses(group)[0] / 2 else None


def fit_ranges(case: Case) -> Fit | None:
    """Return a copy whose ranges fit the images, or None if the runtime refuses it."""
    try:
        fit = Fit(recalibrate(case.file, case.bench, case.inputs(None, _IMAGES)))
    except ModelError:
        return None
    return replace(fit, off=tuple(one for one in case.file.groups if fit.is_off(case.file, one)))


def saw_nothing(file: QuantizedFile) -> bool:
    """Return whether the input's range is empty, as after a calibration on black images.

    Biases do not fit into the steps of such a range, so the converter may round weights to zero.
    """
    return _reach_of_input(file) < _BLANK


def _reach_of_input(file: QuantizedFile) -> float:
    """Return how far from 0 the input's range reaches; 255 where the input has none."""
    at_input = (group for group in file.groups if file.where_is(group) == "input")
    return next((max(map(abs, group.range)) for group in at_input), 255)


def _calibration(case: Case, fit: Fit) -> Correction:
    high = _reach_of_input(case.file)
    guess = "images unlike the training images (noise, for example)"
    if high < _BLANK:
        guess = "blank images, without a single pixel that is not black"
    elif high < 4:
        guess = "images divided by 255, while the model gets pixels 0 to 255"
    elif high < 192:
        guess = "images that do not reach the brightness of the training images"
    many = f"{len(fit.off)} of {len(case.file.groups)}" if fit.off else "the"
    return Correction(
        "calibration",
        f"The model was calibrated on {guess}: {many} ranges of its integers do not fit the "
        "training images",
        "all ranges fitted to training images",
        "Convert the model again, with training images for calibration: fmnist-edge convert "
        f"--quantize {case.record.summary.scheme}",
        data=fit.fitted.data,
    )


def stated_wrongly(file: QuantizedFile) -> Iterator[Correction]:
    """Yield what contradicts itself in the file, with a copy in which it agrees."""
    implied = {
        source.index: float(np.median(np.array(bias.scales) / np.array(weights.scales)))
        for source, weights, bias in file.bias_operators()
    }
    for group in file.groups:
        if not group.consistent:
            yield tensor_fault(file, group, group.fixed or _agreed(file, group, implied))
    for index, scale in implied.items():
        owner = file.group_of(index)
        if owner and owner.consistent and scale > 0 and not _same(owner.affine.scale, scale):
            yield tensor_fault(file, owner, Affine(scale, owner.affine.zero_point))


def _same(scale: float, other: float) -> bool:
    return abs(scale / other - 1) <= _SCALE_TOLERANCE


def _agreed(file: QuantizedFile, group: Group, implied: dict[int, float]) -> Affine:
    """Return what an operator with a bias confirms for tensors that should agree, or the last."""
    stated = {index: file.affine_of(index) for index in group.tensors}
    confirmed = (one for index, one in stated.items() if _same(one.scale, implied.get(index, -1)))
    return next(confirmed, stated[group.tensors[-1]])


def tensor_fault(file: QuantizedFile, group: Group, right: Affine) -> Correction:
    """Return a wrong scale or zero point as a cause, with a copy that has the right one."""
    where = file.where_is(group)
    stated = max(  # of the tensors of a group the one that is furthest from what is right
        map(file.affine_of, group.tensors),
        key=lambda one: (
            not _same(max(one.scale, 1e-30), right.scale), one.zero_point != right.zero_point
        ),
    )  # fmt: skip
    if abs(stated.scale / right.scale - 1) < 0.15 and stated.zero_point != right.zero_point:
        what = "zero-point"
        detail = f"zero point is {stated.zero_point}, and should be {right.zero_point}"
    else:
        what = "scale"
        detail = f"scale is {stated.scale:.4g}, and should be about {right.scale:.4g}"
        if stated.zero_point != right.zero_point:
            detail += f" (zero point {stated.zero_point}, should be {right.zero_point})"
    name = file.graph.tensors[group.tensors[0]].name.partition(";")[0]
    name = f"An inner tensor's ({name or f'tensor {group.tensors[0]}'})"
    name = {"input": "The input's", "output": "The output's"}.get(where, name)
    return Correction(
        f"{where}-{what}",
        f"{name} {detail}",
        f"{where} {what.replace('-', ' ')} repaired",
        "Someone changed the file, or a tool wrote it wrongly. Convert the model again: "
        "fmnist-edge convert. If it comes back, the converter writes this layer wrongly; then take "
        "--quantize float16.",
        data=file.with_affines(dict.fromkeys(group.tensors, right)),
    )
