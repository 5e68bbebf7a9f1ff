"""The golden vectors: their file, which they are, and what reproduces them on which runtime."""

import io
import json
import subprocess
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from bundles import SCHEMES, noise_dataset, rehashed, selftest, weights_span
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.errors import BundleError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.loading.scores import ending_at_scores, scores_tensor
from edge_runtime.inference.loading.selftest import explained_outputs
from edge_runtime.inference.quantization import dequantize, softmax
from edge_runtime.models.bundle.contents import read_bundle
from edge_runtime.models.bundle.golden import COUNT, Golden, choose_golden_rows
from edge_runtime.models.inspection import inspect_model
from edge_runtime.models.model_file import ModelFile, bundled_model


def golden(*, count=3, classes=4, dtype=np.int8):
    rng = np.random.default_rng(0)
    numbers = rng.integers(-128, 128, (2, count, classes)).astype(dtype)
    images = rng.integers(0, 256, (count, 8, 8, 1)).astype(np.uint8)
    return Golden(images, np.arange(count, dtype=np.int64), *numbers)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.float32])
def test_golden_vectors_survive_their_file(dtype):
    written = golden(dtype=dtype)
    read = Golden.from_npz(written.to_npz())
    for name in ("images", "labels", "scores", "outputs"):
        assert getattr(read, name).dtype == getattr(written, name).dtype
        assert np.array_equal(getattr(read, name), getattr(written, name))
    assert read.to_npz() == written.to_npz()


def npz(**changes):
    arrays = {
        name: getattr(golden(), name) for name in ("images", "labels", "scores", "outputs")
    } | changes
    buffer = io.BytesIO()
    np.savez(buffer, **{name: array for name, array in arrays.items() if array is not None})
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x05\x06" + bytes(18),
        npz()[:-30],
        npz(scores=None),
        npz(images=np.zeros((3, 8, 8, 1), np.float32)),
        npz(images=np.zeros((3, 8, 8), np.uint8)),
        npz(images=np.zeros((0, 8, 8, 1), np.uint8)),
        npz(labels=np.arange(3, dtype=np.int32)),
        npz(labels=np.arange(2, dtype=np.int64)),
        npz(outputs=np.zeros((2, 4), np.int8)),
        npz(scores=np.zeros((3, 5), np.int8)),
        npz(scores=np.zeros(3, np.int8)),
        npz(scores=np.array(5, np.int8)),
        npz(outputs=np.array(5, np.int8)),
        npz(images=np.array(5, np.uint8)),
        npz(images=np.zeros((3, 0, 8, 1), np.uint8)),
        npz(outputs=np.array(None, dtype=object)),
    ],
    ids=lambda data: str(len(data)),
)
def test_impossible_golden_vectors_are_refused(bundle_of, data):
    with pytest.raises(BundleError, match="its golden"):
        Golden.from_npz(data)
    with pytest.raises(BundleError, match="its golden"):
        read_bundle(rehashed(bundle_of("int8"), golden=data))


def test_golden_vectors_that_unpack_to_gigabytes_are_refused(bundle_of):
    header = b"\x93NUMPY\x01\x00v\x00" + (
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (300000000, 1, 1, 1), }".ljust(117)
        + b"\n"
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("images.npy", header)
    with pytest.raises(BundleError, match="its golden vectors cannot be read"):
        Golden.from_npz(buffer.getvalue())
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as opened, opened.open("x", "w") as file:
        for _ in range(50):
            file.write(bytes(1024 * 1024))
    with pytest.raises(BundleError, match="unpacked it is larger than 49 MiB"):
        Golden.from_npz(bomb.getvalue())


