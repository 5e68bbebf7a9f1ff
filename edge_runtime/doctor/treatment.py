"""Try the corrections, one, then one with repaired ranges, then two, and choose the best."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge_runtime.doctor.calibration import recalibrate
from edge_runtime.doctor.case import Case, as_fed
from edge_runtime.doctor.corrections import UNDOING, Apply, Correction, both
from edge_runtime.doctor.evidence import (
    Score,
    calms,
    can_be_restored,
    is_worse,
    loses_more,
    restores,
)
from edge_runtime.doctor.findings import Attempt, Figures
from edge_runtime.doctor.labels import Relabelling, relabellings
from edge_runtime.doctor.ranges import repairs
from edge_runtime.doctor.subject import Floats, Trial
from edge_runtime.errors import ModelError

# Enough to tell a hopeless correction from one worth all images.
SCREENING_IMAGES = 120
_CALIBRATION_IMAGES = 20
_HARDLY_RIGHT = 0.5
_WEAK_GAINS = (4, 12, 32)
# A screened correction goes on if it is at most so much less accurate than the model as it is.
_SCREEN_SLACK = 0.03


@dataclass(frozen=True, eq=False)
class Candidate:
    """A cause with what its correction achieves.

    Attributes:
        correction: the cause.
        trial: the copy of the model that it was tried on.
        score: on all images, or on the first for one that was given up early.
        relabelled: the permutation of the labels that is part of it.
    """

    correction: Correction
    trial: Trial
    score: Score
    relabelled: Relabelling | None = None


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


class _Session:
    """One examination's trials, with the list of what was tried."""

    def __init__(self, case: Case, before: Score) -> None:
        self.case = case
        self.before = before
        self.screening = case.first(SCREENING_IMAGES)
        self.attempts: list[Attempt] = []
        self.certain: list[Candidate] = []  # what the file itself proves, harmless or not
        self._recalibrated: dict[str, Trial | None] = {}

    def try_on(
        self, correction: Correction, trial: Trial, before: Score | None = None
    ) -> Candidate | None:
        """Return the candidate if it is proved; a hopeless one is given up early."""
        before = before or self.before
        screened = self.screening.score(trial, correction.apply)
        floor = before.right[: screened.total].mean() - _SCREEN_SLACK
        worth_it = bool(screened.accuracy > max(floor, self.case.chance))
        full = self.case.score(trial, correction.apply) if worth_it else screened
        # Any weaker contrast calms a model; only a likely mistake may be named for that.
        proved = worth_it and (
            self.proves(before, full)
            if correction.likely
            else restores(before, full, tries=100, chance=self.case.chance)
        )
        self.note(correction, full, proved)
        return Candidate(correction, trial, full) if proved else None

    def proves(self, before: Score, after: Score) -> bool:
        """Return whether a correction is proved; the rules are those of `evidence`."""
        tries = max(100, 2 * len(self.attempts))
        chance = self.case.chance
        return restores(before, after, tries=tries, chance=chance) or calms(
            before, after, chance=chance
        )

    def note(self, correction: Correction, score: Score, proved: bool) -> None:
        figures = Figures(score.count, score.total)
        self.attempts.append(Attempt(correction.kind, correction.tried, figures, proved))

    def recalibrated(self, correction: Correction) -> Trial | None:
        """Return a copy whose ranges were fitted to the corrected images, made once for each."""
        if correction.tried not in self._recalibrated:
            trial = None
            if self.case.file is not None:
                images = self.case.inputs(correction.apply, _CALIBRATION_IMAGES)
                try:
                    fitted = recalibrate(self.case.file, self.case.backend, images)
                    trial = self.case.trial(fitted.data)
                except ModelError:
                    trial = None
            self._recalibrated[correction.tried] = trial
        return self._recalibrated[correction.tried]


def treat(case: Case, corrections: Sequence[Correction]) -> Treatment:
    """Try everything and return what helps most, the simplest of what helps equally."""
    trial = case.trial()
    before = case.score(trial)
    session = _Session(case, before)
    likely = [one for one in corrections if one.likely]
    found = _singles(session, trial, likely)
    if not found and len(likely) < len(corrections):
        found = _singles(session, trial, [one for one in corrections if not one.likely], also=False)
    # Two mistakes at once leave little; a model that is half right has at most one.
    hardly_right = before.accuracy <= case.chance + _HARDLY_RIGHT * (1 - case.chance)
    if not found and not session.certain and trial is not None and hardly_right:
        found = _pairs(session, trial, likely)
    best = _choose(found or session.certain)
    if best is not None:
        best = _at_weak_contrast(session, best, found)
        best = _improved(session, best, likely)
    return Treatment(before, best, tuple(session.attempts))


def _singles(
    session: _Session,
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


def _at_weak_contrast(session: _Session, best: Candidate, found: Sequence[Candidate]) -> Candidate:
    """Return which of the corrections that undo a scaling has the right offset.

    A network with few biases answers alike at any contrast, so that several of them fit. With
    little contrast only the right offset leaves anything to see.
    """
    rivals = [one for one in found if one.correction.tried.partition(", ranges")[0] in UNDOING]
    rivals = [one for one in rivals if not is_worse(one.score, best.score)]
    if best not in rivals or len(rivals) < 2:
        return best
    return max(rivals, key=lambda one: _seen_at_weak_contrast(session, one))


def _seen_at_weak_contrast(session: _Session, candidate: Candidate) -> int:
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


def _repaired(session: _Session) -> Iterator[Candidate]:
    if session.case.file is None:
        return
    for repair in repairs(session.case, session.before, session.proves):
        session.note(repair.correction, repair.score, repair.proved)
        candidate = Candidate(repair.correction, repair.trial, repair.score)
        if repair.proved:
            yield candidate
        elif repair.certain:
            session.certain.append(candidate)


def _fed(session: _Session, trial: Trial, corrections: Sequence[Correction]) -> Iterator[Candidate]:
    for correction in corrections:
        inputs = session.case.inputs(correction.apply, SCREENING_IMAGES)
        if trial.can_hold(inputs):
            candidate = session.try_on(correction, trial)
            if candidate:
                yield candidate


def _fed_recalibrated(session: _Session, corrections: Sequence[Correction]) -> Iterator[Candidate]:
    for correction in corrections:
        fitted = session.recalibrated(correction)
        if fitted is not None:
            mended = replace(correction, tried=f"{correction.tried}, ranges fitted")
            candidate = session.try_on(mended, fitted)
            if candidate:
                yield candidate


def _relabelled(
    session: _Session,
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


def _pairs(session: _Session, trial: Trial, corrections: Sequence[Correction]) -> list[Candidate]:
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


def _improved(session: _Session, best: Candidate, corrections: Sequence[Correction]) -> Candidate:
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
    return _choose(found) or best


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
