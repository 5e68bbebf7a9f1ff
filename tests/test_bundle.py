"""What a bundle is, without the command line: its bytes, its contents, its golden vectors."""

import io
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from bundles import (
    CLASSES,
    archive_of,
    crc_fixed,
    edited,
    member_offset,
    noise_dataset,
    rehashed,
    same_members,
    sealed,
    tiny_bundle,
    weights_span,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.backends import choose_backend
from edge_runtime.bundle import archive as archive_module
from edge_runtime.bundle.archive import pack, unpack
from edge_runtime.bundle.contents import read_bundle
from edge_runtime.bundle.golden import COUNT, Golden, choose_golden_rows
from edge_runtime.bundle.making import make_bundle
from edge_runtime.bundle.members import CARD, GOLDEN, MANIFEST, MEMBER_LIMITS, MODEL
from edge_runtime.bundle.scores import ending_at_scores, scores_tensor
from edge_runtime.bundle.selftest import explained_outputs, run_selftest
from edge_runtime.bundle.tolerance import (
    Tolerance,
    largest_difference,
    measured_tolerances,
    tolerance_for,
)
from edge_runtime.classifier import Classifier
from edge_runtime.datasets import Dataset
from edge_runtime.errors import BundleError, DatasetError
from edge_runtime.files import sha256
from edge_runtime.inspection import inspect_model
from edge_runtime.model_file import ModelFile, bundled_model
from edge_runtime.quantization import dequantize, softmax

SCHEMES = (
    "float32",
    "float16",
    "dynamic",
    "int8",
    "int8-uint8-border",
    "int8-float32-border",
    "int16x8",
    "int16x8-float32-border",
)
MEMBERS = {MANIFEST: b"{}", MODEL: b"model", GOLDEN: b"golden", CARD: b"card"}


def selftest(bundle, **options):
    """What comes of a bundle's golden vectors here."""
    file = bundled_model(bundle, name="bundle")
    backend = choose_backend("litert")
    return run_selftest(
        file, file.bundle.golden, file.bundle.tolerances, backend=backend, **options
    )


# The archive.


@given(st.tuples(*[st.binary(max_size=300)] * len(MEMBER_LIMITS)))
def test_what_is_packed_is_unpacked(contents):
    members = dict(zip(MEMBER_LIMITS, contents, strict=True))
    assert unpack(pack(members)) == members


def test_the_order_of_the_members_is_not_the_callers():
    assert pack(MEMBERS) == pack(dict(reversed(MEMBERS.items())))


def test_any_zip_program_opens_a_bundle(tmp_path):
    (tmp_path / "x.edge.zip").write_bytes(pack(MEMBERS))
    with zipfile.ZipFile(tmp_path / "x.edge.zip") as opened:
        assert opened.testzip() is None
        assert opened.namelist() == list(MEMBER_LIMITS)
        assert {name: opened.read(name) for name in MEMBERS} == MEMBERS
        assert {entry.date_time for entry in opened.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.external_attr >> 16 for entry in opened.infolist()} == {0o100644}
        seal = opened.comment.decode()
    assert seal == sha256(pack(MEMBERS)[:-64])


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_any_changed_byte_is_refused(data):
    whole = bytearray(pack(MEMBERS))
    position = data.draw(st.integers(0, len(whole) - 1))
    whole[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BundleError):
        unpack(bytes(whole))


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_any_changed_byte_before_the_seal_is_refused_though_the_seal_was_computed_anew(data):
    whole = bytearray(pack(MEMBERS))
    headers = [
        position
        for position in range(len(whole) - 64)
        if not any(
            0 <= position - member_offset(bytes(whole), name) < len(content)
            for name, content in MEMBERS.items()
        )
    ]
    position = data.draw(st.sampled_from(headers))
    whole[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BundleError):
        unpack(sealed(bytes(whole)))


@given(st.integers(0, 100), st.binary(min_size=1, max_size=20))
def test_bytes_put_in_front_behind_or_between_are_refused(place, added):
    whole = pack(MEMBERS)
    cut = min(place * 7, len(whole))
    changed = whole[:cut] + added + whole[cut:]
    for damaged in (changed, sealed(changed)):
        if damaged != whole:
            with pytest.raises(BundleError):
                unpack(damaged)


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 100, -1, -64, -65])
def test_a_cut_archive_is_refused_also_with_a_new_seal(length):
    whole = pack(MEMBERS)[:length]
    for damaged in (whole, sealed(whole)):
        with pytest.raises(BundleError):
            unpack(damaged)


