"""Models that are tried in a process of its own, which some of them kill."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from script_modules import script_module

from edge_runtime.data.datasets import Dataset, Split
from edge_runtime.doctor import case as case_module
from edge_runtime.doctor import examine, open_record
from edge_runtime.errors import ModelError
from edge_runtime.inference.loading import workbench as workbench_module
from edge_runtime.inference.loading.workbench import Workbench
from edge_runtime.models.inspection import inspect_model
from edge_runtime.models.quantized import Affine, QuantizedFile
from edge_runtime.runtimes.backends import choose_backend

pytest.importorskip("ai_edge_litert.schema_py_generated")


@pytest.fixture
def bench() -> Iterator[Workbench]:
    with Workbench(choose_backend("litert")) as opened:
        yield opened


@pytest.fixture(scope="module")
def deadly() -> bytes:
    """An addition in int16 whose scale makes the kernel end the process by signal 6."""
    file = QuantizedFile(script_module("measure-op-types").one_operator_model("ADD", "int16"))
    changed = file.with_affines({file.graph.outputs[0]: Affine(1e-38, 0)})
    inspect_model(changed)  # its structure is sound
    return changed


def test_a_model_that_kills_its_process_is_an_error_and_the_next_one_runs(
    bench: Workbench, deadly: bytes, tiny_model: Callable[[str], Path]
) -> None:
    data = tiny_model("int16x8").read_bytes()
    noise = np.random.default_rng(0).integers(0, 100, (3, 8, 8, 1)).astype(np.int16)
    before = bench.run(data, noise)
    for _ in range(2):  # the second time it is known
        with pytest.raises(ModelError, match=r"the runtime dies of this model \(signal 6\)"):
            bench.load(deadly)
    assert bench.deaths == 1
    np.testing.assert_array_equal(bench.run(data, noise), before)


def test_it_answers_as_an_interpreter_does(
    bench: Workbench, tiny_model: Callable[[str], Path]
) -> None:
    data = tiny_model("int8").read_bytes()
    noise = np.random.default_rng(0).integers(-128, 128, (5, 8, 8, 1)).astype(np.int8)
    interpreter = choose_backend("litert").load(data)
    expected = []
    for image in noise:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[np.newaxis])
        interpreter.invoke()
        expected.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])
    np.testing.assert_array_equal(bench.run(data, noise), expected)
    source = inspect_model(data).inputs[0].index
    seen = bench.observe(data, noise, (source,))
    assert seen[:, 0, 0].tolist() == noise.min(axis=(1, 2, 3)).tolist()
    assert seen[:, 0, 1].tolist() == noise.max(axis=(1, 2, 3)).tolist()


def test_more_models_than_it_keeps_are_sent_again(
    bench: Workbench, tiny_model: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = QuantizedFile(tiny_model("int8").read_bytes())
    copies = [
        file.with_affines({file.graph.inputs[0]: Affine(float(scale), -128)})
        for scale in range(1, 2 * workbench_module._MOST_LOADED)
    ]
    image = np.zeros((1, 8, 8, 1), np.int8)
    first = [bench.run(copy, image).tolist() for copy in copies]
    assert [bench.run(copy, image).tolist() for copy in copies] == first


def test_what_takes_too_long_is_ended(
    bench: Workbench, tiny_model: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbench_module, "_TIMEOUT_SECONDS", 0)
    command = (sys.executable, "-c", "import time; time.sleep(60)")
    monkeypatch.setattr(workbench_module, "command_of", lambda *arguments: command)
    with pytest.raises(ModelError, match="did not answer within 0 s"):
        bench.load(tiny_model("int8").read_bytes())
    assert bench._child is None


def test_an_examination_outlives_a_copy_that_kills_the_runtime(
    tiny_model: Callable[[str], Path], deadly: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every copy with fitted ranges is a deadly one."""
    real = case_module.recalibrate

    def fitted(*arguments: object) -> object:
        found = real(*arguments)  # type: ignore[arg-type]
        object.__setattr__(found, "data", deadly)
        return found

    monkeypatch.setattr(case_module, "recalibrate", fitted)
    rng = np.random.default_rng(0)
    split = Split(rng.integers(0, 256, (60, 8, 8, 1), np.uint8), np.arange(60) % 10)
    diagnosis = examine(
        "tiny",
        open_record(tiny_model("int16x8")),
        Dataset("noise", tuple("abcdefghij"), split, split),
        backend=choose_backend("litert"),
        images=40,
    )
    assert diagnosis.baseline is not None
    assert diagnosis.notes[-1] == (
        "1 corrected copy could not be tried: ai-edge-litert dies of such a copy."
    )


def test_a_tensor_that_the_runtime_writes_over_is_looked_at_by_itself(
    tflite_runtime_python: Path, tiny_model: Callable[[str], Path]
) -> None:
    """tflite-runtime writes the int16 softmax over its input, though told to keep all tensors."""
    code = """
import sys
from pathlib import Path
import numpy as np
from edge_runtime.runtimes.backends import choose_backend
from edge_runtime.inference.recalibration import recalibrate
from edge_runtime.models.quantized import QuantizedFile
from edge_runtime.inference.loading.workbench import Workbench
file = QuantizedFile(Path(sys.argv[1]).read_bytes())
images = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 1)).astype(np.float32)
with Workbench(choose_backend()) as bench:
    fitted = recalibrate(file, bench, images)
scores = file.graph.producers()[next(
    index for operator in file.graph.operators if operator.code.name == "SOFTMAX"
    for index in operator.inputs)].outputs[0]
print(scores in file.hidden, *fitted.extremes[file.group_of(scores).tensors[0]])
"""
    command = [tflite_runtime_python, "-c", code, tiny_model("int16x8-float32-border")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    hidden, low, high = done.stdout.split()
    assert hidden == "True"
    with Workbench(choose_backend("litert")) as bench:
        from edge_runtime.inference.recalibration import recalibrate

        file = QuantizedFile(tiny_model("int16x8-float32-border").read_bytes())
        images = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 1)).astype(np.float32)
        expected = recalibrate(file, bench, images)
    (scores,) = [
        operator.inputs[0] for operator in file.graph.operators if operator.code.name == "SOFTMAX"
    ]
    group = file.group_of(scores)
    assert group is not None
    # Both runtimes compute int16 in nearly the same numbers.
    np.testing.assert_allclose(
        [float(low), float(high)], expected.extremes[group.tensors[0]], rtol=0.01
    )
