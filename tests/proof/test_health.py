"""Warnings about files that answer at chance or have lost half of their accuracy."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundles import CLASSES, noise_dataset
from conftest import Finished
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from edge_runtime.inference.bundling.making import bundle as make_bundle
from edge_runtime.inference.bundling.making import golden_kernels
from edge_runtime.inference.loading.selftest import run_selftest
from edge_runtime.models.bundle.contents import read_bundle
from edge_runtime.models.model_file import ModelFile
from edge_runtime.proof.health import Health, measure_health
from edge_runtime.proof.metrics import Rate
from edge_runtime.runtimes.backends import choose_backend

Cli = Callable[..., Finished]


def health(right: int, full: int, *, total: int = 1000, lost: int | None = None) -> Health:
    lost = max(full - right, 0) if lost is None else lost
    return Health(
        "test images", Rate(right, total), total // 10, Rate(full, total), lost, right - full + lost
    )


def test_what_is_no_better_than_the_commonest_class_is_at_chance() -> None:
    assert health(98, 900).is_at_chance
    assert health(110, 900).is_at_chance  # within luck
    assert not health(130, 900).is_at_chance
    assert not Health("test images", Rate(1, 2), 1).is_at_chance  # two images show nothing
    assert Health("test images", Rate(5, 10), 5).is_at_chance


@given(st.integers(20, 400), st.data())
def test_at_chance_is_what_an_exact_test_cannot_tell_from_it(total: int, data: Any) -> None:
    right = data.draw(st.integers(0, total))
    found = Health("test images", Rate(right, total), total // 10)
    p_value = binomtest(right, total, (total // 10) / total, alternative="greater").pvalue
    # Both sides of the 95 % interval have 2.5 %.
    assert found.is_at_chance == (p_value > 0.025)


@pytest.mark.parametrize(
    ("rare_found", "falsely", "at_chance"),
    [(6, 2, False), (9, 8, False), (0, 0, True), (1, 5, True)],
    ids=["few errors", "more of the rare ones", "always the commonest", "below the commonest"],
)
def test_a_good_model_is_not_at_chance_where_nearly_all_images_are_of_one_class(
    rare_found: int, falsely: int, at_chance: bool
) -> None:
    labels = np.repeat([0, 1], [190, 10])
    answers = np.zeros(200, np.int64)
    answers[:falsely] = 1
    answers[190 : 190 + rare_found] = 1
    found = measure_health(answers, labels, answers, images="test images")
    assert found.is_at_chance == at_chance
    assert (found.warning is not None) == at_chance


def test_losing_more_than_half_of_what_lies_above_chance_is_told() -> None:
    # Chance is 10 %, the full model 64 %: half of that lies at 37 %.
    assert health(260, 640).has_lost_half
    assert not health(380, 640).has_lost_half
    assert not health(360, 640).has_lost_half  # within luck of 37 %
    assert not health(630, 640).has_lost_half
    assert not health(90, 95).has_lost_half  # it had nothing to lose


def test_the_warning_has_the_figures() -> None:
    assert health(260, 640).warning == (
        "has lost more than half of the full model's accuracy above chance: 26.0 % of 1,000 test "
        "images are right (95 % interval 23.3 to 28.8), the full model 64.0 %; always giving the "
        "commonest class 10.0 %"
    )
    at_chance = health(98, 900).warning
    assert at_chance is not None
    assert at_chance.startswith("answers at chance: 9.8 % of 1,000 test images are right")
    assert health(630, 640).warning is None


def test_health_is_counted_pair_by_pair() -> None:
    labels = np.arange(40) % 4
    answers, full = labels.copy(), labels.copy()
    answers[:10] = (labels[:10] + 1) % 4
    full[5:12] = (labels[5:12] + 1) % 4
    found = measure_health(answers, labels, full, images="training images")
    assert (found.accuracy, found.full) == (Rate(30, 40), Rate(33, 40))
    assert (found.lost, found.won, found.commonest) == (5, 2, 10)


@pytest.fixture
def elu(changed_model: Callable[..., bytes]) -> bytes:
    """A float32 model that ends in an ELU, which changes no probability."""
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")

    def append(model: Any) -> None:
        graph = model.subgraphs[0]
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.ELU
        code.version = 1
        model.operatorCodes.append(code)
        result = schema.TensorT()
        before = graph.tensors[int(graph.outputs[0])]
        result.name, result.shape, result.type = "elu", before.shape, before.type
        result.buffer = 0
        graph.tensors.append(result)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(model.operatorCodes) - 1
        operator.inputs, operator.outputs = [int(graph.outputs[0])], [len(graph.tensors) - 1]
        graph.operators.append(operator)
        graph.outputs = [len(graph.tensors) - 1]
        model.signatureDefs = None

    return changed_model("float32", append)


def test_a_model_that_reference_kernels_cannot_run_is_bundled_with_others(elu: bytes) -> None:
    backend = choose_backend()
    file = ModelFile("elu", elu)
    assert golden_kernels(file, backend) == "built-in"
    bundle = make_bundle(file, noise_dataset(), version=1, backend=backend)
    assert bundle.manifest.details["golden"]["made_with"]["kernels"] == "built-in"
    model = ModelFile("elu", bundle.model, bundle.manifest)
    tested = run_selftest(model, bundle.golden, bundle.tolerances, backend=backend)
    assert tested.ok
    assert tested.file.kernels == "built-in"


def test_a_bundle_says_when_its_model_answers_at_chance(
    cli: Cli, pictures: Path, tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    model = Path(shutil.copy(tiny_model("int8"), tmp_path / "int8.tflite"))
    done = cli("bundle", model, "--dataset", f"folder:{pictures}", "--quiet", "--json")
    assert done.code == 0
    metrics = json.loads(done.out)["manifest"]["metrics"]
    right = metrics["accuracy"]["successes"]
    assert right <= 6  # of 30 in ten classes: noise
    assert metrics["warning"].startswith(f"answers at chance: {100 * right / 30:.1f} % of 30 test")
    assert done.err == (
        f"WARNING: {model} {metrics['warning']}. Find out why with: fmnist-edge doctor {model}\n"
    )
    card = read_bundle((tmp_path / "int8.edge.zip").read_bytes()).card
    assert "- **Do not ship this model: it answers at chance: " in card


def test_convert_says_when_a_file_answers_at_chance(
    cli: Cli, pictures: Path, tmp_path: Path
) -> None:
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(len(CLASSES), "softmax")]
    )
    model.save(tmp_path / "mine.keras")
    options = ("--quantize", "float32", "--dataset", f"folder:{pictures}", "--quiet", "--json")
    done = cli("convert", tmp_path / "mine.keras", *options)
    assert done.code == 0, done.err
    (made,) = json.loads(done.out)["models"]
    assert made["health"]["images"] == "training images"
    assert made["health"]["accuracy"]["total"] == 20
    assert made["health"]["full_model_accuracy"] == made["health"]["accuracy"]
    path = tmp_path / "mine.float32.tflite"
    assert f"WARNING: {path} answers at chance: " in done.err
    assert f"Find out why with: fmnist-edge doctor {path}" in done.err
