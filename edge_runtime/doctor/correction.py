"""One cause and the correction that would show it."""

from collections.abc import Callable
from dataclasses import dataclass

from edge_runtime.doctor.evidence import LEAST_ERROR_CUT
from edge_runtime.doctor.subject import Floats

Apply = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Correction:
    """One cause, and what to do with the images to see whether it is the one.

    Attributes:
        kind: the family, as in `--json`.
        cause: what is wrong, as a sentence without a full stop.
        tried: what is done to the images, for the table.
        mend: how to mend it for good.
        apply: from images to the model's input.
        tone: whether it changes brightness, and not where pixels are.
        likely: whether people make this mistake; the others are tried when no likely one helps.
        error_cut: the share of the wrong answers that it must mend to be believed, 0 to 1.
    """

    kind: str
    cause: str
    tried: str
    mend: str
    apply: Apply
    tone: bool = True
    likely: bool = True
    error_cut: float = LEAST_ERROR_CUT


def both(first: Correction, second: Correction) -> Correction:
    """Return two corrections as one."""
    return Correction(
        f"{first.kind}+{second.kind}",
        f"{first.cause}; and {second.cause[0].lower()}{second.cause[1:]}",
        f"{first.tried}, {second.tried}",
        first.mend if first.mend == second.mend else f"{first.mend} {second.mend}",
        lambda images: second.apply(first.apply(images)),
        first.tone and second.tone,
        error_cut=max(first.error_cut, second.error_cut),
    )
