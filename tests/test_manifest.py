import json
import shutil

import pytest

from edge_runtime import manifest
from edge_runtime.errors import ModelError
from edge_runtime.files import MEBIBYTE, sha256
from edge_runtime.images import Preprocessing
from edge_runtime.manifest import (
    MANIFEST_LIMIT_BYTES,
    Manifest,
    manifest_path,
    read_model,
)

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
