import numpy as np
import pytest

from edge_runtime import probe as probe_module
from edge_runtime.backends import choose_backend
from edge_runtime.errors import ModelError
from edge_runtime.probe import ProbeResult, probe


def fake_python(tmp_path, script):
    """An executable that behaves like an interpreter whose runtime does ``script``."""
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def result(*outside, operator_count=5):
    return ProbeResult("ai-edge-litert", "2.3.0", outside, operator_count)


@pytest.mark.parametrize("name", ["float32", "int8", "dynamic"])
def test_a_model_that_runs_is_described(tiny_model, name):
    found = probe(tiny_model(name))
    backend = choose_backend()
    assert (found.backend, found.backend_version) == (backend.package, backend.version)
    assert found.operator_count == 5
    assert found.to_dict()["backend_version"] == backend.version


def test_what_litert_hands_to_xnnpack_depends_on_the_scheme(tiny_model):
    pytest.importorskip("ai_edge_litert")
    assert probe(tiny_model("float32"), backend="litert").xnnpack == "whole graph"
    assert probe(tiny_model("int8"), backend="litert").xnnpack == "all but SOFTMAX"
    slow = probe(tiny_model("int16x8"), backend="litert")
    assert slow.xnnpack == "none"
    assert slow.outside_xnnpack == (
        "CONV_2D",
        "FULLY_CONNECTED",
        "MAX_POOL_2D",
        "RESHAPE",
        "SOFTMAX",
    )


def test_tflite_runtime_is_probed_from_here(tiny_model, tflite_runtime_python):
    found = probe(tiny_model("int8"), python=str(tflite_runtime_python))
    assert found.backend == "tflite-runtime"
    assert found.xnnpack == "none"


@pytest.mark.parametrize(
    ("outside", "words"),
    [
        ((), "whole graph"),
        (("SOFTMAX",), "all but SOFTMAX"),
        (("RESHAPE", "SOFTMAX"), "all but RESHAPE, SOFTMAX"),
        (("A", "B", "C"), "all but 3 of 5 operators"),
        (("A", "B", "C", "D", "E"), "none"),
    ],
)
def test_the_share_of_xnnpack_is_told_in_words(outside, words):
    assert result(*outside).xnnpack == words
    assert result(*outside).to_dict()["xnnpack"] == words


def test_a_model_that_answers_with_nan_is_refused(tmp_path, changed_model):
    def poison(model):
        weights = model.buffers[model.subgraphs[0].tensors[1].buffer]
        weights.data = np.full(len(weights.data) // 4, np.nan, "<f4").tobytes()

    path = tmp_path / "nan.tflite"
    path.write_bytes(changed_model("float32", poison))
    with pytest.raises(ModelError, match="The model answers with NaN or infinity"):
        probe(path)


def test_a_damaged_model_is_refused_with_the_childs_sentence(tmp_path, tiny_model):
    path = tmp_path / "cut.tflite"
    path.write_bytes(tiny_model("int8").read_bytes()[:2000])
    with pytest.raises(ModelError, match=r"^cut.tflite: ") as caught:
        probe(path)
    assert "Traceback" not in str(caught.value)


def test_a_missing_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"none\.tflite: there is no such model file"):
        probe(tmp_path / "none.tflite")


def test_an_unknown_backend_is_refused(tiny_model):
    with pytest.raises(ModelError, match="There is no backend 'onnx'"):
        probe(tiny_model("int8"), backend="onnx")


def test_a_crash_of_the_runtime_is_a_sentence_and_not_our_crash(tmp_path, tiny_model):
    python = fake_python(tmp_path, "kill -SEGV $$")
    with pytest.raises(ModelError, match=r"The runtime died of this model \(signal 11\)"):
        probe(tiny_model("int8"), python=python)


def test_a_silent_failure_is_a_sentence_too(tmp_path, tiny_model):
    with pytest.raises(ModelError, match="it gave no reason"):
        probe(tiny_model("int8"), python=fake_python(tmp_path, "exit 7"))


def test_a_model_that_never_answers_is_given_up(tmp_path, tiny_model, monkeypatch):
    monkeypatch.setattr(probe_module, "_TIMEOUT_SECONDS", 0.2)
    with pytest.raises(ModelError, match="did not answer within 0 s"):
        probe(tiny_model("int8"), python=fake_python(tmp_path, "exec sleep 30"))


def test_nothing_in_the_current_folder_passes_for_a_module_of_ours(
    tmp_path, tiny_model, monkeypatch
):
    (tmp_path / "numpy.py").write_text("raise SystemExit('the wrong numpy')")
    monkeypatch.chdir(tmp_path)
    assert probe(tiny_model("int8")).operator_count == 5


def test_a_relative_path_is_found_by_the_child(tiny_model, monkeypatch):
    path = tiny_model("int8")
    monkeypatch.chdir(path.parent)
    assert probe(path.relative_to(path.parent)).operator_count == 5
