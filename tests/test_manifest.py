import json
import shutil
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime import manifest
from edge_runtime.classifier import Classifier
from edge_runtime.errors import ManifestError, ModelError
from edge_runtime.files import MEBIBYTE, sha256
from edge_runtime.images import Preprocessing
from edge_runtime.manifest import MANIFEST_LIMIT_BYTES, Manifest
from edge_runtime.model_file import manifest_path, model_stem, read_model

NAMES = tuple("abcdefghij")


@pytest.fixture
def model(tmp_path, tiny_model):
    return shutil.copy(tiny_model("int8"), tmp_path / "int8.tflite")


def manifest_of(model, **changes):
    return {
        **Manifest(
            sha256(model.read_bytes()),
            NAMES,
            Preprocessing(8, 8, 1, "dark"),
            "probabilities",
            {"recipe": {"name": "int8"}, "versions": {"tensorflow": "2.21.0"}},
        ).to_dict(),
        **changes,
    }


def test_a_manifest_survives_json(model):
    document = json.loads(json.dumps(manifest_of(model)))
    read = Manifest.from_dict(document)
    assert read.class_names == NAMES
    assert read.preprocessing == Preprocessing(8, 8, 1, "dark")
    assert read.output == "probabilities"
    assert read.details == {"recipe": {"name": "int8"}, "versions": {"tensorflow": "2.21.0"}}
    assert read.to_dict() == document
    assert document["schema_version"] == 1


def test_the_manifest_lies_beside_the_model_with_the_same_stem(tmp_path):
    assert manifest_path(tmp_path / "int8.tflite") == tmp_path / "int8.manifest.json"
    assert manifest_path(tmp_path / "v1.2.tflite") == tmp_path / "v1.2.manifest.json"


def test_a_model_is_read_with_its_manifest(model):
    manifest_path(model).write_text(json.dumps(manifest_of(model)))
    file = read_model(model)
    assert file.name == str(model)
    assert file.data == model.read_bytes()
    assert file.manifest is not None
    assert file.manifest.to_dict() == manifest_of(model)


def test_a_model_without_a_manifest_is_read_too(model):
    assert read_model(model).manifest is None


def test_a_manifest_of_another_model_is_refused_with_both_hashes(model):
    other = "0123456789ab" + "0" * 52
    manifest_path(model).write_text(json.dumps(manifest_of(model, model_sha256=other)))
    got = sha256(model.read_bytes())[:12]
    with pytest.raises(ModelError, match=f"expected: 0123456789ab…, got: {got}…"):
        read_model(model)


@pytest.mark.parametrize("key", ["schema_version", "model_sha256", "class_names", "output"])
def test_a_missing_key_is_named(model, key):
    document = manifest_of(model)
    del document[key]
    manifest_path(model).write_text(json.dumps(document))
    with pytest.raises(ModelError, match=f"the key '{key}' is missing.*convert the model again"):
        read_model(model)


@pytest.mark.parametrize(
    "changes",
    [
        {"schema_version": 2},
        {"schema_version": None},
        {"output": "scores"},
        {"output": ["probabilities"]},
        {"class_names": "abcdefghij"},
        {"class_names": 10},
        {"class_names": None},
        {"preprocessing": None},
        {"preprocessing": {"height": 1e999, "width": 8, "channels": 1}},
        {"preprocessing": {"height": 8, "width": 8, "channels": 4}},
    ],
    ids=str,
)
def test_an_impossible_value_is_refused(model, changes):
    manifest_path(model).write_text(json.dumps(manifest_of(model, **changes)))
    with pytest.raises(ModelError, match=r"int8.manifest.json: the manifest cannot be read \("):
        read_model(model)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"schema_version": ' + b"9" * 10_000 + b"}",
        b" " * (MANIFEST_LIMIT_BYTES + 1),
    ],
    ids=["empty", "cut", "list", "null", "not text", "deep", "long number", "too large"],
)
def test_a_damaged_manifest_is_refused(model, data):
    manifest_path(model).write_bytes(data)
    with pytest.raises(ModelError, match="the manifest cannot be read"):
        read_model(model)


def test_a_folder_in_place_of_the_manifest_is_refused(model):
    manifest_path(model).mkdir()
    with pytest.raises(ModelError, match="the manifest cannot be read"):
        read_model(model)


def test_a_missing_model_and_a_folder_are_named(tmp_path):
    with pytest.raises(ModelError, match=r"none\.tflite: there is no such model file"):
        read_model(tmp_path / "none.tflite")
    with pytest.raises(ModelError, match="it cannot be read"):
        read_model(tmp_path)


def test_a_model_over_the_limit_is_refused(model, monkeypatch):
    assert manifest.MODEL_LIMIT_BYTES == 512 * MEBIBYTE
    monkeypatch.setattr(manifest, "MODEL_LIMIT_BYTES", MEBIBYTE)
    model.write_bytes(bytes(MEBIBYTE + 1))
    with pytest.raises(ModelError, match="larger than 1 MiB; this is no model for a small device"):
        read_model(model)


