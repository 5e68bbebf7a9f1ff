"""What was found of a chain of predictions, held against a contract."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from edge_runtime.data.predictions import Predictions
from edge_runtime.proof.metrics import PairedCounts
from edge_runtime.proof.parity.advice import Advice, advise
from edge_runtime.proof.parity.basis import Basis
from edge_runtime.proof.parity.checks import Check, Decision, worst
from edge_runtime.proof.parity.contract import Contract
from edge_runtime.proof.parity.flips import Flip
from edge_runtime.proof.parity.judging import ErrorRates
from edge_runtime.proof.parity.power import Power
from edge_runtime.proof.parity.resampling import JudgedPair
from edge_runtime.proof.parity.steps import Step


@dataclass(frozen=True, eq=False)
class Comparison:
    """One converted model against the full one.

    Attributes:
        model: what it is called.
        details: who computed its predictions.
        counts: its answers against the full model's.
        flips: the images whose answer changed, the worst first.
        steps: indexes into the report's steps, from the full model to this one.
        checks: the contract's demands on it.
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
    def blamed_step(self) -> int | None:
        """The step to blame for broken answers: where most of those that were lost arose.

        Where none was lost, most of those that changed; None if the answers are not broken.
        """
        lost = [flip.step for flip in self.flips if flip.effect == "lost"]
        steps = lost or [flip.step for flip in self.flips]
        if not steps or not self.answers_are_broken:
            return None
        return max(self.steps, key=steps.count)


@dataclass(frozen=True, eq=False)
class Judgement:
    """The full model against its converted forms, on the same test images.

    Attributes:
        reference: the full model's predictions.
        comparisons: one for each converted model, in the order of the chain.
        steps: what lies between the predictions; the step at index i leads to comparison i.
        step_checks: for each step the contract's demands on it alone.
        contract: what was demanded.
        pairs: whose answers are judged by which margins: the converted models', then the steps'.
        basis: which full model that is and how it was found; None if the caller did not say.
    """

    reference: Predictions
    comparisons: tuple[Comparison, ...]
    steps: tuple[Step, ...]
    step_checks: tuple[tuple[Check, ...], ...]
    contract: Contract = field(default_factory=Contract)
    pairs: tuple[JudgedPair, ...] = ()
    basis: Basis | None = None

    @property
    def decision(self) -> Decision:
        """The verdict: the worst of all demands."""
        of_models = [comparison.decision for comparison in self.comparisons]
        return worst([*of_models, *(check.decision for check in self._all_step_checks)])

    @property
    def holds(self) -> bool:
        """Whether every demand is shown to be kept."""
        return self.decision == "holds"

    @property
    def _all_step_checks(self) -> list[Check]:
        return [check for checks in self.step_checks for check in checks]

    @property
    def judged_demands(self) -> int:
        """How many demands on answers there are, of all models and all steps; not the budgets."""
        checks = [check for item in self.comparisons for check in item.checks]
        return sum(check.interval is not None for check in [*checks, *self._all_step_checks])

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
