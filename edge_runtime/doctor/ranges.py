"""Faults of scales and zero points: of one tensor that was changed, or of all, badly calibrated."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from edge_runtime.doctor.calibration import Recalibrated, range_of, recalibrate
from edge_runtime.doctor.case import Case, as_fed
from edge_runtime.doctor.contradictions import stated_wrongly, tensor_fault, where_is
from edge_runtime.doctor.correction import Correction
from edge_runtime.doctor.evidence import Score, is_worse, loses_more
from edge_runtime.doctor.subject import Trial
from edge_runtime.doctor.surgery import Affine, Group, QuantizedFile
from edge_runtime.errors import ModelError

Proves = Callable[[Score, Score], bool]

_CALIBRATION_IMAGES = 60
# Two calibrations on different training images differ by less than this share of the range.
_OFF = 0.5
# Calibration on as few as ten training images cuts off up to 0.3 of a range, and nothing of the
# input's, for there are white pixels in nearly every image.
_CUT = 0.45
_INPUT_CUT = 0.15
# Ranges four times too wide leave two of the eight bits unused.
_WIDE = 4.0
# An input that reaches less far has seen nothing but zeros.
_BLANK = 1e-3
_RECONVERT = (
    "Convert the model again, with training images for calibration: fmnist-edge convert "
    "--quantize {scheme}"
)


@dataclass(frozen=True, eq=False)
class Repair:
    """A changed copy of the file, and what it achieves.

    Attributes:
        correction: the cause.
        trial: the copy.
        score: of the copy.
        proved: whether its answers prove the cause.
        certain: whether the file itself proves it, and the answers do not get worse.
    """

    correction: Correction
    trial: Trial
    score: Score
    proved: bool
    certain: bool = False


@dataclass(frozen=True)
class Fitted:
    """The ranges that the file says, held against those that training images need.

    Attributes:
        fitted: the copy with the needed ranges.
        off: the groups whose range is another one, in the order of the computation.
    """

    fitted: Recalibrated
    off: tuple[Group, ...]


def repairs(case: Case, before: Score, proves: Proves) -> Iterator[Repair]:
    """Yield repairs of quantization, those of one tensor first, that of all tensors last.

    Args:
        case: the model must have integer activations.
        before: the model as it is.
        proves: whether a score proves a correction.
    """
    file = case.file
    if file is None:
        return
    contradicted = False
    for correction, affines in stated_wrongly(file):
        repair = _try(case, before, proves, correction, affines, certain=True)
        if repair:
            contradicted = contradicted or repair.proved or repair.certain
            yield repair
    fit = fit_ranges(case)
    if fit is None:
        return
    correction = _calibration(case, file, fit)
    certain = not contradicted and _cannot_have_seen(file, fit)
    whole = _try(case, before, proves, correction, fit.fitted.affines, certain=certain)
    if whole is None:
        return
    alone = False
    if not contradicted and not saw_nothing(file):
        for repair in _single(case, file, before, proves, fit, whole):
            alone = len(fit.off) == 1  # then nothing speaks for a bad calibration
            yield repair
    yield replace(whole, certain=whole.certain and not alone)


def saw_nothing(file: QuantizedFile) -> bool:
    """Return whether the input's range is empty, as after a calibration on black images.

    Biases do not fit into the steps of such a range, so the converter may round weights to zero.
    """
    group = next((one for one in file.groups if where_is(file, one) == "input"), None)
    return group is not None and _reach(group) < _BLANK


def _reach(group: Group) -> float:
    return max(map(abs, range_of(group.affine, group.dtype)))


def _cannot_have_seen(file: QuantizedFile, fit: Fitted) -> bool:
    """Return whether the ranges show by themselves that other images were used for calibration.

    Only those that do not fit count: what is said of them is how many they are.
    """
    wide = free = 0
    for group in file.groups:
        if group.fixed is not None:
            continue
        cut = _share_cut(group, fit.fitted)
        if group in fit.off and cut > (_INPUT_CUT if where_is(file, group) == "input" else _CUT):
            return True
        low, high = range_of(group.affine, group.dtype)
        needed_low, needed_high = range_of(fit.fitted.affines[group.tensors[0]], group.dtype)
        free += 1
        wide += group in fit.off and high - low > _WIDE * max(needed_high - needed_low, 1e-9)
    return wide >= 2 and wide >= free / 2


def fit_ranges(case: Case) -> Fitted | None:
    """Return a copy whose ranges fit the images, or None if the runtime refuses it."""
    if case.file is None:
        return None
    images = case.inputs(as_fed, _CALIBRATION_IMAGES)
    try:
        fitted = recalibrate(case.file, case.bench, images)
    except ModelError:
        return None
    off = tuple(group for group in case.file.groups if _is_off(case.file, group, fitted))
    return Fitted(fitted, off)


def _is_off(file: QuantizedFile, group: Group, fitted: Recalibrated) -> bool:
    if group.fixed is not None:
        return not group.consistent
    return _share_off(group, fitted) > _OFF or (
        where_is(file, group) == "input" and _share_cut(group, fitted) > _INPUT_CUT
    )


def _share_off(group: Group, fitted: Recalibrated) -> float:
    """Return by how much of its width a range misses the one that is needed, at both ends."""
    low, high = range_of(group.affine, group.dtype)
    needed_low, needed_high = range_of(fitted.affines[group.tensors[0]], group.dtype)
    width = max(needed_high - needed_low, 1e-9)
    return (abs(low - needed_low) + abs(high - needed_high)) / width


def _share_cut(group: Group, fitted: Recalibrated) -> float:
    """Return how much of the range that is needed, in its width, lies outside."""
    low, high = range_of(group.affine, group.dtype)
    needed_low, needed_high = range_of(fitted.affines[group.tensors[0]], group.dtype)
    width = max(needed_high - needed_low, 1e-9)
    return (max(needed_high - high, 0) + max(low - needed_low, 0)) / width


def _try(
    case: Case,
    before: Score,
    proves: Proves,
    correction: Correction,
    affines: Mapping[int, Affine],
    *,
    certain: bool = False,
) -> Repair | None:
    if case.file is None:
        return None
    trial = case.trial(case.file.with_affines(affines))
    if trial is None:
        return None
    after = case.score(trial)
    spoils = is_worse(after, before)
    return Repair(correction, trial, after, proves(before, after), certain and not spoils)


def _single(
    case: Case,
    file: QuantizedFile,
    before: Score,
    proves: Proves,
    fit: Fitted,
    whole: Repair,
) -> Iterator[Repair]:
    """Yield the repair of a single tensor, if only one has a range that does not fit.

    An input that is wide where all that follows fits was changed by itself: calibration measures
    the input, too. So was one whose repair does as well as that of all ranges.
    """
    at_input = [group for group in fit.off if where_is(file, group) == "input"]
    group = at_input[0] if at_input else fit.off[0] if len(fit.off) == 1 else None
    if group is None:
        return
    where = where_is(file, group)
    if where == "inner" or not (whole.proved or where == "input"):
        return  # one bad range inside comes from calibration, too
    if len(fit.off) == 1 and where == "input" and not _stands_out(file, group, fit.fitted):
        return
    affine = fit.fitted.affines[group.tensors[0]]
    correction = tensor_fault(file, group, affine)
    changes = dict.fromkeys(group.tensors, affine)
    repair = _try(case, before, proves, correction, changes, certain=where == "input")
    if repair is None:
        return
    enough = not is_worse(repair.score, whole.score) and not loses_more(repair.score, whole.score)
    if len(fit.off) == 1 or (whole.proved and enough):
        yield repair


def _stands_out(file: QuantizedFile, group: Group, fitted: Recalibrated) -> bool:
    """Return whether an input's range misses by far more than any range behind it."""
    others = (one for one in file.groups if one.fixed is None and where_is(file, one) == "inner")
    worst = max((_share_off(one, fitted) for one in others), default=0.0)
    own = _share_off(group, fitted)
    return own > _OFF or worst < own / 2


def _calibration(case: Case, file: QuantizedFile, fit: Fitted) -> Correction:
    group = next((one for one in file.groups if where_is(file, one) == "input"), None)
    guess = "images unlike the training images (noise, for example)"
    if group is not None:
        high = _reach(group)
        if high < _BLANK:
            guess = "blank images, without a single pixel that is not black"
        elif high < 4:
            guess = "images divided by 255, while the model gets pixels 0 to 255"
        elif high < 192:
            guess = "images that do not reach the brightness of the training images"
    mend = _RECONVERT.format(scheme=case.summary.scheme)
    return Correction(
        "calibration",
        f"The model was calibrated on {guess}: {len(fit.off)} of {len(file.groups)} ranges of its "
        "integers do not fit the training images",
        "all ranges fitted to training images",
        mend,
        as_fed,
        tone=False,
    )
