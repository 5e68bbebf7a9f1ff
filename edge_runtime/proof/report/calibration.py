"""What a confidence threshold accepts, in words."""

from edge_runtime.proof.metrics import ThresholdEffect, decimals_for
from edge_runtime.wording import points


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
