"""Which package may import which; see the drawing in CONTRIBUTING.md."""

import ast
import graphlib
import re
import subprocess
import sys

import pytest
from conftest import ROOT

import edge_runtime

TENSORFLOW = {"tensorflow", "tensorflow_datasets", "keras", "tf_keras"}
FORBIDDEN = {
    "edge_runtime": TENSORFLOW | {"trainer", "converter", "sklearn", "scipy", "matplotlib"},
    "converter": {"trainer"},
    "trainer": {"converter"},
}
# The wings of edge_runtime, from the ground up, and which of them each may import.
GROUND = {"errors", "wording", "files"}
WINGS: dict[str, set[str]] = {
    "errors": set(),
    "wording": set(),
    "files": {"errors", "wording"},
    "console": GROUND,
    "runtimes": GROUND,
    "data": GROUND,
    "proof": GROUND | {"data"},
    "models": GROUND | {"data", "runtimes"},
    "inference": GROUND | {"data", "runtimes", "proof", "models"},
    "doctor": GROUND | {"data", "runtimes", "proof", "models", "inference"},
    "benchmarks": GROUND | {"data", "runtimes", "proof", "models", "inference"},
    "devices": GROUND | {"data", "runtimes", "models", "inference", "console"},
    "commands": GROUND
    | {"console", "data", "runtimes", "proof", "models", "inference"}
    | {"doctor", "benchmarks", "devices"},
    "cli": {"errors", "console"},
}
# Within proof from left to right; what is to the left imports nothing to the right.
PROOF = ["statistics", "metrics", "parity", "report"]
FLOORS = 8
ENTRIES = 16
# Within a function, so that nothing is loaded before a plot is asked for.
ALLOWED = {"edge_runtime/benchmarks/plot.py": {"matplotlib"}}


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


def module_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def modules_imported(path, modules):
    """The modules of edge_runtime that a file imports anywhere in it, for types alone as well."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in modules else node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return (found & modules) - {module_of(path)}


@pytest.fixture(scope="module")
def imports():
    """Which modules of edge_runtime each of them imports; the package's own face is left out."""
    paths = {module_of(path): path for path in sources("edge_runtime")}
    del paths["edge_runtime"]
    return {name: modules_imported(path, set(paths)) for name, path in paths.items()}


def rooms(imports, depth):
    """The same of folders: modules are known by the first ``depth`` parts after edge_runtime."""
    found = {}
    for name, others in imports.items():
        room = ".".join(name.split(".")[1 : depth + 1])
        into = {".".join(other.split(".")[1 : depth + 1]) for other in others}
        found.setdefault(room, set()).update(into - {room})
    return found


def floors(graph):
    """The floor of each room: the ground is 1, and each stands above all that it imports."""
    # static_order raises CycleError where there is a circle.
    found = {}
    for room in graphlib.TopologicalSorter(graph).static_order():
        found[room] = 1 + max((found[other] for other in graph[room]), default=0)
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


def test_each_wing_imports_only_what_stands_below_it(imports):
    wings = rooms(imports, 1)
    assert set(wings) == set(WINGS)
    for wing, others in wings.items():
        assert others <= WINGS[wing], wing


def test_the_house_is_low_and_can_be_taken_in_at_a_glance(imports):
    assert max(floors(rooms(imports, 1)).values()) <= FLOORS
    entries = [path.name for path in (ROOT / "edge_runtime").iterdir()]
    assert len([name for name in entries if name != "__pycache__"]) <= ENTRIES


def test_no_module_and_no_folder_is_part_of_a_circle(imports):
    for depth in (1, 2, 3, 9):
        # A folder's own __init__ hands on what lies within it.
        graph = {
            room: {other for other in others if not other.startswith(f"{room}.")}
            for room, others in rooms(imports, depth).items()
        }
        assert floors(graph)


def test_proof_goes_from_statistics_to_the_report(imports):
    wing = rooms({n: o for n, o in imports.items() if n.startswith("edge_runtime.proof.")}, 2)
    for place, part in enumerate(PROOF):
        later = {f"proof.{other}" for other in PROOF[place + 1 :]}
        assert wing[f"proof.{part}"].isdisjoint(later), part


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
    standard = ROOT / "tests" / "fixtures" / "oms"
    loaded = loaded_by(
        "from pathlib import Path\n"
        "from edge_runtime.files.reading import sha256\n"
        "from edge_runtime.models.signing.keys import read_public_key\n"
        "from edge_runtime.models.signing.verification import verify\n"
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
        "Benchmark",
        "Budgets",
        "Classification",
        "Classifier",
        "ClassifierPool",
        "Contract",
        "Dataset",
        "DatasetSpec",
        "Diagnosis",
        "EdgeError",
        "Margins",
        "PairedCounts",
        "ParityReport",
        "Predictions",
        "Preprocessing",
        "available_backends",
        "benchmark",
        "bundle",
        "choose_backend",
        "compare",
        "count_pairs",
        "diagnose",
        "inspect_model",
        "load_contract",
        "load_dataset",
        "predict",
        "predict_file",
        "read_picture",
    ]


def test_every_public_name_can_be_imported_and_no_other():
    older = {"predict_file": "predict"}
    for name in edge_runtime.__all__:
        assert getattr(edge_runtime, name).__name__ == older.get(name, name)
    with pytest.raises(AttributeError, match="has no attribute 'Clasifier'"):
        _ = edge_runtime.Clasifier
