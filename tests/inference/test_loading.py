"""`open_model`: what a file must pass before its bytes are loaded, in which order, how often."""

import os
import shutil

import numpy as np
import pytest
from bundles import rehashed, weights_span

from edge_runtime.errors import EdgeError, MissingDependencyError, ModelError
from edge_runtime.files.reading import cache_folder
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.loading import open_model, opening
from edge_runtime.inference.loading import probe as probe_module
from edge_runtime.inference.loading.opening import check_structure
from edge_runtime.models.bundle.contents import read_bundle
from edge_runtime.models.model_file import ModelFile
from edge_runtime.runtimes import machine
from edge_runtime.runtimes.backends import choose_backend

pytestmark = pytest.mark.usefixtures("empty_cache")

# A child whose runtime takes as much memory as it can get.
HUNGRY = """
import sys
from edge_runtime.inference.loading import child
def examine(data, *rest, **options):
    child.limit_this_process(len(data))
    return bytearray(1 << 40)
child._examine = examine
sys.exit(child.main())
"""
BUSY = """
import resource
resource.setrlimit(resource.RLIMIT_CPU, (1, 2))
while True:
    pass
"""


@pytest.fixture
def model(tmp_path, tiny_model):
    return shutil.copy(tiny_model("int8"), tmp_path / "model.tflite")


@pytest.fixture
def bundle(tmp_path, bundle_of):
    path = tmp_path / "model.edge.zip"
    path.write_bytes(bundle_of("int8"))
    return path


@pytest.fixture
def probed(monkeypatch):
    """The names of the files that a child process was started for."""
    names = []

    def probe(file, **options):
        names.append(file.name)
        return probe_module.probe(file, **options)

    monkeypatch.setattr(opening, "probe", probe)
    return names


def damaged(data, position):
    changed = bytearray(data)
    changed[position] ^= 1
    return bytes(changed)


def test_a_sound_model_and_a_sound_bundle_are_opened(model, bundle, tiny_model):
    for path in (model, bundle):
        assert open_model(path).data == tiny_model("int8").read_bytes()


def test_a_classifier_opens_its_file_so_and_names_the_classes_of_a_bundle(model, bundle, probed):
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1)).astype(np.uint8)
    with Classifier(bundle) as bundled, Classifier(model) as bare:
        assert (bundled.class_names[0], bare.class_names[0]) == ("a", "0")
        assert np.array_equal(bundled.predict(images), bare.predict(images))
    assert probed == [str(bundle), str(model)]


# The order of the steps.


def test_hash_and_seal_are_checked_before_anything_else(bundle, probed, monkeypatch):
    monkeypatch.setattr(opening, "inspect_file", lambda file: pytest.fail("too early"))
    bundle.write_bytes(damaged(bundle.read_bytes(), 5000))
    with pytest.raises(ModelError, match="do not have the SHA-256 that it ends with"):
        open_model(bundle)
    assert probed == []


def test_the_structure_is_checked_before_anything_runs(model, probed):
    model.write_bytes(model.read_bytes()[:2000])
    with pytest.raises(ModelError, match=r"^\S+/model\.tflite: the model file is damaged"):
        open_model(model)
    assert probed == []


def test_operators_are_held_against_the_runtime_before_anything_runs(
    tmp_path, changed_model, probed
):
    def from_the_future(model):
        model.operatorCodes[0].version = 99

    path = tmp_path / "future.tflite"
    path.write_bytes(changed_model("int8", from_the_future))
    with pytest.raises(
        ModelError, match=r"future\.tflite: ai-edge-litert cannot run this model: .* version 99: at"
    ):
        open_model(path)
    assert probed == []


def test_each_runtime_has_its_own_limits(tiny_model):
    file = ModelFile("tiny", tiny_model("dynamic").read_bytes())
    assert check_structure(file, choose_backend("litert")).scheme == "dynamic"
    with pytest.raises(
        ModelError,
        match=r"^tiny: tflite-runtime 2\.14\.0 cannot run this model: FULLY_CONNECTED version 12: "
        r"at most \d+ there\. Convert it for that runtime\.$",
    ):
        check_structure(file, choose_backend("tflite-runtime"))


def test_the_bytes_that_were_checked_are_the_ones_that_run(bundle, tiny_model, monkeypatch):
    def probe(file, **options):
        bundle.write_bytes(b"changed meanwhile")
        return probe_module.probe(file, **options)

    monkeypatch.setattr(opening, "probe", probe)
    assert open_model(bundle).data == tiny_model("int8").read_bytes()


def test_golden_vectors_that_are_not_reproduced_refuse_a_bundle(bundle, bundle_of):
    changed = bytearray(read_bundle(bundle_of("int8")).model)
    start, length = weights_span(bytes(changed))
    changed[start : start + length] = bytes(length)
    bundle.write_bytes(rehashed(bundle_of("int8"), model=bytes(changed)))
    for _ in range(2):  # and it is not remembered either
        with pytest.raises(
            ModelError,
            match=r"of \d+ golden vectors are not reproduced by .*; do not use it here\.$",
        ):
            open_model(bundle)


# The child.


