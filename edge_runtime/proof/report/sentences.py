"""What another runtime changed about the same file, and a conversion about thresholds: in words."""

from collections.abc import Sequence

from edge_runtime.proof.metrics import ThresholdEffect, decimals_for
from edge_runtime.proof.parity import Judgement, Movement
from edge_runtime.wording import called, distance, plural, points, printable

_MOST_LISTED = 5
_LONGEST_NAME = 30


def movements(report: Judgement) -> list[tuple[str, str]]:
    """Return the models that are the same file as the one before, with what moved and why."""
    names, count = report.reference.class_names, len(report.reference)
    return [
        (step.after_model, movement_in_words(step.movement, names, count))
        for step in report.steps
        if step.movement is not None
    ]


def movement_in_words(movement: Movement, class_names: Sequence[str], image_count: int) -> str:
    """Return how many images moved, how far, which answers changed beyond ties, and why."""
    if not movement.images:
        return f"All probabilities of {plural(image_count, 'image')} are the same, bit for bit."
    return (
        f"{movement.images:,} of {plural(image_count, 'image')} got other probabilities, by "
        f"{_largest(movement)} at most. {_answers(movement, class_names)} "
        f"{printable(movement.reason)}"
    )


def _largest(movement: Movement) -> str:
    if movement.output_step is None:
        largest = movement.largest
        return f"{largest:.1e}" if largest < 0.00005 else distance(largest)
    return f"{plural(movement.largest_steps or 0, 'step')} of 1/{round(1 / movement.output_step):,}"


def _answers(movement: Movement, class_names: Sequence[str]) -> str:
    count, ties = len(movement.answers), movement.ties
    if not count:
        return "No answer changed."
    changed = f"{plural(count, 'answer')} changed"
    if ties == count:
        return f"{changed}, {'a tie' if count == 1 else 'all of them ties'} in one of the two."
    beyond = [answer for answer in movement.answers if not answer.tied]
    names = [called(name, _LONGEST_NAME) for name in class_names]
    listed = ", ".join(
        f"image {answer.image} ({names[answer.before]} → {names[answer.after]})"
        for answer in beyond[:_MOST_LISTED]
    )
    more = len(beyond) - _MOST_LISTED
    rest = f" and {more:,} more in report.json" if more > 0 else ""
    return f"{changed}, {ties:,} of them ties; beyond ties: {listed}{rest}."


def threshold_sentence(effect: ThresholdEffect, image_count: int) -> str:
    """Return what changed at a threshold: "At 0.80: 3.1 points more accepted, …"."""
    decimals = decimals_for(image_count)
    accepted = effect.candidate_accepted.value - effect.reference_accepted.value
    first = f"At {effect.threshold:.2f}: {_more(accepted, decimals)} accepted"
    if not effect.candidate_accepted.successes or not effect.reference_accepted.successes:
        return first + "."
    wrong = effect.candidate_wrong.value - effect.reference_wrong.value
    return f"{first}, {_more(wrong, decimals)} of them wrong."


def _more(difference: float, decimals: int) -> str:
    text = points(difference, decimals)
    if not text.startswith(("+", "\N{MINUS SIGN}")):
        return "as many"
    return f"{text[1:]} points {'more' if difference > 0 else 'fewer'}"
