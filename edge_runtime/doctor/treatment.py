"""Try the corrections, and say which explain the answers: by the full model's, or by labels."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from edge_runtime.doctor.case import ALL, Case
from edge_runtime.doctor.corrections import Correction
from edge_runtime.doctor.judging import Score, distances, explanations, is_worse, restores, score
from edge_runtime.doctor.labels import relabellings
from edge_runtime.doctor.ranges import repairs
from edge_runtime.inference.recalibration import Floats

# Enough to tell a hopeless correction from one worth all images.
_SCREENED = slice(0, 120)

Found = tuple[Correction, Score]  # with what it achieves on all images
Tried = tuple[Correction, Score, bool]  # and whether that proves it


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
        *corrections,
        *relabellings(case.outputs(None, half), goal[half]),
        *(one for one, _ in repairs(case)),
    ]
    found = _explained(case, goal, simple, limit)
    return found or _explained(case, goal, _fitted(case, corrections), limit)


def _explained(
    case: Case, goal: Floats, tried: Sequence[Correction], limit: float
) -> list[Correction]:
    far = [lambda part, one=one: case.distances(one, goal, part) for one in tried]
    found = explanations(case.distances(None, goal), far, limit=limit)
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
    found = _proved(case, _fed(case, before, corrections))
    found += _proved(case, _relabelled(case, before))
    certain = []
    for one, is_certain in repairs(case):
        after = case.score(one)
        repaired = _proved(case, [(one, after, restores(before, after, is_repair=True))])
        found += repaired
        if is_certain and not repaired and not is_worse(after, before):
            certain.append((one, after))
    best = _best(found)
    if not best or best[0][0].tone:
        found += _proved(case, _fed(case, before, _fitted(case, corrections)))
    return _best(found or certain)


def _proved(case: Case, tried: Iterable[Tried]) -> list[Found]:
    """Note what was tried, and return what is proved."""
    found = []
    for one, after, proved in tried:
        case.note(one, after, proved)
        if proved:
            found.append((one, after))
    return found


def _fed(case: Case, before: Score, tried: Sequence[Correction]) -> Iterator[Tried]:
    """Feed corrected images; a correction that helps nothing on the first is given up there."""
    for one in tried:
        after = case.score(one, _SCREENED)
        if after.mean_loss < before.part(_SCREENED).mean_loss:
            after = case.score(one)
            yield one, after, restores(before, after)
        else:
            yield one, after, False


def _relabelled(case: Case, before: Score) -> Iterator[Tried]:
    """Try permutations, found on the first half of the images and judged on the second."""
    half = len(case.labels) // 2
    first, second = slice(0, half), slice(half, None)
    goal = np.eye(before.outputs.shape[1], dtype=np.float32)[case.labels[first]]
    for one in relabellings(before.outputs[first], goal):
        after = case.score(one)
        yield one, after, restores(before.part(second), after.part(second))


def _best(found: Sequence[Found]) -> list[Found]:
    """Return the first of those with the least log loss, and a rival to it.

    That is another change of brightness: a network with few biases answers alike at any.
    """
    best = min((after for _, after in found), key=lambda one: one.mean_loss, default=None)
    if best is None:
        return []
    first, *others = (one for one in found if not is_worse(one[1], best))
    rivals = (one for one in others if first[0].tone and one[0].tone)
    return [first, *[one for one in rivals if one[0].kind != first[0].kind][:1]]
