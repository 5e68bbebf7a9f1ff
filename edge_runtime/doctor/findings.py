"""What an examination finds, as values."""

from dataclasses import asdict, dataclass
from typing import Any

from edge_runtime.wording import html_table


@dataclass(frozen=True)
class Figures:
    """How well a model answers.

    Attributes:
        right: right answers.
        images: of so many.
        confidence: mean probability of the answer given, where that is what is at stake.
        log_loss: median over the images, in nats, likewise.
    """

    right: int
    images: int
    confidence: float | None = None
    log_loss: float | None = None

    @property
    def accuracy(self) -> float:
        """The share of right answers, 0 to 1."""
        return self.right / self.images

    def __str__(self) -> str:
        text = f"{self.right} of {self.images} right, {self.accuracy:.1%}"
        if self.confidence is not None:
            text += f"; mean confidence {self.confidence:.1%}, median log loss {self.log_loss:.3f}"
        return text


@dataclass(frozen=True)
class Cause:
    """One mistake that was found.

    Attributes:
        kind: its family, such as "inverted".
        cause: what is wrong, a sentence.
        mend: how to mend it.
        before: as the model is.
        after: with the correction; None where it could not be tried.
        evidence: what else speaks for it, or "".
        suspect: whether only labels speak for it, while the full model answers likewise.
    """

    kind: str
    cause: str
    mend: str
    before: Figures | None = None
    after: Figures | None = None
    evidence: str = ""
    suspect: bool = False


@dataclass(frozen=True)
class Attempt:
    """One correction that was tried.

    Attributes:
        kind: of the cause that it would have shown.
        tried: what was done.
        figures: what came of it, often on a part of the images.
        proved: whether it explains the answers, by the rules in docs/explanation/doctor.md.
        distance: to the full model's answers, where these are known, 0 to 1.
    """

    kind: str
    tried: str
    figures: Figures
    proved: bool
    distance: float | None = None


@dataclass(frozen=True)
class Likeness:
    """How far a file's answers are from the full model's.

    Attributes:
        model: what the full model, or what stands for it, is called.
        split: whose images they were compared on, without labels.
        images: how many.
        distance: mean total variation between both models' probabilities, 0 to 1.
        limit: what rounding to this file's numbers explains, at most.
        agreement: the share of images with the same answer.
    """

    model: str
    split: str
    images: int
    distance: float
    limit: float
    agreement: float

    @property
    def alike(self) -> bool:
        """Whether both answer alike."""
        return self.distance <= self.limit

    def __str__(self) -> str:
        verb = "answers as" if self.alike else "does not answer as"
        return (
            f"{verb} {self.model} does: {self.agreement:.1%} of {self.images} {self.split} images "
            f"get the same answer; distance {self.distance:.2g}, rounding explains {self.limit:.2g}"
        )


@dataclass(frozen=True)
class Diagnosis:
    """The result of an examination.

    Attributes:
        model: what the model is called.
        scheme: how it is quantized.
        dataset: where the images come from; labels are always its training split's.
        baseline: the model as it is; None where it does not run or the images do not fit.
        causes: what is wrong, the main one first; empty for a model without a finding.
        attempts: all that was tried.
        notes: what a reader should know besides.
        likeness: to the full model; None where there was nothing to compare with.
    """

    model: str
    scheme: str
    dataset: str
    baseline: Figures | None
    causes: tuple[Cause, ...]
    attempts: tuple[Attempt, ...] = ()
    notes: tuple[str, ...] = ()
    likeness: Likeness | None = None

    @property
    def is_healthy(self) -> bool:
        """Whether nothing was found."""
        return not self.causes

    @property
    def verdict(self) -> str:
        """The finding in a sentence or two."""
        if not self.causes:
            return "No mistake found: none of the corrections makes this model answer better."
        doubt = "Suspect, for the full model answers alike: "
        return " ".join(f"{doubt * cause.suspect}{cause.cause}." for cause in self.causes)

    def __repr__(self) -> str:
        return f"<Diagnosis of {self.model}, {self.scheme}: {self.verdict}>"

    def _repr_html_(self) -> str:
        rows = [("verdict", self.verdict)]
        rows += [("fix", cause.mend) for cause in self.causes]
        return html_table(rows, title=f"{self.model}, {self.scheme}")

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON, with the verdict."""
        head = {"verdict": self.verdict, "healthy": self.is_healthy}
        return {**head, **asdict(self), "split": "train"}
