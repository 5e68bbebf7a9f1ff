"""Try the corrections, and say which explain the answers: by the full model's, or by labels."""

from collections.abc import Sequence

import numpy as np

from edge_runtime.doctor.case import ALL, Case
from edge_runtime.doctor.corrections import Correction
from edge_runtime.doctor.judging import (
    LEAST_ERROR_CUT,
    SLIGHT_ERROR_CUT,
    Score,
    calms,
    can_be_restored,
    distances,
    explanations,
    is_drowned,
    is_worse,
    loses_more,
    restores,
    score,
)
from edge_runtime.doctor.labels import relabellings
from edge_runtime.doctor.ranges import repairs
from edge_runtime.inference.recalibration import Floats

# Enough to tell a hopeless correction from one worth all images.
_SCREENED = slice(0, 120)
# A screened correction goes on if it is at most so much less accurate than the model as it is.
_SCREEN_SLACK = 0.03
# Corrections that are counted at least, whatever their number.
_LEAST_TRIES = 100


# A correction with what it achieves on all images.
Found = tuple[Correction, Score]


def explained(
    case: Case, goal: Floats, corrections: Sequence[Correction], limit: float
) -> list[Correction]:
    """Return the corrections after which the model answers as the full model does.

    Args:
        case: the model, with the images that the full model's answers are about.
        goal: (N, K) the full model's answers.
        corrections: what may be wrong with the pixels.
        limit: the mean distance that rounding explains.
    """
    half = slice(0, len(goal) // 2)
    simple = [
        *filter(case.can_hold, corrections),
        *relabellings(case.outputs(None, half), goal[half]),
        *(one for one, _ in repairs(case)),
    ]
    found = _explained(case, goal, simple, limit)
    return found or _explained(case, goal, _fitted(case, corrections), limit)


def _explained(
    case: Case, goal: Floats, tried: Sequence[Correction], limit: float
) -> list[Correction]:
    before = case.distances(None, goal)
    far = [lambda part, one=one: case.distances(one, goal, part) for one in tried]
    found = explanations(before, far, limit=limit, earlier=len(case.attempts))
    for index, one in enumerate(tried):
        part = ALL if index in found else _SCREENED
        outputs = case.outputs(one, part)
        distance = float(distances(case.read(outputs), goal[part]).mean())
        case.note(one, score(outputs, case.labels[part]), index in found, distance)
    return [tried[index] for index in found]


def _fitted(case: Case, corrections: Sequence[Correction]) -> list[Correction]:
    """Return the corrections of brightness on copies whose ranges were fitted to them."""
    tones = [one for one in corrections if one.tone and case.has_integers]
    return [copy for one in tones if (copy := case.with_fitted_ranges(one))]


def restored(case: Case, before: Score, corrections: Sequence[Correction]) -> list[Found]:
    """Return the correction that helps most, judged by labels, and what helps as much.

    Args:
        case: the model.
        before: how it answers as it is.
        corrections: what may be wrong with the pixels.
    """
    found = _fed(case, before, list(filter(case.can_hold, corrections)))
    found += _relabelled(case, before)
    certain = []
    for one, is_certain in repairs(case):
        after = case.score(one)
        proved = _proves(case, before, after, one)
        case.note(one, after, proved)
        if proved:
            found.append((one, after))
        elif is_certain and not is_worse(after, before):
            certain.append((one, after))
    best = _best(found)
    if can_be_restored(before) and (not best or best[0][0].tone):
        alone = [after for one, after in certain if one.kind == "calibration"]
        start = max([before, *alone], key=lambda one: one.count)
        found += _fed(case, start, _fitted(case, corrections))
    return _best(found or certain)


def _fed(case: Case, before: Score, tried: Sequence[Correction]) -> list[Found]:
    """Return what is proved; a hopeless correction is given up early."""
    floor = max(before.part(_SCREENED).accuracy - _SCREEN_SLACK, case.chance)
    found = []
    for one in tried:
        after = case.score(one, _SCREENED)
        proved = False
        if after.accuracy > floor:
            after = case.score(one)
            proved = _proves(case, before, after, one) and not is_drowned(before, after)
        case.note(one, after, proved)
        if proved:
            found.append((one, after))
    return found


def _relabelled(case: Case, before: Score) -> list[Found]:
    """Return proved permutations, found on the first half of the images, judged on the second."""
    half = len(case.labels) // 2
    first, second = slice(0, half), slice(half, None)
    goal = np.eye(before.outputs.shape[1], dtype=np.float32)[case.labels[first]]
    found = []
    for one in relabellings(before.outputs[first], goal):
        after = case.score(one)
        proved = _proves(case, before.part(second), after.part(second), one)
        case.note(one, after, proved)
        if proved:
            found.append((one, after))
    return found


def _proves(case: Case, before: Score, after: Score, one: Correction) -> bool:
    tries = max(_LEAST_TRIES, 2 * len(case.attempts))
    cut = SLIGHT_ERROR_CUT if one.slight else LEAST_ERROR_CUT
    return restores(before, after, tries=tries, chance=case.chance, error_cut=cut) or calms(
        before, after, chance=case.chance
    )


def _best(found: Sequence[Found]) -> list[Found]:
    """Return the first of the most accurate with the least log loss, and a rival to it.

    That is another large change of brightness: a network with few biases answers alike at any.
    """
    if not found:
        return []
    top = max((after for _, after in found), key=lambda one: one.count)
    good = [one for one in found if not is_worse(one[1], top)]
    calmest = min((after for _, after in good), key=lambda one: float(one.loss.mean()))
    first, *others = (one for one in good if not loses_more(one[1], calmest))
    rivals = [
        other
        for other in others
        if first[0].tone
        and other[0].tone
        and not other[0].slight
        and other[0].kind != first[0].kind
    ]
    return [first, *rivals[:1]]
