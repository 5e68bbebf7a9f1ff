"""Predictions of small models and of whole chains, with as many changed answers as are asked."""

from dataclasses import replace

import numpy as np

from edge_runtime.data.predictions import Predictions

NAMES = ("cat", "dog", "bird")


def answering(answers, labels, model="int8", *, confidence=0.75, **details):
    """Predictions of a model that gives this probability to each of its answers."""
    confidences = np.broadcast_to(confidence, len(answers))
    probabilities = np.repeat((1 - confidences[:, np.newaxis]) / 2, 3, axis=1)
    probabilities[np.arange(len(answers)), answers] = confidences
    hashes = np.array([f"{index:064d}".encode() for index in range(len(answers))], "S64")
    return Predictions(
        probabilities.astype(np.float32),
        np.array(labels),
        hashes,
        NAMES,
        {"model": model, **details},
    )


def losing(lost, *, won=0, of=1000):
    """A full model that is right on all but the last images, and one that loses the first ones."""
    labels = np.zeros(of, int)
    full, other = labels.copy(), labels.copy()
    full[of - won :] = 1
    other[:lost] = 1
    return answering(full, labels, "full"), answering(other, labels)


HOST = {"machine": "x86_64", "cpu": "host", "backend": "ai-edge-litert", "backend_version": "2.3.0"}
DEVICE = {**HOST, "machine": "aarch64", "cpu": "Cortex-A72"}
COUNT = 300


def chain(**flips):
    """Keras, float32, int8 and int8 on the device; each step turns so many answers of its own."""
    labels = np.arange(COUNT) % 3
    details = {
        "keras": {"scheme": "keras", "model_sha256": "a"},
        "float32": {"scheme": "float32", "model_sha256": "b", **HOST},
        "int8": {"scheme": "int8", "model_sha256": "c", **HOST},
        "int8-pi": {"scheme": "int8", "model_sha256": "c", **DEVICE},
    }
    answers, first, made = labels.copy(), 0, []
    for model, known in details.items():
        count = flips.get(model.replace("-", "_"), 0)
        answers = answers.copy()
        answers[first : first + count] = (labels[first : first + count] + 1) % 3
        first += count
        made.append(answering(answers, labels, model, **known))
    return made


def steps(report):
    return [(step.name, step.before_model, step.after_model) for step in report.steps]


def costing(**figures):
    keras, float32, int8, _ = chain()
    return keras, [float32, replace(int8, details={**int8.details, **figures})]
