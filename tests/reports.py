"""Reports that several test files look at."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.data.predictions import Predictions
from edge_runtime.inference.comparing import compare
from edge_runtime.proof.parity import Budgets, Contract, Margins
from edge_runtime.proof.parity_report import ParityReport

DEMANDING = Contract(
    Margins(accuracy=0.01, agreement=0.97, class_recall=0.1, brier=0.02),
    Budgets(size_bytes=40_000, latency_us=500),
    {"conversion": Margins(), "quantization": Margins(agreement=0.9)},
)


def chain_report(
    *,
    images: int = 1000,
    classes: int = 10,
    noise: tuple[float, ...] = (0.02, 0.3),
    contract: Contract | None = None,
    names: tuple[str, ...] | None = None,
    models: tuple[str, ...] = ("full", "float32", "int8"),
    **details: Any,
) -> ParityReport:
    """A seeded full model, and models that each add noise to the scores of the one before."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, classes, images)
    scores = rng.normal(size=(images, classes)) + 3 * np.eye(classes)[labels]
    hashes = np.array([f"{index:064x}".encode() for index in range(images)], "S64")
    names = names or tuple(f"class {index}" for index in range(classes))

    def said(model: str, scheme: str) -> Predictions:
        known = {"model": model, "scheme": scheme, "size_bytes": 39_000}
        latency = {"latency_us": {"median": 35.2, "p10": 30.0, "p90": 41.0}}
        return Predictions(_softmax(scores), labels, hashes, names, {**known, **latency, **details})

    chain = [said(models[0], "keras")]
    for model, scheme, scale in zip(models[1:], ("float32", "int8"), noise, strict=True):
        scores = scores + rng.normal(scale=scale, size=scores.shape) if scale else scores
        chain.append(said(model, scheme))
    return compare(chain[0], chain[1:], contract=contract)


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float32]:
    exponents = np.exp(scores)
    shares: NDArray[np.float32] = (exponents / exponents.sum(axis=1, keepdims=True)).astype("f4")
    return shares


def answering(
    answers: list[int], labels: list[int], names: tuple[str, ...], model: str, **details: Any
) -> Predictions:
    """Predictions of a model that is 75 % sure of each answer."""
    probabilities = np.full((len(answers), len(names)), 0.25 / (len(names) - 1), np.float32)
    probabilities[np.arange(len(answers)), answers] = 0.75
    hashes = np.array([f"{index:064x}".encode() for index in range(len(answers))], "S64")
    return Predictions(probabilities, np.array(labels), hashes, names, {"model": model, **details})


def small_report(contract: Contract | None = None) -> ParityReport:
    """Ten images of two of three classes; int8 loses two cats and wins one dog.

    Unless more is asked, only that one point of accuracy is kept.
    """
    names = ("cat", "dog", "bird")
    labels = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    facts = {"dataset": "pets", "cpu": "Cortex-A72", "numpy": "2.2.1"}
    litert = {"backend": "ai-edge-litert", "backend_version": "2.0.2", "threads": 1}

    def of(answers: list[int], model: str, **details: Any) -> Predictions:
        return answering(answers, labels, names, model, **facts, **details)

    right = [0, 0, 0, 0, 0, 1, 1, 1, 1, 0]
    return compare(
        of(right, "full", backend="tensorflow", scheme="keras", size_bytes=1_234_567),
        [
            of(right, "float32", **litert, scheme="float32", size_bytes=4096),
            of(
                [1, 2, 0, 0, 0, 1, 1, 1, 1, 1],
                "int8",
                **litert,
                scheme="int8",
                size_bytes=1024,
                latency_us={"median": 141.9, "p10": 130.0, "p90": 160.2, "n": 10},
            ),
        ],
        contract=contract or Contract(Margins(accuracy=0.01)),
    )


def broken_report() -> ParityReport:
    """A thousand images; quantization breaks every demand on it."""
    return chain_report(noise=(0.0, 2.0), contract=DEMANDING)


def three_decisions() -> ParityReport:
    """A report in which demands hold, are broken, and cannot be told; the whole is broken."""
    report = chain_report(contract=DEMANDING)
    decisions = {check.decision for item in report.comparisons for check in item.checks}
    assert decisions == {"holds", "broken", "inconclusive"}
    return report
