"""The chain from the full model to the device, judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from edge_runtime.errors import ContractError, PredictionsError
from edge_runtime.metrics import PairedCounts, count_pairs
from edge_runtime.parity.advice import Advice, advise
from edge_runtime.parity.basis import Basis
from edge_runtime.parity.checks import Check, Decision, check_budgets, worst
from edge_runtime.parity.contract import Contract, Margins
from edge_runtime.parity.flips import Flip, find_flips
from edge_runtime.parity.judging import ErrorRates, check_margins, demand_count
from edge_runtime.parity.movement import find_movement
from edge_runtime.parity.order import in_order, predecessors
from edge_runtime.parity.power import Power
from edge_runtime.parity.resampling import JudgedPair
from edge_runtime.parity.steps import Step, StepKind, changes, same_file, step_kinds
from edge_runtime.parity.verdict import verdict_sentence
from edge_runtime.predictions import Predictions, aligned

TIE_RULE = "Of equal probabilities the first class counts as the answer."


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
class ParityReport:
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

    @cached_property
    def verdict(self) -> str:
        """The result in two sentences or three, as a person would say it."""
        return verdict_sentence(self)

    def path(self, comparison: Comparison) -> tuple[Step, ...]:
        """Return the steps from the full model to a converted one."""
        return tuple(self.steps[index] for index in comparison.steps)


def compare(
    reference: Predictions,
    candidates: Sequence[Predictions],
    *,
    contract: Contract | None = None,
    max_drop: float | None = None,
    min_agreement: float | None = None,
) -> ParityReport:
    """Compare converted models with the full model on the same images.

    Args:
        reference: the full model's predictions.
        candidates: the converted models'. Where each says what it is they are put in order, a
            device after its host; otherwise they are taken as made one from the other. Rows may be
            in another order than the reference's.
        contract: what is demanded; by default that at most one point of accuracy is lost and
            that at least 95 % of the answers are the same.
        max_drop: the drop in accuracy that is allowed, above 0 to 1, instead of the contract's.
        min_agreement: the share of answers that must be the same, 0 to below 1, likewise.

    Raises:
        PredictionsError: they are not about the same images, or there is nothing to compare.
        ContractError: the contract asks for a step or a figure that the predictions do not have.
    """
    if not candidates:
        raise PredictionsError("There is nothing to compare: give one converted model or more.")
    contract = contract or Contract()
    contract = contract.with_margins(accuracy=max_drop, agreement=min_agreement)
    named = _distinctly_named(in_order([reference, *candidates]))
    everything = [named[0], *(aligned(named[0], candidate) for candidate in named[1:])]
    before = predecessors(everything)
    steps = tuple(
        _step(everything, source, target) for target, source in enumerate(before, start=1)
    )
    _refuse_missing_steps(steps, contract)
    pairs = _judged_pairs(everything, steps, contract)
    rates = ErrorRates(
        contract.confidence, max(1, sum(demand_count(pair.margins) for pair in pairs))
    )
    comparisons = tuple(
        _compare_one(everything, before, steps, target, contract, rates)
        for target in range(1, len(everything))
    )
    return ParityReport(
        everything[0],
        comparisons,
        steps,
        tuple(_check_step(step, contract, rates) for step in steps),
        contract,
        pairs,
    )


def _judged_pairs(
    predictions: Sequence[Predictions], steps: Sequence[Step], contract: Contract
) -> tuple[JudgedPair, ...]:
    """Return whose answers are judged by which margins, the models' and then the steps'."""
    of_models = [JudgedPair(predictions[0], each, contract.margins) for each in predictions[1:]]
    of_steps = [
        JudgedPair(predictions[step.before], predictions[step.after], margins)
        for step in steps
        for margins in _margins(step, contract)
    ]
    return (*of_models, *of_steps)


def _distinctly_named(predictions: Sequence[Predictions]) -> list[Predictions]:
    """Return the predictions with a name for each: of equal names the later ones get a number."""
    taken: set[str] = set()
    named = []
    for item in predictions:
        name, number = item.model, 2
        while name in taken:
            name, number = f"{item.model} ({number})", number + 1
        taken.add(name)
        named.append(replace(item, details={**item.details, "model": name}))
    return named


def _step(predictions: Sequence[Predictions], source: int, target: int) -> Step:
    before, after = predictions[source], predictions[target]
    kinds = step_kinds(before, after)
    is_rerun = kinds == ("runtime",) and same_file(before.details, after.details)
    return Step(
        kinds=kinds,
        before=source,
        after=target,
        before_model=before.model,
        after_model=after.model,
        changed=changes(before, after),
        counts=count_pairs(before.probabilities, after.probabilities, before.labels),
        movement=find_movement(before, after) if is_rerun else None,
    )


def _compare_one(
    predictions: Sequence[Predictions],
    before: Sequence[int],
    steps: Sequence[Step],
    target: int,
    contract: Contract,
    rates: ErrorRates,
) -> Comparison:
    nodes = [target]
    while nodes[0]:
        nodes.insert(0, before[nodes[0] - 1])
    step_indexes = tuple(node - 1 for node in nodes[1:])
    reference, candidate = predictions[0], predictions[target]
    counts = (
        steps[target - 1].counts
        if nodes[0:-1] == [0]
        else count_pairs(reference.probabilities, candidate.probabilities, reference.labels)
    )
    is_last = target not in before
    checks = check_margins(counts, contract.margins, rates)
    if is_last:
        checks += check_budgets(candidate.model, candidate.details, contract.budgets)
    return Comparison(
        model=candidate.model,
        details=candidate.details,
        counts=counts,
        flips=find_flips(
            [predictions[node] for node in nodes], [(index, steps[index]) for index in step_indexes]
        ),
        steps=step_indexes,
        checks=checks,
        is_last=is_last,
    )


def _margins(step: Step, contract: Contract) -> list[Margins]:
    """Return what the contract asks of one step; of several kinds at once all that it asks."""
    return [contract.steps[kind] for kind in step.kinds if kind in contract.steps]


def _check_step(step: Step, contract: Contract, rates: ErrorRates) -> tuple[Check, ...]:
    return tuple(
        check
        for margins in _margins(step, contract)
        for check in check_margins(step.counts, margins, rates)
    )


def _refuse_missing_steps(steps: Sequence[Step], contract: Contract) -> None:
    present: set[StepKind] = {kind for step in steps for kind in step.kinds}
    for kind in contract.steps:
        if kind not in present:
            found = ", ".join(sorted(present))
            raise ContractError(
                f"The contract asks for the step '{kind}', but the chain has only {found}; "
                + _HOW_TO_ADD[kind]
            )


_HOW_TO_ADD: dict[StepKind, str] = {
    "conversion": "let it begin with the full Keras model.",
    "quantization": "add a quantized model.",
    "runtime": "add the predictions of the same .tflite file that were made on the device.",
    "preprocessing": "add predictions of the same images that were prepared on the device.",
}
