"""The chain from the full model to the device, judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from edge_runtime.errors import ContractError, PredictionsError
from edge_runtime.metrics import PairedCounts, count_pairs
from edge_runtime.parity.basis import Basis
from edge_runtime.parity.checks import Check, Decision, check_budgets, check_margins, worst
from edge_runtime.parity.contract import Contract
from edge_runtime.parity.flips import Flip, find_flips
from edge_runtime.parity.movement import find_movement
from edge_runtime.parity.order import in_order, predecessors
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
        basis: which full model that is and how it was found; None if the caller did not say.
    """

    reference: Predictions
    comparisons: tuple[Comparison, ...]
    steps: tuple[Step, ...]
    step_checks: tuple[tuple[Check, ...], ...]
    contract: Contract = field(default_factory=Contract)
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
    def images_needed(self) -> int | None:
        """About how many images would decide what is inconclusive; None if no number is known."""
        checks = [check for item in self.comparisons for check in item.checks]
        needs = [
            check.images_needed
            for check in [*checks, *self._all_step_checks]
            if check.decision == "inconclusive"
        ]
        known = [need for need in needs if need is not None]
        return max(known) if known and len(known) == len(needs) else None

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
) -> ParityReport:
    """Compare converted models with the full model on the same images.

    Args:
        reference: the full model's predictions.
        candidates: the converted models'. Where each says what it is they are put in order, a
            device after its host; otherwise they are taken as made one from the other. Rows may be
            in another order than the reference's.
        contract: what is demanded; by default at most one point of accuracy lost.
        max_drop: instead of a contract, the drop in accuracy that is allowed, above 0 to 1.

    Raises:
        PredictionsError: they are not about the same images, or there is nothing to compare.
        ContractError: the contract asks for a step or a figure that the predictions do not have.
    """
    if not candidates:
        raise PredictionsError("There is nothing to compare: give one converted model or more.")
    contract = contract or Contract()
    if max_drop is not None:
        contract = replace(contract, margins=replace(contract.margins, accuracy=max_drop))
    named = _distinctly_named(in_order([reference, *candidates]))
    everything = [named[0], *(aligned(named[0], candidate) for candidate in named[1:])]
    before = predecessors(everything)
    steps = tuple(
        _step(everything, source, target) for target, source in enumerate(before, start=1)
    )
    _refuse_missing_steps(steps, contract)
    comparisons = tuple(
        _compare_one(everything, before, steps, target, contract)
        for target in range(1, len(everything))
    )
    return ParityReport(
        everything[0],
        comparisons,
        steps,
        tuple(_check_step(step, contract) for step in steps),
        contract,
    )


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
    checks = check_margins(counts, contract.margins, confidence=contract.confidence)
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


def _check_step(step: Step, contract: Contract) -> tuple[Check, ...]:
    checks: tuple[Check, ...] = ()
    for kind in step.kinds:
        margins = contract.steps.get(kind)
        if margins is not None:
            checks += check_margins(step.counts, margins, confidence=contract.confidence)
    return checks


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
