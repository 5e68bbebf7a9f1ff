"""Run image classifiers on small devices, and prove that they answer like the full model.

Needs NumPy, Pillow and one TFLite runtime; TensorFlow is imported only when asked for by name.

    from edge_runtime import Classifier

    with Classifier("int8.tflite") as classifier:
        print(classifier.classify("boot.png"))
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_runtime.benchmarks import Benchmark as Benchmark
    from edge_runtime.benchmarks import benchmark as benchmark
    from edge_runtime.data.datasets import Dataset as Dataset
    from edge_runtime.data.datasets import DatasetSpec as DatasetSpec
    from edge_runtime.data.datasets import load_dataset as load_dataset
    from edge_runtime.data.images import Preprocessing as Preprocessing
    from edge_runtime.data.images import read_picture as read_picture
    from edge_runtime.data.predictions import Predictions as Predictions
    from edge_runtime.doctor import Diagnosis as Diagnosis
    from edge_runtime.doctor import diagnose as diagnose
    from edge_runtime.errors import EdgeError as EdgeError
    from edge_runtime.inference.bundling.making import bundle as bundle
    from edge_runtime.inference.classifier import Classification as Classification
    from edge_runtime.inference.classifier import Classifier as Classifier
    from edge_runtime.inference.comparing import compare as compare
    from edge_runtime.inference.evaluation import predict as predict
    from edge_runtime.inference.evaluation import predict_file as predict_file
    from edge_runtime.inference.pool import ClassifierPool as ClassifierPool
    from edge_runtime.models.inspection import inspect_model as inspect_model
    from edge_runtime.proof.metrics import PairedCounts as PairedCounts
    from edge_runtime.proof.metrics import count_pairs as count_pairs
    from edge_runtime.proof.parity import Budgets as Budgets
    from edge_runtime.proof.parity import Contract as Contract
    from edge_runtime.proof.parity import Margins as Margins
    from edge_runtime.proof.parity.contract_file import load_contract as load_contract
    from edge_runtime.proof.parity_report import ParityReport as ParityReport
    from edge_runtime.runtimes.backends import Backend as Backend
    from edge_runtime.runtimes.backends import available_backends as available_backends
    from edge_runtime.runtimes.backends import choose_backend as choose_backend

# Where the public names live; the same list, for type checkers, is above.
_HOMES = {
    "benchmarks": ("Benchmark", "benchmark"),
    "data.datasets": ("Dataset", "DatasetSpec", "load_dataset"),
    "data.images": ("Preprocessing", "read_picture"),
    "data.predictions": ("Predictions",),
    "doctor": ("Diagnosis", "diagnose"),
    "errors": ("EdgeError",),
    "inference.bundling.making": ("bundle",),
    "inference.classifier": ("Classification", "Classifier"),
    "inference.comparing": ("compare",),
    "inference.evaluation": ("predict", "predict_file"),
    "inference.pool": ("ClassifierPool",),
    "models.inspection": ("inspect_model",),
    "proof.metrics": ("PairedCounts", "count_pairs"),
    "proof.parity": ("Budgets", "Contract", "Margins"),
    "proof.parity.contract_file": ("load_contract",),
    "proof.parity_report": ("ParityReport",),
    "runtimes.backends": ("Backend", "available_backends", "choose_backend"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `fmnist-edge --help` needs no NumPy."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
