"""What was found of a chain of predictions, held against a contract."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from edge_runtime.data.predictions import Predictions
from edge_runtime.proof.metrics import PairedCounts
from edge_runtime.proof.parity.checks import Check, Decision, ErrorRates, demand_count, worst
from edge_runtime.proof.parity.contract import Contract
from edge_runtime.proof.parity.flips import Flip
from edge_runtime.proof.parity.power import Advice, Power, advise
from edge_runtime.proof.parity.resampling import JudgedPair
from edge_runtime.proof.parity.steps import Step
from edge_runtime.wording import printable

HowFound = Literal["its source by hash", "its run", "--reference"]

_IN_WORDS: dict[HowFound, str] = {
    "its source by hash": "the model that they were converted from, known by this hash",
    "its run": "the full model of the run that they lie in",
    "--reference": "named with --reference",
}
_SHOWN_DIGITS = 12


@dataclass(frozen=True)
class Basis:
    """The full model of a comparison.

    Attributes:
        file: its file, or where only its predictions are left, these.
        sha256: of the full model; None for predictions that do not say it.
        found: how it was found. "its run": a manifest that names the source by hash is missing.
        foreign: the compared models that were converted from another full model; only --reference
            allows that.
    """

    file: str
    sha256: str | None
    found: HowFound
    foreign: tuple[str, ...] = ()

    @property
    def in_words(self) -> str:
        """What was compared with what, in a sentence."""
        digest = f" (SHA-256 {printable(self.sha256[:_SHOWN_DIGITS])}…)" if self.sha256 else ""
        sentence = f"Compared with {printable(self.file)}{digest}, {_IN_WORDS[self.found]}"
        if self.foreign:
            names = ", ".join(map(printable, self.foreign))
            sentence += f"; converted from another model: {names}"
        return f"{sentence}."

    def to_dict(self) -> Mapping[str, Any]:
        """Return it for JSON."""
        return {
            "file": self.file,
            "sha256": self.sha256,
            "found": self.found,
            "converted_from_another": list(self.foreign),
        }


@dataclass(frozen=True, eq=False)
class Comparison:
    """One converted model against the full one.

    Attributes:
        details: who computed its predictions.
        flips: the images whose answer changed, the worst first.
        steps: indexes into the report's steps, from the full model to this one.
        is_last: whether it is the end of a chain, the one that is shipped.
    """

    model: str
    details: Mapping[str, Any]
    counts: PairedCounts
    flips: tuple[Flip, ...]
    steps: tuple[int, ...]
    checks: tuple[Check, ...]
    is_last: bool

    @property
    def decision(self) -> Decision:
        """What became of the demands on it."""
        return worst([check.decision for check in self.checks])

    @property
    def holds(self) -> bool:
        """Whether every demand is shown to be kept."""
        return self.decision == "holds"

    @property
    def answers_are_broken(self) -> bool:
        """Whether a demand on its answers is broken, and not only a budget."""
        return any(check.decision == "broken" and check.interval for check in self.checks)

    @property
    def decisive_flips(self) -> tuple[Flip, ...]:
        """The answers that were lost; where none was, all that changed."""
        return tuple(flip for flip in self.flips if flip.effect == "lost") or self.flips

    @property
    def blamed_step(self) -> int | None:
        """The step to blame for broken answers: where most of the decisive ones changed.

        None if the answers are not broken.
        """
        if not self.flips or not self.answers_are_broken:
            return None
        steps = [flip.step for flip in self.decisive_flips]
        return max(self.steps, key=steps.count)


@dataclass(frozen=True, eq=False)
class Judgement:
    """The full model against its converted forms, on the same test images.

    Attributes:
        reference: the full model's predictions.
        comparisons: one for each converted model, in the order of the chain.
        steps: what lies between the predictions; the step at index i leads to comparison i.
        step_checks: for each step the contract's demands on it alone.
        pairs: whose answers are judged by which margins: the converted models', then the steps'.
        basis: which full model that is and how it was found; None if the caller did not say.
    """

    reference: Predictions
    comparisons: tuple[Comparison, ...]
    steps: tuple[Step, ...]
    step_checks: tuple[tuple[Check, ...], ...]
    contract: Contract
    pairs: tuple[JudgedPair, ...]
    basis: Basis | None = None

    @property
    def decision(self) -> Decision:
        """The verdict: the worst of all demands."""
        of_models = [item.decision for item in self.comparisons]
        of_steps = [check.decision for checks in self.step_checks for check in checks]
        return worst([*of_models, *of_steps])

    @property
    def holds(self) -> bool:
        """Whether every demand is shown to be kept."""
        return self.decision == "holds"

    @property
    def judged_demands(self) -> int:
        """How many demands on answers there are, of all models and all steps; not the budgets."""
        return sum(demand_count(pair.margins) for pair in self.pairs)

    @cached_property
    def advice(self) -> Advice:
        """How many images would decide it; without a number if it is decided."""
        if self.decision != "inconclusive":
            return Advice()
        rates = ErrorRates(self.contract.confidence, self.judged_demands)
        return advise(Power(self.pairs, rates), len(self.reference))

    @property
    def images_needed(self) -> int | None:
        """About how many images decide four times in five if the rates stay as measured.

        None if it is decided, or if no number does.
        """
        return self.advice.images

    @property
    def images_at_least(self) -> int | None:
        """Where no number is named: how many decide for sure if the rates stay, and fewer never."""
        return self.advice.at_least

    def path(self, comparison: Comparison) -> tuple[Step, ...]:
        """Return the steps from the full model to a converted one."""
        return tuple(self.steps[index] for index in comparison.steps)
