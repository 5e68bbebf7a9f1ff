import numpy as np
import pytest

from edge_runtime.errors import ModelError
from edge_runtime.inference.loading import probe as probe_module
from edge_runtime.inference.loading.probe import ProbeResult, probe
from edge_runtime.models.model_file import ModelFile, bundled_model, read_model
from edge_runtime.runtimes.backends import choose_backend


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
    found = probe(read_model(tiny_model(name)))
    backend = choose_backend()
    assert (found.backend, found.backend_version) == (backend.package, backend.version)
    assert found.operator_count == 5
    assert found.to_dict()["backend_version"] == backend.version


def test_what_litert_hands_to_xnnpack_depends_on_the_scheme(tiny_model):
    pytest.importorskip("ai_edge_litert")
    assert probe(read_model(tiny_model("float32")), backend="litert").xnnpack == "whole graph"
    assert probe(read_model(tiny_model("int8")), backend="litert").xnnpack == "all but SOFTMAX"
    slow = probe(read_model(tiny_model("int16x8")), backend="litert")
    assert slow.xnnpack == "none"
    assert slow.outside_xnnpack == (
        "CONV_2D",
        "FULLY_CONNECTED",
        "MAX_POOL_2D",
        "RESHAPE",
        "SOFTMAX",
    )


def test_tflite_runtime_is_probed_from_here(tiny_model, tflite_runtime_python):
    found = probe(read_model(tiny_model("int8")), python=str(tflite_runtime_python))
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


def test_a_model_that_answers_with_nan_is_refused(changed_model):
    def poison(model):
        weights = model.buffers[model.subgraphs[0].tensors[1].buffer]
        weights.data = np.full(len(weights.data) // 4, np.nan, "<f4").tobytes()

    model = ModelFile("nan", changed_model("float32", poison))
    with pytest.raises(ModelError, match=r"^the model answers with NaN or infinity"):
        probe(model)
    assert probe(model, finite=False).operator_count == 5


def test_a_damaged_model_is_refused_with_the_childs_sentence(tiny_model):
    cut = ModelFile("cut", tiny_model("int8").read_bytes()[:2000])
    with pytest.raises(ModelError, match="the model file is damaged") as caught:
        probe(cut)
    assert "Traceback" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bundle_is_probed_with_its_golden_vectors(bundle_of):
    found = probe(bundled_model(bundle_of("int8"), name="x.edge.zip"))
    assert found.selftest is not None
    assert found.selftest["ok"]
    assert found.selftest["file"]["kernels"] == "reference"
    assert found.selftest["device"]["kernels"] == "auto"
    assert found.to_dict()["selftest"] == found.selftest
    assert probe(bundled_model(bundle_of("int8"), name=""), kernels="built-in").xnnpack == "none"


def test_a_model_alone_has_no_golden_vectors(tiny_model):
    assert probe(read_model(tiny_model("int8"))).selftest is None


def test_an_unknown_backend_is_refused(tiny_model):
    with pytest.raises(ModelError, match="There is no backend 'onnx'"):
        probe(read_model(tiny_model("int8")), backend="onnx")


def test_a_crash_of_the_runtime_is_a_sentence_and_not_our_crash(tmp_path, tiny_model):
    python = fake_python(tmp_path, "kill -SEGV $$")
    with pytest.raises(ModelError, match=r"the runtime dies of this model \(signal 11\)"):
        probe(read_model(tiny_model("int8")), python=python)


def test_a_silent_failure_is_a_sentence_too(tmp_path, tiny_model):
    with pytest.raises(ModelError, match="it gave no reason"):
        probe(read_model(tiny_model("int8")), python=fake_python(tmp_path, "exit 7"))


def test_a_model_that_never_answers_is_given_up(tmp_path, tiny_model, monkeypatch):
    monkeypatch.setattr(probe_module, "_TIMEOUT_SECONDS", 0.2)
    with pytest.raises(ModelError, match=r"did not answer within 0\.2 s"):
        probe(read_model(tiny_model("int8")), python=fake_python(tmp_path, "exec sleep 30"))


def test_nothing_in_the_current_folder_passes_for_a_module_of_ours(
    tmp_path, tiny_model, monkeypatch
):
    (tmp_path / "numpy.py").write_text("raise SystemExit('the wrong numpy')")
    monkeypatch.chdir(tmp_path)
    assert probe(read_model(tiny_model("int8"))).operator_count == 5