# A bundle.


def bundle(path, model, *, extra=(), **changes):
    """A bundle of ``model``; ``changes`` replaces members by name, None leaves one out."""
    members = {
        "manifest.json": json.dumps(manifest_of(model)).encode(),
        "model.tflite": model.read_bytes(),
        **{name.replace("_", "."): content for name, content in changes.items()},
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in [*members.items(), *extra]:
            if content is not None:
                archive.writestr(name, content)
    return path


def test_a_bundle_is_read_like_a_model_with_a_manifest_beside_it(model, tmp_path):
    path = bundle(tmp_path / "shoes.edge.zip", model, extra=[("golden.npz", b"later")])
    file = read_model(path)
    assert (file.name, file.data) == (str(path), model.read_bytes())
    assert file.manifest is not None
    assert file.manifest.to_dict() == manifest_of(model)
    assert model_stem(path) == "shoes"


def test_a_classifier_takes_a_bundle(model, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1)).astype(np.uint8)
    with Classifier(bundle(tmp_path / "x.edge.zip", model)) as bundled, Classifier(model) as bare:
        assert bundled.class_names == NAMES
        assert bundled.preprocessing.background == "dark"
        assert np.array_equal(bundled.predict(images), bare.predict(images))


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        ([("../model.tflite", b"x")], "'../model.tflite' has a path that leads elsewhere"),
        ([("/etc/passwd", b"x")], "'/etc/passwd' has a path that leads elsewhere"),
        ([("a/../../b", b"x")], "has a path that leads elsewhere"),
        ([("..\\b", b"x")], "has a path that leads elsewhere"),
        ([("C:\\b", b"x")], "has a path that leads elsewhere"),
        ([("zeros.bin", bytes(8 * MEBIBYTE))], "as a zip bomb does"),
        ([(f"{number}.txt", b"") for number in range(200)], "it has 202 members; 100 is"),
    ],
    ids=["up", "absolute", "up inside", "backslash", "drive", "bomb", "many"],
)
def test_a_suspicious_member_makes_a_bundle_unusable(model, tmp_path, extra, sentence):
    path = bundle(tmp_path / "x.edge.zip", model, extra=extra)
    with pytest.raises(ModelError) as caught:
        read_model(path)
    assert str(caught.value).startswith(f"{path}: this bundle cannot be used: ")
    assert sentence in str(caught.value)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice_is_refused(model, tmp_path):
    path = bundle(tmp_path / "x.edge.zip", model, extra=[("model.tflite", b"another")])
    with pytest.raises(ModelError, match=r"it has 'model\.tflite' twice"):
        read_model(path)


@pytest.mark.parametrize("name", ["model.tflite", "manifest.json"])
def test_a_missing_member_is_named(model, tmp_path, name):
    path = bundle(tmp_path / "x.edge.zip", model, **{name: None})
    with pytest.raises(ModelError, match=f"it has no '{name}'; make it again"):
        read_model(path)


def test_a_bundle_with_another_model_than_its_manifest_says_is_refused(model, tmp_path):
    path = bundle(tmp_path / "x.edge.zip", model, model_tflite=model.read_bytes()[:-1] + b"?")
    with pytest.raises(ManifestError, match=r"manifest\.json describes another file than x\.edge"):
        read_model(path)


def test_a_member_over_its_limit_is_refused_before_it_is_read(model, tmp_path):
    # Letters that pack badly, so that it is the size that is refused, not the ratio.
    large = np.random.default_rng(0).integers(97, 123, MANIFEST_LIMIT_BYTES + 1).astype(np.uint8)
    path = bundle(tmp_path / "x.edge.zip", model, manifest_json=large.tobytes())
    with pytest.raises(ModelError, match=r"'manifest\.json' has 8,388,609 bytes; 8,388,608 is"):
        read_model(path)


def test_an_encrypted_member_is_refused(model, tmp_path):
    path = bundle(tmp_path / "x.edge.zip", model)
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match="is encrypted; make it again without a password"):
        read_model(path)


def test_a_bundle_that_is_no_archive_is_refused(model, tmp_path):
    path = tmp_path / "x.edge.zip"
    for data in (b"", b"PK\x03\x04", model.read_bytes()):
        path.write_bytes(data)
        with pytest.raises(ModelError, match=r"x\.edge\.zip: this bundle cannot be used: the arch"):
            read_model(path)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_flipped_bytes_give_the_very_model_or_a_model_error(whole_bundle, data):
    path, whole, model_bytes = whole_bundle
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(damaged)
    try:
        assert read_model(path).data == model_bytes
    except ModelError as error:
        assert str(path) in str(error)  # noqa: PT017 - both outcomes are right


@pytest.fixture(scope="module")
def whole_bundle(tmp_path_factory, tiny_model):
    path = tmp_path_factory.mktemp("bundle") / "x.edge.zip"
    model = tiny_model("int8")
    return path, bundle(path, model).read_bytes(), model.read_bytes()