def test_golden_vectors_cover_each_class_and_the_smallest_margins():
    rng = np.random.default_rng(0)
    labels = np.arange(400, dtype=np.int64) % 10
    probabilities = rng.dirichlet(np.ones(10), 400).astype(np.float32)
    # One class is so easy that no small margin would bring it in.
    probabilities[labels == 3] = np.eye(10, dtype=np.float32)[3]
    rows = choose_golden_rows(probabilities, labels)
    assert len(rows) == COUNT
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert set(labels[rows].tolist()) == set(range(10))
    best = np.sort(probabilities.astype(np.float64), axis=1)
    margins = best[:, -1] - best[:, -2]
    nearest = set(np.argsort(margins, kind="stable")[: COUNT - 10].tolist())
    assert nearest <= set(rows.tolist())


@pytest.mark.parametrize(
    ("images", "classes", "expected"), [(5, 2, 5), (100, 2, 32), (100, 50, 50), (600, 300, 256)]
)
def test_how_many_golden_vectors_there_are(images, classes, expected):
    labels = np.arange(images, dtype=np.int64) % classes
    probabilities = np.random.default_rng(0).dirichlet(np.ones(classes), images)
    assert len(choose_golden_rows(probabilities.astype(np.float32), labels)) == expected


@pytest.mark.parametrize("name", SCHEMES)
def test_every_scheme_and_border_reproduces_its_own_golden_vectors(bundle_of, name):
    tested = selftest(bundle_of(name))
    assert tested.ok
    assert (tested.file.difference, tested.device.images) == (0, COUNT)
    assert tested.to_dict()["in_words"].startswith(f"all {COUNT} golden vectors are reproduced by")


def test_scores_are_those_before_the_softmax_of_an_integer_model(bundle_of):
    stored = read_bundle(bundle_of("int8")).golden
    assert stored.scores.dtype == stored.outputs.dtype == np.int8
    assert not np.array_equal(stored.scores, stored.outputs)
    stored = read_bundle(bundle_of("int8-uint8-border")).golden
    assert (stored.scores.dtype, stored.outputs.dtype) == (np.int8, np.uint8)
    # The uint8 outputs are those of the int8 model, and so are its scores.
    assert np.array_equal(stored.scores, read_bundle(bundle_of("int8")).golden.scores)
    stored = read_bundle(bundle_of("float32")).golden
    assert np.array_equal(stored.scores, stored.outputs)


@pytest.mark.parametrize("name", SCHEMES)
def test_a_copy_that_ends_at_the_scores_differs_in_four_bytes_at_most(tiny_model, name):
    file = ModelFile(name, tiny_model(name).read_bytes())
    copy = ending_at_scores(file)
    changed = [
        at for at, pair in enumerate(zip(file.data, copy.data, strict=True)) if len({*pair}) > 1
    ]
    has_scores = name in ("int8", "int8-uint8-border", "int16x8")
    assert len(changed) == (1 if has_scores else 0)
    assert inspect_model(copy.data).outputs[0] == scores_tensor(inspect_model(file.data))
    with Classifier(file) as whole, Classifier(copy) as ending:
        images = noise_dataset().test.images
        softened = softmax(dequantize(ending.raw_outputs(images), ending.output_tensor))
        if has_scores:
            # A step of the output, and half a step of the rounding before it.
            assert np.abs(softened - whole.predict(images)).max() < 1.5 / 256


