import importlib.metadata
import json
import subprocess
import sys
import types

import numpy as np
import pytest

from edge_runtime.errors import EdgeError, MissingDependencyError, ModelError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.loading.probe import probe
from edge_runtime.models.model_file import read_model
from edge_runtime.runtimes import backends
from edge_runtime.runtimes.backends import BACKENDS, Backend, available_backends, choose_backend

IMAGES = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 1)).astype(np.uint8)

# Answers of one backend to the seeded images above, by model, as JSON.
ANSWER = """
import json, sys
import numpy as np
from edge_runtime import Classifier
images = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 1)).astype(np.uint8)
backend, *models = sys.argv[1:]
answers = {}
for model in models:
    with Classifier(model, backend=backend) as classifier:
        answers[model] = classifier.predict(images).tolist()
print(json.dumps({"backend": classifier.backend.package, "answers": answers}))
"""

# The largest difference to LiteRT that is allowed. tflite-runtime 2.14.0 has kernels of another age
# and no XNNPACK for int8: floats differ in their last bits, int8 by single steps of 1/256 (one,
# measured on these models), and int16x8 runs on the same reference kernels.
TOLERANCE = {
    "float32": 1e-6,
    "float16": 1e-6,
    "int8": 2 / 256,
    "int8-uint8-border": 2 / 256,
    "int8-float32-border": 2 / 256,
    "int16x8": 1e-4,
    "int16x8-float32-border": 1e-4,
}


def installed(monkeypatch, *packages):
    """Pretend that exactly these packages are installed."""

    monkeypatch.setattr(
        backends, "installed_version", lambda package: "1.2.3" if package in packages else None
    )


def answers_of(python, backend, models):
    child = subprocess.run(
        [str(python), "-c", ANSWER, backend, *map(str, models)], capture_output=True, text=True
    )
    assert child.returncode == 0, child.stderr
    found = json.loads(child.stdout)
    return found["backend"], [np.array(found["answers"][str(model)]) for model in models]


# The choice.


def test_litert_is_preferred_then_tflite_runtime(monkeypatch):
    installed(monkeypatch, "ai-edge-litert", "tflite-runtime", "tensorflow")
    assert choose_backend().name == "litert"
    installed(monkeypatch, "tflite-runtime", "tensorflow")
    assert choose_backend().name == "tflite-runtime"


def test_tensorflow_is_never_chosen_unasked(monkeypatch):
    installed(monkeypatch, "tensorflow")
    assert [backend.name for backend in available_backends()] == ["tensorflow"]
    with pytest.raises(
        MissingDependencyError, match=r"No TFLite runtime is installed; .* pip install ai-edge"
    ):
        choose_backend()


@pytest.mark.parametrize("name", ["litert", "tflite-runtime", "tensorflow"])
def test_each_backend_is_found_by_its_name_installed_or_not(monkeypatch, name):
    installed(monkeypatch)
    assert available_backends() == ()
    assert choose_backend(name).name == name


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("lite-rt", "litert"),
        ("LiteRT", "litert"),
        ("tflite_runtime", "tflite-runtime"),
        ("tensorflw", "tensorflow"),
    ],
)
def test_for_an_unknown_name_the_nearest_is_offered(name, nearest):
    with pytest.raises(EdgeError, match=f"There is no backend '{name}'.*Did you mean '{nearest}'"):
        choose_backend(name)


def test_for_a_name_like_no_other_only_the_list_is_shown():
    with pytest.raises(EdgeError, match=r"choose one of litert, tflite-runtime, tensorflow\.$"):
        choose_backend("onnx")


# Loading.


def test_a_backend_that_is_not_installed_is_named_with_the_pip_line():
    backend = Backend("other", "no-such-runtime", "no_such_runtime", "Interpreter", "no-such==1.0")
    assert backend.version == "not installed"
    with pytest.raises(
        MissingDependencyError,
        match=r"The backend other needs no-such-runtime, .* with: pip install no-such==1\.0$",
    ):
        backend.load(b"")


@pytest.mark.parametrize(
    ("module", "interpreter"), [("no_such_module", "Interpreter"), ("json", "Interpreter")]
)
def test_a_broken_installation_is_told_from_a_missing_one(module, interpreter):
    backend = Backend("broken", "numpy", module, interpreter, "numpy")
    with pytest.raises(
        MissingDependencyError,
        match=r"is installed but cannot be imported .* fix it with: pip install numpy",
    ):
        backend.load(b"")


