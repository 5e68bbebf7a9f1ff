"""Run image classifiers on small devices, and prove that they answer like the full model.

Needs NumPy, Pillow and one TFLite runtime; TensorFlow is imported only when asked for by name.

    from edge_runtime import Classifier

    with Classifier("int8.tflite") as classifier:
        print(classifier.classify("boot.png"))
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_runtime.backends import Backend, available_backends, choose_backend
    from edge_runtime.classifier import Classification, Classifier
    from edge_runtime.datasets import Dataset, DatasetSpec, load_dataset
    from edge_runtime.errors import EdgeError
    from edge_runtime.evaluation import predict_file
    from edge_runtime.images import Preprocessing, read_picture
    from edge_runtime.inspection import inspect_model
    from edge_runtime.metrics import PairedCounts, count_pairs
    from edge_runtime.parity import Budgets, Contract, Margins, ParityReport, compare
    from edge_runtime.parity.contract_file import load_contract
    from edge_runtime.pool import ClassifierPool
    from edge_runtime.predictions import Predictions

_HOME = {
    "Backend": "backends",
    "Budgets": "parity",
    "Classification": "classifier",
    "Classifier": "classifier",
    "ClassifierPool": "pool",
    "Contract": "parity",
    "Dataset": "datasets",
    "DatasetSpec": "datasets",
    "EdgeError": "errors",
    "Margins": "parity",
    "PairedCounts": "metrics",
    "ParityReport": "parity",
    "Predictions": "predictions",
    "Preprocessing": "images",
    "available_backends": "backends",
    "choose_backend": "backends",
    "compare": "parity",
    "count_pairs": "metrics",
    "inspect_model": "inspection",
    "load_contract": "parity.contract_file",
    "load_dataset": "datasets",
    "predict_file": "evaluation",
    "read_picture": "images",
}

__all__ = [
    "Backend",
    "Budgets",
    "Classification",
    "Classifier",
    "ClassifierPool",
    "Contract",
    "Dataset",
    "DatasetSpec",
    "EdgeError",
    "Margins",
    "PairedCounts",
    "ParityReport",
    "Predictions",
    "Preprocessing",
    "available_backends",
    "choose_backend",
    "compare",
    "count_pairs",
    "inspect_model",
    "load_contract",
    "load_dataset",
    "predict_file",
    "read_picture",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `fmnist-edge --help` needs no NumPy."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