@pytest.mark.parametrize(
    ("child", "words"),
    [
        ("import os; os.kill(os.getpid(), 11)", r"the runtime dies of this model \(signal 11\)"),
        ("import time; time.sleep(60)", "the model did not answer within 0.5 s"),
        (BUSY, "did not answer within 30 s of processor time"),
        (HUNGRY, "the model needs more memory than a model of its size should"),
        ("import sys; sys.exit('Error: it is broken.')", "it is broken"),
        ("raise SystemExit(3)", "it gave no reason"),
        ("print('hello')", "the runtime gave no answer"),
    ],
    ids=["crash", "hang", "busy", "hungry", "refused", "silent", "talkative"],
)
def test_what_goes_wrong_in_the_child_is_a_sentence(model, monkeypatch, child, words):

    def command_of(module: str, *arguments: str, python: str) -> tuple[str, ...]:
        return (python, "-c", child, *arguments)

    monkeypatch.setattr(probe_module, "command_of", command_of)
    if "sleep" in child:
        monkeypatch.setattr(probe_module, "_TIMEOUT_SECONDS", 0.5)
    with pytest.raises(ModelError, match=rf"^\S+/model\.tflite: .*{words}") as caught:
        open_model(model)
    assert "\n" not in str(caught.value)
    assert not cache_folder().exists()


# What is remembered.


def test_what_has_passed_is_remembered_by_its_hash(model, bundle, probed, tmp_path):
    for path in (model, bundle, model, bundle):
        open_model(path)
    elsewhere = shutil.copy(bundle, tmp_path / "other.edge.zip")
    open_model(elsewhere)
    assert probed == [str(model), str(bundle)]


@pytest.mark.parametrize("mode", [0o777, 0o770])
def test_a_note_that_others_could_have_written_counts_for_nothing(model, probed, mode):
    open_model(model)
    (folder,) = cache_folder().iterdir()
    (note,) = folder.iterdir()
    folder.chmod(mode)
    open_model(model)
    folder.chmod(0o700)
    note.chmod(mode)
    open_model(model)
    note.chmod(0o600)
    moved = note.rename(folder / "moved")
    note.symlink_to(moved)
    open_model(model)
    assert len(probed) == 4
    note.unlink()
    moved.rename(note)
    open_model(model)
    assert len(probed) == 4


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_note_of_another_user_counts_for_nothing(model, probed):
    open_model(model)
    (folder,) = cache_folder().iterdir()
    (note,) = folder.iterdir()
    os.chown(note, 12345, 12345)
    open_model(model)
    os.chown(note, 0, 0)
    os.chown(folder, 12345, 12345)
    open_model(model)
    assert len(probed) == 3


def test_the_bytes_are_checked_though_the_file_was_remembered(bundle, probed):
    open_model(bundle)
    bundle.write_bytes(damaged(bundle.read_bytes(), 3000))
    with pytest.raises(ModelError, match="do not have the SHA-256"):
        open_model(bundle)


def test_another_model_other_kernels_and_another_backend_are_checked_again(
    model, probed, monkeypatch
):
    open_model(model)
    open_model(model, kernels="built-in")
    model.write_bytes(model.read_bytes() + bytes(4))
    open_model(model)
    assert len(probed) == 3
    backend = choose_backend("litert")
    monkeypatch.setattr(type(backend), "version", "9.9.9")
    open_model(model)
    assert len(probed) == 4


@pytest.mark.parametrize(
    "other",
    [
        "model name\t: another processor\nflags\t: fpu sse2\n",
        "CPU implementer\t: 0x41\nCPU part\t: 0xd03\nFeatures\t: fp asimd\n",
    ],
)
def test_a_note_from_another_processor_is_ignored(model, probed, monkeypatch, tmp_path, other):
    """A memory card that is copied to another board brings its notes with it."""
    open_model(model)
    info = tmp_path / "cpuinfo"
    info.write_text(f"processor\t: 0\n{other}cpu MHz\t: 1\n\nprocessor\t: 1\n")
    monkeypatch.setattr(machine, "_CPU_INFO", info)
    open_model(model)
    assert len(probed) == 2
    info.write_text(f"processor\t: 0\n{other}cpu MHz\t: 2\n\nprocessor\t: 1\n")
    open_model(model)  # only the clock has changed
    assert len(probed) == 2
    info.write_text(f"{other.rstrip()} more\n")
    open_model(model)  # another feature
    assert len(probed) == 3


def test_a_note_from_another_board_of_the_same_kind_is_ignored(
    model, probed, monkeypatch, tmp_path
):
    for serial in ("100000001\0", "100000002\0"):
        (tmp_path / "serial").write_text(serial)
        monkeypatch.setattr(machine, "_BOARD", tmp_path / "serial")
        for _ in range(2):
            open_model(model)
    assert len(probed) == 2


def test_where_nothing_can_be_remembered_each_start_checks(model, probed, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    open_model(model)
    open_model(model)
    assert len(probed) == 2


def test_the_cache_lies_where_the_user_wants_it(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for value, folder in (
        (str(tmp_path / "x"), tmp_path / "x" / "fmnist-edge"),
        ("relative", tmp_path / ".cache" / "fmnist-edge"),
        ("", tmp_path / ".cache" / "fmnist-edge"),
    ):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert cache_folder() == folder


# The backend.


def test_an_unknown_backend_is_refused_before_the_file_is_read(tmp_path):
    with pytest.raises(EdgeError, match="There is no backend 'onnx'"):
        open_model(tmp_path / "none.tflite", backend="onnx")


def test_a_missing_runtime_is_told_with_its_pip_line(model):
    if choose_backend("tflite-runtime").version != "not installed":
        pytest.skip("tflite-runtime is installed")
    with pytest.raises(MissingDependencyError, match="pip install tflite-runtime"):
        open_model(model, backend="tflite-runtime")
