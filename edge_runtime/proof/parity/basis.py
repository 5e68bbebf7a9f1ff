"""What converted models were compared with: which full model, and how it was found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

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
            names = ", ".join(printable(name) for name in self.foreign)
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
