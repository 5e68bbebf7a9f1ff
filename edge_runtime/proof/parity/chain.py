"""The chain from the full model to the device, judged."""

from collections.abc import Sequence
from dataclasses import replace

from edge_runtime.data.predictions import Predictions, aligned
from edge_runtime.errors import ContractError, PredictionsError
from edge_runtime.proof.metrics import count_pairs
from edge_runtime.proof.parity.checks import (
    Check,
    ErrorRates,
    check_budgets,
    check_margins,
    demand_count,
)
from edge_runtime.proof.parity.contract import Contract, Margins
from edge_runtime.proof.parity.flips import find_flips
from edge_runtime.proof.parity.judgement import Comparison, Judgement
from edge_runtime.proof.parity.movement import find_movement
from edge_runtime.proof.parity.resampling import JudgedPair
from edge_runtime.proof.parity.steps import (
    Step,
    StepKind,
    changes,
    in_order,
    predecessors,
    same_file,
    step_kinds,
)

TIE_RULE = "Of equal probabilities the first class counts as the answer."


def judge(
    reference: Predictions, candidates: Sequence[Predictions], contract: Contract
) -> Judgement:
    """Hold converted models to a contract with the full model, on the same images.

    Args:
        reference: the full model's predictions.
        candidates: the converted models'. Where each says what it is they are put in order, a
            device after its host; otherwise they are taken as made one from the other. Rows may be
            in another order than the reference's.
        contract: what is demanded.

    Raises:
        PredictionsError: they are not about the same images, or there is nothing to compare.
        ContractError: the contract asks for a step or a figure that the predictions do not have.
    """
    if not candidates:
        raise PredictionsError("There is nothing to compare: give one converted model or more.")
    named = _distinctly_named(in_order([reference, *candidates]))
    everything = [named[0], *(aligned(named[0], candidate) for candidate in named[1:])]
    before = predecessors(everything)
    steps = tuple(_step(everything, source, at) for at, source in enumerate(before, start=1))
    _refuse_missing_steps(steps, contract)
    pairs = [JudgedPair(everything[0], each, contract.margins) for each in everything[1:]]
    pairs += [
        JudgedPair(everything[step.before], everything[step.after], margins)
        for step in steps
        for margins in _margins(step, contract)
    ]
    demands = sum(demand_count(pair.margins) for pair in pairs)
    rates = ErrorRates(contract.confidence, max(1, demands))
    comparisons = tuple(
        _compare_one(everything, before, steps, target, contract, rates)
        for target in range(1, len(everything))
    )
    step_checks = tuple(_check_step(step, contract, rates) for step in steps)
    return Judgement(everything[0], comparisons, steps, step_checks, contract, tuple(pairs))


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
    path = tuple(node - 1 for node in nodes[1:])
    reference, candidate, last_step = predictions[0], predictions[target], steps[target - 1]
    counts = (
        count_pairs(reference.probabilities, candidate.probabilities, reference.labels)
        if last_step.before
        else last_step.counts
    )
    flips = find_flips([predictions[node] for node in nodes], [(at, steps[at]) for at in path])
    is_last = target not in before
    checks = check_margins(counts, contract.margins, rates)
    if is_last:
        checks += check_budgets(candidate.model, candidate.details, contract.budgets)
    return Comparison(candidate.model, candidate.details, counts, flips, path, checks, is_last)


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