def test_a_runtime_that_imports_and_does_not_work_is_told_with_the_pip_line(tmp_path, monkeypatch):
    # What tflite-runtime 2.14.0 does with NumPy 2.
    (tmp_path / "old_runtime.py").write_text(
        "class Interpreter:\n"
        "    def __init__(self, **options):\n"
        "        cause = ImportError('numpy.core.multiarray failed to import')\n"
        "        raise SystemError('returned a result with an exception set') from cause\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    backend = Backend("old", "numpy", "old_runtime", "Interpreter", "old==1.0 'numpy<2'")
    with pytest.raises(
        MissingDependencyError,
        match=r"does not work \(numpy.core.multiarray failed to import\); "
        r"fix it with: pip install old==1.0 'numpy<2'$",
    ):
        backend.load(b"")


def test_an_operator_that_the_runtime_does_not_know_is_refused_in_one_sentence(changed_model):
    def from_the_future(model):
        model.operatorCodes[0].version = 999

    with pytest.raises(
        ModelError, match=r"ai-edge-litert .* cannot run this model: .*'999'"
    ) as info:
        choose_backend("litert").load(changed_model("int8", from_the_future))
    assert "\n" not in str(info.value)


def test_the_runtime_prints_nothing_while_it_loads(tiny_model, capfd):
    Classifier(tiny_model("int8"))
    assert capfd.readouterr() == ("", "")


def test_a_runtime_of_numpy_1_says_so_instead_of_failing_oddly_with_numpy_2(monkeypatch):
    versions = {"tflite-runtime": "2.14.0", "numpy": "2.2.6"}
    monkeypatch.setattr(backends, "installed_version", versions.get)
    for use in (choose_backend("tflite-runtime").import_runtime, lambda: probe_bytes(b"")):
        with pytest.raises(
            MissingDependencyError,
            match=r"^tflite-runtime 2\.14\.0 is made for NumPy 1, and NumPy 2\.2\.6 is installed; "
            r"fix it with: pip install 'numpy<2'$",
        ):
            use()


def probe_bytes(model):
    return choose_backend("tflite-runtime").load(model)


# The kernels.


def test_built_in_kernels_leave_xnnpack_out(tiny_model):
    counts = {
        kernels: Classifier(tiny_model("int8"), kernels=kernels).delegation().inside_xnnpack
        for kernels in ("auto", "built-in", "reference")
    }
    assert counts == {"auto": 4, "built-in": 0, "reference": 0}


@pytest.mark.parametrize("name", TOLERANCE)
def test_all_kernels_answer_alike(tiny_model, name):
    path = tiny_model(name)
    expected = Classifier(path, kernels="reference").predict(IMAGES)
    for kernels in ("auto", "built-in"):
        difference = np.abs(Classifier(path, kernels=kernels).predict(IMAGES) - expected).max()
        assert difference <= TOLERANCE[name], kernels


def test_unknown_kernels_are_refused_with_those_that_there_are(tiny_model):
    with pytest.raises(EdgeError, match="one of auto, built-in, reference, got 'fast'"):
        Classifier(tiny_model("int8"), kernels="fast")


def test_a_runtime_that_cannot_choose_its_kernels_says_so(monkeypatch):
    runtime = types.ModuleType("old_runtime")
    runtime.Interpreter = object
    monkeypatch.setitem(sys.modules, "old_runtime", runtime)
    backend = Backend("old", "numpy", "old_runtime", "Interpreter", "new-runtime")
    with pytest.raises(
        MissingDependencyError,
        match=r"^numpy \S+ has no choice of kernels; use the kernels auto, or .* new-runtime$",
    ):
        backend.load(b"", kernels="built-in")


def test_the_versions_are_those_that_are_installed():
    for backend in available_backends():
        assert backend.version == importlib.metadata.version(backend.package)
    assert {backend.name for backend in available_backends()} <= {item.name for item in BACKENDS}


# The other two runtimes.


def test_tensorflow_answers_like_litert(tiny_model):
    if choose_backend("tensorflow").version == "not installed":
        pytest.skip("TensorFlow is not installed (pip install '.[train]')")
    names = ("float32", "dynamic", "int8")
    models = [tiny_model(name) for name in names]
    # In a process of its own: TensorFlow takes 400 MB, and stays.
    package, answers = answers_of(sys.executable, "tensorflow", models)
    assert package == "tensorflow"
    for model, answer in zip(models, answers, strict=True):
        # The same kernels, perhaps a few months apart.
        assert np.abs(answer - Classifier(model).predict(IMAGES)).max() <= 1 / 256


def test_tflite_runtime_answers_like_litert(tiny_model, tflite_runtime_python):
    models = [tiny_model(name) for name in TOLERANCE]
    package, answers = answers_of(tflite_runtime_python, "tflite-runtime", models)
    assert package == "tflite-runtime"
    for model, answer, tolerance in zip(models, answers, TOLERANCE.values(), strict=True):
        difference = np.abs(answer - Classifier(model, backend="litert").predict(IMAGES)).max()
        assert difference <= tolerance, model.name


def test_tflite_runtime_is_chosen_where_litert_is_not_installed(tflite_runtime_python):
    code = "from edge_runtime import choose_backend; print(choose_backend().name)"
    child = subprocess.run(
        [str(tflite_runtime_python), "-c", code], capture_output=True, text=True, check=True
    )
    assert child.stdout == "tflite-runtime\n"


def test_a_dynamic_model_as_tensorflow_converts_it_is_refused_by_tflite_runtime_with_the_reason(
    tiny_model, tflite_runtime_python
):
    # FULLY_CONNECTED version 12; `converter` makes dynamic models that do load there.
    with pytest.raises(ModelError, match="'FULLY_CONNECTED' version '12'") as refused:
        probe(read_model(tiny_model("dynamic")), python=str(tflite_runtime_python))
    assert str(refused.value).startswith("tflite-runtime 2.14.0 cannot run this model: ")
