"""What is trained, on what, and how."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from edge_runtime.datasets import DatasetSpec

POST_CNN = "post-cnn"

# Chosen by five-fold cross-validation on the 1,000 training images; see docs/choices.md.
DEFAULT_DROPOUT = 0.3


Schedule = Literal["linear", "constant"]


@dataclass(frozen=True)
class TrainingConfig:
    """What is trained, on what, and how; the defaults are the article's.

    Attributes:
        dataset: what to learn from and to test on.
        model: POST_CNN or the path of a .keras file.
        epochs: passes over the training images; 0 takes the model as it is.
        batch_size: images for each step.
        learning_rate: of Adam, in the first epoch.
        schedule: "linear" lets the learning rate fall to zero, "constant" keeps it.
        dropout: of post-cnn.
        seed: of weights, order of the images, dropout.
        rescale: number that pixels are multiplied with in front of a model of one's own.
    """

    dataset: DatasetSpec
    model: str
    epochs: int = 100
    batch_size: int = 64
    learning_rate: float = 0.001
    schedule: Schedule = "linear"
    dropout: float = DEFAULT_DROPOUT
    seed: int = 0
    rescale: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` reads."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> "TrainingConfig":
        """Read what `to_dict` wrote."""
        return cls(**{**document, "dataset": DatasetSpec.from_dict(document["dataset"])})

    def learning_rate_in(self, epoch: int) -> float:
        """Return the learning rate in an epoch, counted from 1."""
        if self.schedule == "constant":
            return self.learning_rate
        return self.learning_rate * (1 - (epoch - 1) / self.epochs)
