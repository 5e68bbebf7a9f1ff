"""The Python API: every public function is documented, and its examples are run."""

import doctest
import importlib
import inspect
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from edge_runtime import load_dataset
from edge_runtime.benchmarks.measuring import Options
from edge_runtime.proof.parity.contract_file import contract_template

PACKAGES = ("edge_runtime",)
# What is only ever returned is shown by the functions that return it.
RESULTS = {"Backend", "Benchmark", "Classification", "Diagnosis", "EdgeError"} | {
    "PairedCounts",
    "ParityReport",
}


def public(package: str) -> list[tuple[str, str]]:
    return [(package, name) for name in importlib.import_module(package).__all__]


PUBLIC = [item for package in PACKAGES for item in public(package)]


@pytest.fixture(scope="module")
def where_examples_run(
    run_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A folder as a user has it after `train` and `convert`, with a picture of a bag."""
    folder = tmp_path_factory.mktemp("examples") / "run"
    shutil.copytree(run_folder, folder)
    dataset = load_dataset("sample")
    Image.fromarray(dataset.test.images[0, ..., 0]).save(folder / "bag.png")
    (folder / "parity.toml").write_text(contract_template())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


@pytest.mark.parametrize(("package", "name"), PUBLIC)
def test_each_public_name_is_documented_and_its_examples_are_true(
    package: str, name: str, where_examples_run: Path
) -> None:
    module = importlib.import_module(package)
    thing = getattr(module, name)
    assert inspect.getdoc(thing)
    everything = {other: getattr(module, other) for other in module.__all__}
    found = [
        test
        for test in doctest.DocTestFinder().find(thing, name, globs=everything)
        if test.examples
    ]
    assert found or name in RESULTS, f"{package}.{name} has no example"
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for test in found:
        runner.run(test, out=said.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)


@pytest.mark.parametrize(("package", "name"), PUBLIC)
def test_each_public_function_says_what_it_takes_returns_and_raises(
    package: str, name: str
) -> None:
    thing: Any = getattr(importlib.import_module(package), name)
    if not inspect.isfunction(thing):
        return
    text, signature = str(inspect.getdoc(thing)), inspect.signature(thing)
    if "measuring.Options" in text:  # whose keys the signature spells out
        text += str(inspect.getdoc(Options))
    assert signature.return_annotation is not inspect.Signature.empty
    for parameter in signature.parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty, parameter
        assert f"{parameter.name}: " in text, f"{name} does not describe {parameter.name}"


@pytest.mark.parametrize(
    ("package", "name", "option"),
    [
        ("converter", "convert", "representative"),
        ("converter", "convert_all", "runtime_python"),
        ("trainer", "train", "learning_rate"),
        ("edge_runtime", "benchmark", "workers"),
    ],
)
def test_help_shows_each_option_and_not_only_that_there_are_some(
    package: str, name: str, option: str
) -> None:
    parameters = inspect.signature(getattr(importlib.import_module(package), name)).parameters
    assert parameters[option].kind is inspect.Parameter.KEYWORD_ONLY
    assert not any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values())