@pytest.mark.parametrize("name", ["int8", "int8-uint8-border", "int16x8", "dynamic"])
def test_a_changed_weight_is_caught_by_the_golden_vectors_though_all_hashes_fit(bundle_of, name):
    start, length = weights_span(read_bundle(bundle_of(name)).model)
    model = bytearray(read_bundle(bundle_of(name)).model)
    model[start + length // 2] ^= 0x60
    changed = rehashed(bundle_of(name), model=bytes(model))
    read_bundle(changed)  # nothing is wrong with its bytes
    tested = selftest(changed)
    assert not tested.ok
    assert not tested.file.ok
    assert "golden vectors are not reproduced by ai-edge-litert" in tested.in_words


def test_changed_golden_vectors_are_not_reproduced(bundle_of):
    whole = bundle_of("int8")
    stored = read_bundle(whole).golden
    scores = stored.scores.copy()
    scores[3, 2] ^= 1
    tested = selftest(rehashed(whole, golden=replace(stored, scores=scores).to_npz()))
    assert tested.file.images_off == (3,)
    assert tested.file.difference == 1
    assert tested.in_words.startswith(f"1 of {COUNT} golden vectors are not reproduced by")
    outputs = stored.outputs.copy()
    outputs[5] = -128
    tested = selftest(rehashed(whole, golden=replace(stored, outputs=outputs).to_npz()))
    # What serves is held against what the scores explain, so these numbers are for people.
    assert tested.ok


def test_golden_vectors_of_another_model_are_refused(bundle_of):
    other = golden(count=COUNT, classes=10).to_npz()
    with pytest.raises(BundleError, match="its golden vectors are of images"):
        selftest(rehashed(bundle_of("float32"), golden=other))
    with pytest.raises(BundleError, match="its golden vectors are of images"):
        selftest(rehashed(bundle_of("int8"), golden=golden(classes=4).to_npz()))


@given(st.integers(0, 3), st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_scores_within_the_limit_explain_their_outputs(bundle_of, limit, seed):
    file = bundled_model(bundle_of("int8"), name="int8")
    with Classifier(file) as classifier:
        scores, output = scores_tensor(classifier.summary), classifier.output_tensor
    low, high = explained_outputs(file.bundle.golden, limit, scores, output)
    assert (low <= file.bundle.golden.outputs).all()
    assert (file.bundle.golden.outputs <= high).all()
    rng = np.random.default_rng(seed)
    shifted = file.bundle.golden.scores.astype(np.int64)
    shifted = shifted + rng.integers(-limit, limit + 1, shifted.shape)
    real = (shifted - scores.zero_points[0]) * scores.scales[0]
    probabilities = np.exp(real - real.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    steps = np.clip(np.round(probabilities / output.scales[0]) + output.zero_points[0], -128, 127)
    assert (low <= steps).all()
    assert (steps <= high).all()


SELFTEST = """
import json, sys
from pathlib import Path
from edge_runtime.runtimes.backends import choose_backend
from edge_runtime.inference.loading.selftest import run_selftest
from edge_runtime.errors import EdgeError
from edge_runtime.models.model_file import read_model
found = {}
for path in map(Path, sys.argv[1:]):
    file = read_model(path)
    try:
        tested = run_selftest(
            file, file.bundle.golden, file.bundle.tolerances, backend=choose_backend()
        ).to_dict()
    except EdgeError as error:
        tested = {"error": str(error)}
    found[path.name.removesuffix(".edge.zip")] = tested
print(json.dumps(found))
"""


def test_bundles_made_with_litert_pass_on_tflite_runtime(
    tmp_path, bundle_of, tflite_runtime_python
):
    paths = []
    for name in SCHEMES:
        paths.append(tmp_path / f"{name}.edge.zip")
        paths[-1].write_bytes(bundle_of(name))
    start, length = weights_span(read_bundle(bundle_of("int8")).model)
    model = bytearray(read_bundle(bundle_of("int8")).model)
    for position in range(start, start + length, 16):
        model[position] ^= 0x80
    paths.append(tmp_path / "changed.edge.zip")
    paths[-1].write_bytes(rehashed(bundle_of("int8"), model=bytes(model)))
    child = subprocess.run(
        [str(tflite_runtime_python), "-c", SELFTEST, *map(str, paths)],
        capture_output=True,
        text=True,
    )
    assert child.returncode == 0, child.stderr
    found = json.loads(child.stdout)
    assert "FULLY_CONNECTED" in found.pop("dynamic")["error"]  # not bundled for that runtime
    assert not found.pop("changed")["ok"]
    assert {name: tested["ok"] for name, tested in found.items()} == dict.fromkeys(
        [name for name in SCHEMES if name != "dynamic"], True
    )
