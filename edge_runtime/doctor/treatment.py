"""Try the corrections, one, then one with repaired ranges, then two, and choose the best."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge_runtime.doctor.case import Case, as_fed, shifts_its_input
from edge_runtime.doctor.correction import Apply, Correction, both
from edge_runtime.doctor.corrections import UNDOING
from edge_runtime.doctor.evidence import (
    Score,
    can_be_restored,
    is_worse,
    loses_more,
)
from edge_runtime.doctor.findings import Attempt
from edge_runtime.doctor.head import error_cut, is_usual, off_usual, scaling_in_front, undo_scaling
from edge_runtime.doctor.labels import Relabelling, relabellings
from edge_runtime.doctor.ranges import repairs
from edge_runtime.doctor.session import SCREENING_IMAGES, Candidate, Session
from edge_runtime.doctor.subject import Floats, Trial
from edge_runtime.doctor.surgery import QuantizedFile

_HARDLY_RIGHT = 0.5
# Out of three times as many images as are screened; fewer are luck.
_ALMOST = 6
_WEAK_GAINS = (4, 12, 32)
# By so much accuracy a wrong correction may surpass the right one.
_LUCK = 0.04


@dataclass(frozen=True, eq=False)
class Treatment:
    """What the trials led to.

    Attributes:
        before: the model as it is.
        best: the proved candidate, or None.
        attempts: all that was tried.
    """

    before: Score
    best: Candidate | None
    attempts: tuple[Attempt, ...]


def treat(case: Case, corrections: Sequence[Correction]) -> Treatment:
    """Try everything and return what helps most, the simplest of what helps equally."""
    trial = case.trial()
    before = case.score(trial)
    session = Session(case, before)
    scaling = scaling_in_front(QuantizedFile(case.data))
    if scaling is not None:
        corrections = [*corrections, *undo_scaling(scaling, corrections)]
    corrections = [replace(one, error_cut=error_cut(one, scaling)) for one in corrections]
    likely = [one for one in corrections if one.likely]
    found = _singles(session, trial, likely)
    if not found and len(likely) < len(corrections):
        found = _singles(session, trial, [one for one in corrections if not one.likely], also=False)
    # Two mistakes at once leave little; a model that is half right has at most one.
    hardly_right = before.accuracy <= case.chance + _HARDLY_RIGHT * (1 - case.chance)
    if not found and not session.certain and trial is not None and hardly_right:
        found = _pairs(session, trial, likely)
    best = _choose(found or session.certain)
    if best is not None and best.correction.tone and len(likely) < len(corrections):
        rare = [one for one in corrections if not one.likely]
        rarely_found = _singles(session, trial, rare, also=False)
        floor = best.score.accuracy + _LUCK
        best = _choose([one for one in rarely_found if one.score.accuracy > floor]) or best
        found += rarely_found
    if best is not None:
        best = _with_usual_range(case, best, found) or _at_weak_contrast(session, best, found)
        best = _improved(session, best, likely)
    return Treatment(before, best, tuple(session.attempts))


def _singles(
    session: Session,
    trial: Trial | None,
    corrections: Sequence[Correction],
    *,
    also: bool = True,
) -> list[Candidate]:
    """Return what one correction alone proves; ``also`` tries labels and ranges, too."""
    found: list[Candidate] = []
    if trial is not None:
        found += _fed(session, trial, corrections)
        if also:
            found += _relabelled(session, trial, session.before, session.before)
    if also:
        found += _repaired(session)
    best = _choose(found)
    worth_it = can_be_restored(session.before) and (best is None or best.correction.tone)
    if session.case.file is not None and worth_it:
        found += _fed_recalibrated(session, [one for one in corrections if one.tone])
    return found


def _choose(found: Sequence[Candidate]) -> Candidate | None:
    """Return the most accurate; of equally accurate ones that with the least log loss, or else
    the first.
    """  # noqa: D205
    if not found:
        return None
    best = max(found, key=lambda one: one.score.count)
    good = [one for one in found if not is_worse(one.score, best.score)]
    calmest = min(good, key=lambda one: float(one.score.loss.mean()))
    return next(one for one in good if not loses_more(one.score, calmest.score))


def _with_usual_range(case: Case, best: Candidate, found: Sequence[Candidate]) -> Candidate | None:
    """Return the correction after which the graph's own scaling ends in a usual range.

    A correction that is not the right one may by luck do a little better than the right one; the
    numbers that stand in the graph tell them apart.
    """
    scaling = scaling_in_front(QuantizedFile(case.data))
    if scaling is None or not best.correction.tone or is_usual(scaling):
        return None
    least = best.score.accuracy - _LUCK
    good = [one for one in found if one.correction.tone and one.score.accuracy >= least]
    fitting = [one for one in good if is_usual(scaling, one.correction)]
    return min(fitting, key=lambda one: off_usual(scaling, one.correction), default=None)


def _at_weak_contrast(session: Session, best: Candidate, found: Sequence[Candidate]) -> Candidate:
    """Return which of the corrections that undo a scaling has the right offset.

    A network with few biases answers alike at any contrast, so that several of them fit. With
    little contrast only the right offset leaves anything to see.
    """
    rivals = [one for one in found if one.correction.tried.partition(", ranges")[0] in UNDOING]
    rivals = [one for one in rivals if not is_worse(one.score, best.score)]
    if best not in rivals or len(rivals) < 2:
        return best
    seen = [_seen_at_weak_contrast(session, one) for one in rivals]
    fitting = [one for one, count in zip(rivals, seen, strict=True) if count >= max(seen) - _ALMOST]
    if shifts_its_input(session.case):  # then what only scales is not the whole of it
        fitting = [one for one in fitting if not one.correction.tried.startswith("pixels × 255")]
    return min(fitting, key=_commonness, default=best)


def _commonness(one: Candidate) -> int:
    return UNDOING.index(one.correction.tried.partition(", ranges")[0])


def _seen_at_weak_contrast(session: Session, candidate: Candidate) -> int:
    """Return how many answers stay right when the images have a fraction of their contrast."""
    black = session.case.inputs(lambda images: candidate.correction.apply(images * 0), 1)
    right = 0
    for gain in _WEAK_GAINS:
        name = f"{candidate.correction.tried}, contrast {gain}"
        weak = replace(candidate.correction, tried=name, apply=_weak(gain, black))
        trial = candidate.trial
        if session.case.file is not None:
            trial = session.recalibrated(weak) or trial
        right += session.screening.score(trial, weak.apply).count
    return right


def _weak(gain: float, black: Floats) -> Apply:
    return lambda images: images * np.float32(gain) + black


def _repaired(session: Session) -> Iterator[Candidate]:
    if session.case.file is None:
        return
    for repair in repairs(session.case, session.before, session.proves):
        session.note(repair.correction, repair.score, repair.proved)
        candidate = Candidate(repair.correction, repair.trial, repair.score)
        if repair.proved:
            yield candidate
        elif repair.certain:
            session.certain.append(candidate)


def _fed(session: Session, trial: Trial, corrections: Sequence[Correction]) -> Iterator[Candidate]:
    for correction in corrections:
        inputs = session.case.inputs(correction.apply, SCREENING_IMAGES)
        if trial.can_hold(inputs):
            candidate = session.try_on(correction, trial)
            if candidate:
                yield candidate


def _fed_recalibrated(session: Session, corrections: Sequence[Correction]) -> Iterator[Candidate]:
    """Yield what a correction proves with fitted ranges, in addition to what those do alone."""
    alone = [one.score for one in session.certain if one.correction.kind == "calibration"]
    before = max([session.before, *alone], key=lambda one: one.count)
    for correction in corrections:
        fitted = session.recalibrated(correction)
        if fitted is not None:
            mended = replace(correction, tried=f"{correction.tried}, ranges fitted")
            candidate = session.try_on(mended, fitted, before)
            if candidate:
                yield candidate


def _relabelled(
    session: Session,
    trial: Trial,
    before: Score,
    now: Score,
    correction: Correction | None = None,
) -> Iterator[Candidate]:
    """Yield what permuting the labels of these answers proves, in addition to a correction."""
    for relabelled in relabellings(now.outputs, session.case.labels):
        cause = label_correction(relabelled)
        if correction is not None:
            cause = both(correction, cause)
        proved = session.proves(before, relabelled.score)
        session.note(cause, relabelled.score, proved)
        if proved:
            yield Candidate(cause, trial, relabelled.score, relabelled)


def _pairs(session: Session, trial: Trial, corrections: Sequence[Correction]) -> list[Candidate]:
    tones = [one for one in corrections if one.tone]
    moves = [one for one in corrections if not one.tone]
    found: list[Candidate] = []
    for tone in tones:
        inputs = session.case.inputs(tone.apply, SCREENING_IMAGES)
        used = trial if trial.can_hold(inputs) else session.recalibrated(tone)
        if used is None:
            continue
        for move in moves:
            candidate = session.try_on(both(move, tone), used)
            if candidate:
                found.append(candidate)
    for one in [*tones, *moves]:
        used = session.recalibrated(one) if one.tone and session.case.file else trial
        if used is not None:
            answers = session.case.score(used, one.apply)
            found += _relabelled(session, used, session.before, answers, one)
    return found


def _improved(session: Session, best: Candidate, corrections: Sequence[Correction]) -> Candidate:
    """Return the best candidate, with a second correction where one improves it as clearly."""
    found: list[Candidate] = []
    if best.relabelled is None:
        now = session.case.score(best.trial, best.correction.apply)
        found += _relabelled(session, best.trial, best.score, now, best.correction)
        for correction in corrections:
            if correction.tone and best.correction.tone and best.correction.apply is not as_fed:
                continue
            pair = both(best.correction, correction)
            used: Trial | None = best.trial
            if not best.trial.can_hold(session.case.inputs(pair.apply, SCREENING_IMAGES)):
                used = session.recalibrated(pair) if can_be_restored(best.score) else None
            candidate = session.try_on(pair, used, best.score) if used else None
            if candidate:
                found.append(candidate)
    return _simplest(session, best, _choose(found), corrections) or best


def _simplest(
    session: Session, best: Candidate, pair: Candidate | None, corrections: Sequence[Correction]
) -> Candidate | None:
    """Return the second correction of a pair alone, where the first adds nothing to it."""
    trial = session.case.trial()
    if pair is None or pair.relabelled or best.correction.apply is not as_fed or trial is None:
        return pair
    for correction in corrections:
        if pair.correction.tried != both(best.correction, correction).tried:
            continue
        if trial.can_hold(session.case.inputs(correction.apply, SCREENING_IMAGES)):
            score = session.case.score(trial, correction.apply)
            if not is_worse(score, pair.score):
                return Candidate(correction, trial, score)
    return pair


def label_correction(relabelled: Relabelling) -> Correction:
    """Return a permutation of the labels as a cause."""
    moved = int((relabelled.class_of_output != np.arange(len(relabelled.class_of_output))).sum())
    causes = {
        "labels-off-by-one": "The labels are off by one: each output stands for the next class or "
        "the one before",
        "labels-reversed": "The labels are in reversed order",
        "labels-permuted": f"The labels are permuted: {moved} outputs stand for other classes than "
        "their names say",
    }
    return Correction(
        relabelled.kind,
        causes[relabelled.kind],
        {
            "labels-off-by-one": "labels moved by one",
            "labels-reversed": "labels reversed",
            "labels-permuted": "best permutation of the labels, found on other images",
        }[relabelled.kind],
        "Put the class names into the order of the outputs, in the manifest's class_names (or "
        "--labels of `fmnist-edge classify`).",
        as_fed,
        tone=False,
    )