def linked(name):
    """The entry of a symbolic link."""
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, 0o120777 << 16
    return entry


def attributed(bundle, **attributes):
    """The bundle's members as zipfile writes them, with other attributes."""
    pairs = same_members(bundle)
    for entry, _ in pairs:
        for name, value in attributes.items():
            setattr(entry, name, value)
    return archive_of(pairs)


def central_directory(bundle):
    """Where the list of members starts."""
    with zipfile.ZipFile(io.BytesIO(bundle)) as opened:
        return opened.start_dir


def encrypted(bundle):
    """The bundle with the flag of encryption in the headers of its first member."""
    data = bytearray(bundle)
    data[6] |= 1
    data[central_directory(bundle) + 8] |= 1
    return sealed(bytes(data))


OTHER_HEADERS = "the archive has other headers than `fmnist-edge bundle` writes"
TRICKS = {
    "up": (lambda b: archive_of([*same_members(b), ("../model.tflite", b"x")]), "'../model.tfl"),
    "absolute": (lambda b: archive_of([*same_members(b), ("/etc/passwd", b"x")]), "'/etc/passwd'"),
    "up inside": (lambda b: archive_of([*same_members(b), ("a/../../b", b"x")]), "'a/../../b'"),
    "backslash": (lambda b: archive_of([*same_members(b), ("..\\b", b"x")]), r"'..\\b'"),
    "drive": (lambda b: archive_of([*same_members(b), ("C:\\b", b"x")]), r"'C:\\b'"),
    "folder": (lambda b: archive_of([*same_members(b), ("a/", b"")]), "it has a member 'a/'"),
    "extra": (lambda b: archive_of([*same_members(b), ("x.txt", b"x")]), "it has a member 'x.txt'"),
    "case": (
        lambda b: archive_of([*same_members(b), ("Model.tflite", b"x")]),
        "it has a member 'Model.tflite'",
    ),
    "dot": (lambda b: archive_of([*same_members(b), ("./model.tflite", b"x")]), "'./model.tflite'"),
    "twice": (
        lambda b: archive_of([*same_members(b), (MODEL, b"another")]),
        "it has 'model.tflite' twice",
    ),
    "missing": (lambda b: archive_of(same_members(b)[:-1]), "it has no 'MODEL_CARD.md'"),
    "order": (lambda b: archive_of(same_members(b)[::-1]), OTHER_HEADERS),
    "symlink": (
        lambda b: archive_of([*same_members(b)[:-1], (linked(CARD), b"/etc/passwd")]),
        OTHER_HEADERS,
    ),
    "symlink added": (
        lambda b: archive_of([*same_members(b), (linked("link"), b"/etc/passwd")]),
        "it has a member 'link'",
    ),
    "executable": (lambda b: attributed(b, external_attr=0o100755 << 16), OTHER_HEADERS),
    "time": (lambda b: attributed(b, date_time=(2026, 1, 1, 0, 0, 0)), OTHER_HEADERS),
    "comment": (lambda b: attributed(b, comment=b"hello"), OTHER_HEADERS),
    "extra field": (lambda b: attributed(b, extra=b"\x99\x99\x02\0ab"), OTHER_HEADERS),
    "system": (lambda b: attributed(b, create_system=0), OTHER_HEADERS),
    "zip64": (lambda b: archive_of(same_members(b), zip64=True), OTHER_HEADERS),
    "bomb": (
        lambda b: archive_of(
            [*same_members(b)[:-1], (CARD, bytes(MEMBER_LIMITS[CARD]))],
            compression=zipfile.ZIP_DEFLATED,
        ),
        "",
    ),
    "compressed": (
        lambda b: archive_of(unpack(b), compression=zipfile.ZIP_DEFLATED),
        "its member 'manifest.json' is compressed",
    ),
    "encrypted": (encrypted, "is encrypted"),
    "in front": (lambda b: sealed(b"#!/bin/sh\n" + b), OTHER_HEADERS),
    "behind": (lambda b: sealed(b + bytes(64)), OTHER_HEADERS),
    "no archive": (lambda b: sealed(bytes(1000)), "the archive is damaged"),
    "nothing": (lambda b: sealed(bytes(64)), "the archive is damaged"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("trick", TRICKS)
def test_an_archive_that_plays_a_trick_is_refused_though_its_seal_is_right(bundle_of, trick):
    build, words = TRICKS[trick]
    data = build(bundle_of("int8"))
    assert data[-64:].decode() == sha256(data[:-64])
    with pytest.raises(BundleError) as caught:
        unpack(data)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_header_that_promises_more_than_is_there_is_refused(bundle_of):
    whole = bundle_of("int8")
    start = central_directory(whole)
    for at in (18, 22, start + 20, start + 24, start + 42):
        for value in (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\0\0\0\x40"):
            data = bytearray(whole)
            if data[at : at + 4] != value:
                data[at : at + 4] = value
                with pytest.raises(BundleError):
                    unpack(sealed(bytes(data)))


def test_a_large_member_is_refused_before_it_is_read(monkeypatch):
    whole = pack(MEMBERS)
    monkeypatch.setattr(archive_module, "MEMBER_LIMITS", {**MEMBER_LIMITS, CARD: 3})
    with pytest.raises(BundleError, match=r"'MODEL_CARD\.md' has 4 bytes; 3 is the limit"):
        unpack(whole)
    with pytest.raises(BundleError, match="would have more than 3 bytes"):
        pack(MEMBERS)


# What is in it.


def test_a_bundle_holds_what_it_was_made_of(bundle_of, tiny_model):
    bundle = read_bundle(bundle_of("int8"))
    assert bundle.version == 1
    assert bundle.model == tiny_model("int8").read_bytes()
    assert bundle.manifest.class_names == CLASSES
    assert bundle.manifest.model_sha256 == sha256(bundle.model)
    assert bundle.sha256 == sha256(bundle.data)
    details = bundle.manifest.details
    assert details["dataset"] == {"name": "noise", "fingerprint": noise_dataset().fingerprint}
    assert details["metrics"]["accuracy"]["total"] == 40
    assert list(details["metrics"]["recall"]) == list(CLASSES)
    assert details["golden"]["count"] == len(bundle.golden) == COUNT
    assert details["minimum_runtime"] == {"ai-edge-litert": "2.0", "tflite-runtime": "2.14.0"}
    assert list(details["bundle"]["members"]) == [MODEL, GOLDEN, CARD]
    assert details["bundle"]["members"][MODEL]["size_bytes"] == len(bundle.model)


def test_a_bundle_names_only_runtimes_that_can_run_it(bundle_of):
    details = read_bundle(bundle_of("dynamic")).manifest.details
    assert details["minimum_runtime"] == {"ai-edge-litert": "2.0"}


def test_the_same_arguments_give_the_same_bytes_in_other_processes(tiny_model):
    code = (
        "import sys; from bundles import tiny_bundle; from pathlib import Path\n"
        "from edge_runtime.files import sha256\n"
        "print(sha256(tiny_bundle(Path(sys.argv[1]).read_bytes())))"
    )
    made = set()
    for seed in ("0", "1"):
        child = subprocess.run(
            [sys.executable, "-c", code, str(tiny_model("int8"))],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        made.add(child.stdout.strip())
    assert made == {sha256(tiny_bundle(tiny_model("int8").read_bytes()))}


def test_the_version_is_in_the_bundle_and_must_be_one(tiny_model):
    model = tiny_model("int8").read_bytes()
    assert read_bundle(tiny_bundle(model, version=7)).version == 7
    with pytest.raises(BundleError, match="a whole number from 1 on, got 0"):
        tiny_bundle(model, version=0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d["bundle"].update(schema_version=2), "not one of a bundle of version 1"),
        (lambda d: d["bundle"].update(schema_version="1"), "not one of a bundle of version 1"),
        (lambda d: d.pop("bundle"), "not one of a bundle of version 1"),
        (lambda d: d.update(bundle=[1]), "not one of a bundle of version 1"),
        (lambda d: d.update(schema_version=2), "expected schema version 1, got 2"),
        (lambda d: d["bundle"].update(version=0), "whole number from 1 on, got 0"),
        (lambda d: d["bundle"].update(version=True), "whole number from 1 on, got True"),
        (lambda d: d["bundle"].update(version="3"), "whole number from 1 on, got '3'"),
        (lambda d: d["bundle"].update(version=1.0), "whole number from 1 on, got 1.0"),
        (lambda d: d.update(model_sha256="0" * 64), "its manifest describes another model"),
        (lambda d: d["bundle"]["members"].pop(CARD), "'MODEL_CARD.md' has another size or SHA-256"),
        (lambda d: d["bundle"].update(members=None), "'model.tflite' has another size or SHA-256"),
        (
            lambda d: d["bundle"]["members"][GOLDEN].update(size_bytes=1),
            "'golden.npz' has another size or SHA-256",
        ),
        (lambda d: d["golden"].update(tolerances=[]), None),
        (lambda d: d["golden"].update(tolerances=None), "states no tolerances"),
        (lambda d: d["golden"].update(tolerances=[1]), "states no tolerances"),
        (lambda d: d.pop("golden"), "states no tolerances"),
        (lambda d: d["golden"]["tolerances"][0].pop("reason"), "one of its tolerances"),
        (lambda d: d["golden"]["tolerances"][0].update(limit=-1), "the limit is -1"),
        (lambda d: d["golden"]["tolerances"][0].update(limit=True), "the limit is True"),
        (lambda d: d["golden"]["tolerances"][0].update(limit="0"), "the limit is '0'"),
    ],
)
def test_an_edited_manifest_is_refused_though_the_seal_is_right(bundle_of, change, words):
    data = edited(bundle_of("int8"), change)
    if words is None:  # nothing is wrong with the file; no runtime is allowed anything
        with pytest.raises(BundleError, match="it has no tolerance for ai-edge-litert"):
            selftest(data)
        return
    with pytest.raises(BundleError) as caught:
        read_bundle(data)
    assert words in str(caught.value)


@pytest.mark.parametrize("limit", ["NaN", "Infinity", "1e999"])
def test_a_tolerance_without_end_is_refused(bundle_of, limit):
    members = unpack(bundle_of("int8"))
    text = members[MANIFEST].replace(b'"limit": 0', b'"limit": ' + limit.encode(), 1)
    assert text != members[MANIFEST]
    with pytest.raises(BundleError, match="one of its tolerances cannot be read"):
        read_bundle(pack({**members, MANIFEST: text}))


@pytest.mark.parametrize(
    "section",
    [
        "Model details",
        "Intended use",
        "Factors",
        "Metrics",
        "Evaluation data",
        "Training data",
        "Quantitative analyses",
        "Ethical considerations",
        "Caveats and recommendations",
    ],
)
def test_the_card_has_the_sections_of_model_cards(bundle_of, section):
    card = read_bundle(bundle_of("int8")).card
    assert card.startswith("# Model card: int8 image classifier, version 1\n")
    assert f"\n## {section}\n\n" in card
    body = card.split(f"\n## {section}\n\n")[1].split("\n## ")[0]
    assert len(body.strip()) > 40


def test_the_card_warns_of_slow_schemes_only(bundle_of):
    assert "50 times the latency" in read_bundle(bundle_of("int16x8")).card
    assert "50 times the latency" not in read_bundle(bundle_of("int8")).card


# The golden vectors.


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
        for _ in range(257):
            file.write(bytes(1024 * 1024))
    with pytest.raises(BundleError, match="unpacked it is larger than 256 MiB"):
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


# The tolerances.


def test_the_first_tolerance_that_covers_a_configuration_counts():
    allowed = measured_tolerances(
        np.zeros((2, 3), np.int8),
        built_in=np.zeros((2, 3), np.int8),
        auto=np.full((2, 3), 1, np.int8),
    )

    def limit(runtime, version, kernels):
        return tolerance_for(allowed, runtime=runtime, version=version, kernels=kernels).limit

    assert limit("ai-edge-litert", "2.3.0", "reference") == 0
    assert limit("ai-edge-litert", "2.3.0", "auto") == 2
    assert limit("ai-edge-litert", "3.0.0", "reference") == 2
    assert limit("tflite-runtime", "2.14.0", "reference") == 2
    assert limit("tflite-runtime", "2.14.0", "auto") == 2
    assert limit("tensorflow", "2.21.0", "built-in") == 2
    assert all(tolerance.reason for tolerance in allowed)
    assert [Tolerance.from_dict(one.to_dict()) for one in allowed] == list(allowed)


def test_a_configuration_that_nothing_covers_is_refused():
    only = Tolerance("ai-edge-litert", "2.", "auto", 0, "because")
    with pytest.raises(BundleError, match=r"no tolerance for tflite-runtime 2\.14\.0 with"):
        tolerance_for([only], runtime="tflite-runtime", version="2.14.0", kernels="auto")


def test_kernels_that_differ_much_on_this_model_are_allowed_twice_as_much():
    reference = np.zeros((2, 3), np.int8)
    other = np.array([[0, 0, 0], [0, -5, 0]], np.int8)
    allowed = measured_tolerances(reference, built_in=reference, auto=other)
    assert tolerance_for(allowed, runtime="tensorflow", version="", kernels="auto").limit == 10


def test_another_release_may_differ_in_few_scores_only():
    reference = np.zeros((10, 10), np.int8)
    other = reference.copy()
    other[0, :3] = 1
    few = measured_tolerances(reference, built_in=reference, auto=reference)
    more = measured_tolerances(reference, built_in=other, auto=other)
    where = {"runtime": "tflite-runtime", "version": "2.14.0", "kernels": "reference"}
    assert tolerance_for(few, **where).share == 0.02
    assert tolerance_for(more, **where).share == 0.06
    assert tolerance_for(few, **{**where, "kernels": "auto"}).share == 1


@pytest.mark.parametrize("share", [True, "0.5", -0.1, 1.5, float("nan"), None])
def test_a_share_that_cannot_be_is_refused(share):
    document = Tolerance("any", "", "any", 1, "because").to_dict()
    with pytest.raises(BundleError, match="one of its tolerances cannot be read"):
        Tolerance.from_dict({**document, "share": share})


def test_floats_have_one_tolerance_of_their_own_size():
    reference = np.zeros((2, 3), np.float32)
    (tolerance,) = measured_tolerances(reference, built_in=reference, auto=reference)
    assert tolerance.limit == 1e-5
    (tolerance,) = measured_tolerances(
        reference, built_in=reference, auto=reference + np.float32(0.25)
    )
    assert tolerance.limit == 4
    assert tolerance.covers(runtime="any", version="thing", kernels="reference")


def test_differences_do_not_wrap_around_and_nan_is_infinitely_far():
    low, high = np.full((1, 2), -128, np.int8), np.full((1, 2), 127, np.int8)
    assert largest_difference(low, high) == 255
    nan = np.array([[0, np.nan]], np.float32)
    assert largest_difference(nan, np.zeros((1, 2), np.float32)) == np.inf
    assert largest_difference(np.zeros((0, 2)), np.zeros((0, 2))) == 0


# Other models.


def rgb_dataset():
    return noise_dataset((8, 8, 3))


def made_of(model, dataset=None):
    """A bundle of a model, read, after its golden vectors were reproduced."""
    data = make_bundle(
        ModelFile("model", model), dataset or noise_dataset(), version=1, backend=choose_backend()
    )
    assert selftest(data).ok
    return read_bundle(data)


def converted(layers, shape, *, integers=False, batch=1):
    """A .tflite of a seeded Keras network."""
    keras = pytest.importorskip("keras")
    tf = pytest.importorskip("tensorflow")
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(batch_shape=(batch, *shape)), *layers(keras.layers)])
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if integers:
        images = np.random.default_rng(0).integers(0, 256, (16, batch, *shape))
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image.astype(np.float32)] for image in images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


