"""Who takes part: each contestant's name, environment and adapter."""

from dataclasses import dataclass
from pathlib import Path

BASELINE = "litert-static"


@dataclass(frozen=True)
class Contestant:
    """One runtime with one file.

    Attributes:
        key: what `--only` takes, e.g. "litert-static-int8".
        label: for people.
        precision: "float32" or "int8".
        environment: the folder of the virtual environment that it runs in.
        adapter: module and class under `peers`, as "adapters_litert:SetGet".
        model: the file's name in the folder of models.
    """

    key: str
    label: str
    precision: str
    environment: str
    adapter: str
    model: str

    def python(self, root: Path) -> Path:
        """Return the Python that runs it."""
        return root / self.environment / "bin" / "python"


_FAMILIES = (  # key, label, environment, adapter, models of float32 and int8
    ("fmnist-edge", "fmnist-edge Classifier", ".venv", "adapters_litert:Ours", "ours-{}.tflite"),
    ("fmnist-edge-invoke", "fmnist-edge, invoke alone", ".venv", "adapters_litert:Invoke",
     "ours-{}.tflite"),
    ("litert-static", "LiteRT, static batch", ".venv", "adapters_litert:SetGet",
     "static-{}.tflite"),
    ("litert-tutorial", "LiteRT, as tutorials convert", ".venv", "adapters_litert:SetGet",
     "tutorial-{}.tflite"),
    ("litert-compiled", "LiteRT CompiledModel", ".venv", "adapters_litert:Compiled",
     "static-{}.tflite"),
    ("tflite-runtime-static", "tflite-runtime, static batch", ".venv-tflite-runtime",
     "adapters_litert:SetGet", "static-{}.tflite"),
    ("tflite-runtime-tutorial", "tflite-runtime, as tutorials convert", ".venv-tflite-runtime",
     "adapters_litert:SetGet", "tutorial-{}.tflite"),
    ("onnxruntime", "ONNX Runtime", ".venv-bench", "adapters_others:OnnxRuntime", "onnx-{}.onnx"),
    ("openvino", "OpenVINO", ".venv-bench", "adapters_others:OpenVino", "openvino-{}.xml"),
    ("ncnn", "ncnn", ".venv-bench", "adapters_others:Ncnn", "ncnn-{}.param"),
    ("torch", "PyTorch", ".venv-bench", "adapters_torch:Torch", "weights.npz"),
)  # fmt: skip
_FLOAT_ONLY = ("ncnn",)  # its tools that quantize are not in the Python package

CONTESTANTS = tuple(
    Contestant(f"{key}-{precision}", label, precision, env, adapter, model.format(precision))
    for key, label, env, adapter, model in _FAMILIES
    for precision in ("float32", "int8")
    if not (key in _FLOAT_ONLY and precision == "int8")
)


def choose(names: str | None) -> tuple[Contestant, ...]:
    """Return the contestants whose key starts with one of the names, separated by commas.

    Raises:
        ValueError: no contestant has such a name.
    """
    if names is None:
        return CONTESTANTS
    wanted = [name.strip() for name in names.split(",")]
    for name in wanted:
        if not name or not any(item.key.startswith(name) for item in CONTESTANTS):
            keys = ", ".join(item.key for item in CONTESTANTS)
            raise ValueError(f"Expected --only to name peers, got {name!r}; expected {keys}")
    return tuple(item for item in CONTESTANTS if item.key.startswith(tuple(wanted)))
