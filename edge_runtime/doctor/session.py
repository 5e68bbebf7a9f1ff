"""The trials of one examination, with a list of what was tried."""

from dataclasses import dataclass

from edge_runtime.doctor.calibration import recalibrate
from edge_runtime.doctor.case import Case
from edge_runtime.doctor.correction import Correction
from edge_runtime.doctor.evidence import LEAST_ERROR_CUT, Score, calms, is_drowned, restores
from edge_runtime.doctor.findings import Attempt, Figures
from edge_runtime.doctor.labels import Relabelling
from edge_runtime.doctor.subject import Trial
from edge_runtime.errors import ModelError

# Enough to tell a hopeless correction from one worth all images.
SCREENING_IMAGES = 120
_CALIBRATION_IMAGES = 20
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


class Session:
    """One examination's trials, with the list of what was tried."""

    def __init__(self, case: Case, before: Score) -> None:
        self.case = case
        self.before = before
        self.screened = case.sample(SCREENING_IMAGES)
        self.screening = case.take(self.screened)
        self.attempts: list[Attempt] = []
        self.certain: list[Candidate] = []  # what the file itself proves, harmless or not
        self._recalibrated: dict[str, Trial | None] = {}

    def try_on(
        self, correction: Correction, trial: Trial, before: Score | None = None
    ) -> Candidate | None:
        """Return the candidate if it is proved; a hopeless one is given up early."""
        before = before or self.before
        screened = self.screening.score(trial, correction.apply)
        floor = before.right[self.screened].mean() - _SCREEN_SLACK
        worth_it = bool(screened.accuracy > max(floor, self.case.chance))
        full = self.case.score(trial, correction.apply) if worth_it else screened
        # Any weaker contrast calms a model; only a likely mistake may be named for that.
        proved = worth_it and (
            self.proves(before, full, error_cut=correction.error_cut)
            if correction.likely
            else restores(
                before, full, tries=100, chance=self.case.chance, error_cut=correction.error_cut
            )
        )
        proved = proved and not is_drowned(before, full)
        self.note(correction, full, proved)
        return Candidate(correction, trial, full) if proved else None

    def proves(self, before: Score, after: Score, *, error_cut: float = LEAST_ERROR_CUT) -> bool:
        """Return whether a correction is proved; the rules are those of `evidence`."""
        tries = max(100, 2 * len(self.attempts))
        chance = self.case.chance
        return restores(before, after, tries=tries, chance=chance, error_cut=error_cut) or calms(
            before, after, chance=chance
        )

    def note(self, correction: Correction, score: Score, proved: bool) -> None:
        """Put a correction on the list of what was tried."""
        figures = Figures(score.count, score.total)
        self.attempts.append(Attempt(correction.kind, correction.tried, figures, proved))

    def recalibrated(self, correction: Correction) -> Trial | None:
        """Return a copy whose ranges were fitted to the corrected images, made once for each."""
        if correction.tried not in self._recalibrated:
            trial = None
            if self.case.file is not None:
                images = self.case.inputs(correction.apply, _CALIBRATION_IMAGES)
                try:
                    fitted = recalibrate(self.case.file, self.case.bench, images)
                    trial = self.case.trial(fitted.data)
                except ModelError:
                    trial = None
            self._recalibrated[correction.tried] = trial
        return self._recalibrated[correction.tried]