@pytest.mark.parametrize("integers", [False, True], ids=["float32", "int8"])
def test_a_model_of_rgb_images_is_bundled(integers):
    model = converted(
        lambda layers: [layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(10), layers.Softmax()],
        (8, 8, 3),
        integers=integers,
    )
    bundle = made_of(model, rgb_dataset())
    assert bundle.golden.images.shape == (COUNT, 8, 8, 3)
    assert bundle.manifest.preprocessing.shape == (8, 8, 3)


@pytest.mark.parametrize("integers", [False, True], ids=["float32", "int8"])
def test_a_model_that_takes_several_images_at_once_is_bundled(integers):
    model = converted(
        lambda layers: [layers.Flatten(), layers.Dense(10), layers.Softmax()],
        (8, 8, 1),
        integers=integers,
        batch=5,
    )
    bundle = made_of(model)
    assert (len(bundle.golden), bundle.golden.outputs.shape) == (COUNT, (COUNT, 10))


@pytest.mark.parametrize("integers", [False, True], ids=["float32", "int8"])
def test_a_model_without_softmax_is_bundled(integers):
    model = converted(
        lambda layers: [layers.Flatten(), layers.Dense(10)], (8, 8, 1), integers=integers
    )
    bundle = made_of(model)
    assert bundle.manifest.output == "logits"
    assert np.array_equal(bundle.golden.scores, bundle.golden.outputs)


