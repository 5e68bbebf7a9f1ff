"""Which package may import which; see the drawing in CONTRIBUTING.md."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import edge_runtime

ROOT = Path(edge_runtime.__file__).parent.parent
TENSORFLOW = {"tensorflow", "tensorflow_datasets", "keras", "tf_keras"}
FORBIDDEN = {
    "edge_runtime": TENSORFLOW | {"trainer", "converter", "sklearn", "scipy", "matplotlib"},
    "converter": {"trainer"},
    "trainer": {"converter"},
}
# Within a function, so that nothing is loaded before a plot is asked for.
ALLOWED = {"edge_runtime/benchmark/plot.py": {"matplotlib"}}


def sources(package):
    return sorted((ROOT / package).rglob("*.py"))


def imported(path):
    """The top-level packages that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


def module_names_as_text(path):
    """The text constants of a file that read like a module of the trainer's or the converter's."""
    return {
        node.value
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"(trainer|converter)(\.\w+)*(:\w+)?", node.value)
    }


def loaded_by(code):
    """The top-level packages that are loaded after ``code`` ran in a fresh interpreter."""
    report = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    child = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True
    )
    assert child.returncode == 0, child.stderr
    return set(child.stdout.split())


@pytest.mark.parametrize("package", FORBIDDEN)
def test_no_file_imports_what_its_package_must_not_know(package):
    assert sources(package)
    for path in sources(package):
        allowed = ALLOWED.get(str(path.relative_to(ROOT)), set())
        assert imported(path).isdisjoint(FORBIDDEN[package] - allowed), path


def test_relative_imports_are_not_used_so_the_check_above_sees_all():
    for package in FORBIDDEN:
        for path in sources(package):
            levels = [
                node.level
                for node in ast.walk(ast.parse(path.read_text("utf-8")))
                if isinstance(node, ast.ImportFrom)
            ]
            assert not any(levels), path


def test_only_the_root_command_names_the_other_packages_as_text():
    naming = {
        str(path.relative_to(ROOT)): names
        for path in sources("edge_runtime")
        if (names := module_names_as_text(path))
    }
    assert naming == {"edge_runtime/cli.py": {"trainer.cli", "converter.cli"}}


def test_importing_edge_runtime_loads_none_of_the_others():
    assert loaded_by("import edge_runtime").isdisjoint(FORBIDDEN["edge_runtime"] | {"numpy", "PIL"})


def test_importing_every_module_of_edge_runtime_loads_none_of_the_others():
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in sources("edge_runtime")
    ]
    assert "edge_runtime.commands.parity" in modules
    loaded = loaded_by("\n".join(f"import {module}" for module in modules))
    assert "numpy" in loaded
    assert loaded.isdisjoint(FORBIDDEN["edge_runtime"])


def test_classifying_loads_one_runtime_and_no_tensorflow(tiny_model):
    loaded = loaded_by(
        "import numpy, edge_runtime\n"
        f"classifier = edge_runtime.Classifier({str(tiny_model('int8'))!r})\n"
        "classifier.classify(numpy.zeros((8, 8, 1), 'u1'))"
    )
    assert loaded.isdisjoint(FORBIDDEN["edge_runtime"])
    assert len(loaded & {"ai_edge_litert", "tflite_runtime"}) == 1


def test_verifying_a_signature_needs_cryptography_alone():
    standard = ROOT / "tests" / "data" / "oms"
    loaded = loaded_by(
        "from pathlib import Path\n"
        "from edge_runtime.files import sha256\n"
        "from edge_runtime.signing.keys import read_public_key\n"
        "from edge_runtime.signing.verification import verify\n"
        f"folder = Path({str(standard)!r})\n"
        "key = read_public_key(folder / 'p256.pub')\n"
        "digest = sha256((folder / 'model.bin').read_bytes())\n"
        "verify(digest, (folder / 'p256.sig').read_bytes(), [key])"
    )
    assert "cryptography" in loaded
    assert loaded.isdisjoint({"model_signing", "google", "sigstore", "pydantic", "numpy"})


def test_the_root_command_loads_neither_arrays_nor_pictures():
    loaded = loaded_by("import edge_runtime.cli")
    assert loaded.isdisjoint({"numpy", "PIL", "ai_edge_litert", "tflite_runtime"})
    assert "click" in loaded


def test_the_public_names_are_these():
    assert edge_runtime.__all__ == [
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


def test_every_public_name_can_be_imported_and_no_other():
    for name in edge_runtime.__all__:
        assert getattr(edge_runtime, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'Clasifier'"):
        _ = edge_runtime.Clasifier