def test_a_dataset_of_other_images_is_refused(tiny_model):
    with pytest.raises(DatasetError, match=r"takes images of \(8, 8, 1\)"):
        make_bundle(
            ModelFile("tiny", tiny_model("int8").read_bytes()),
            rgb_dataset(),
            version=1,
            backend=choose_backend(),
        )


def test_a_class_without_test_images_has_no_recall(tiny_model):
    dataset = noise_dataset()
    few = Dataset("few", CLASSES, train=dataset.train, test=dataset.test.take(np.arange(8)))
    bundle = made_of(tiny_model("int8").read_bytes(), few)
    assert list(bundle.manifest.details["metrics"]["recall"]) == list(CLASSES[:8])


# On the other runtime.

SELFTEST = """
import json, sys
from pathlib import Path
from edge_runtime.backends import choose_backend
from edge_runtime.bundle.selftest import run_selftest
from edge_runtime.errors import EdgeError
from edge_runtime.model_file import read_model
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


def test_a_crc_that_was_computed_anew_does_not_help(bundle_of):
    whole = bytearray(bundle_of("int8"))
    whole[member_offset(bytes(whole), MODEL) + 100] ^= 1
    with pytest.raises(BundleError, match=r"'model\.tflite' has another size or SHA-256"):
        read_bundle(sealed(crc_fixed(bytes(whole))))
