import json

import pytest

from edge_runtime.data.images import Preprocessing
from edge_runtime.errors import ModelError
from edge_runtime.models.manifest import Manifest

NAMES = tuple("abcdefghij")
HASH = "0123456789abcdef" * 4


def document(**changes):
    """What a manifest looks like in its file; ``changes`` replaces values by key."""
    details = {"recipe": {"name": "int8"}, "versions": {"tensorflow": "2.21.0"}}
    made = Manifest(HASH, NAMES, Preprocessing(8, 8, 1, "dark"), "probabilities", details)
    return {**made.to_dict(), **changes}


def test_a_manifest_survives_json():
    written = json.dumps(document()).encode()
    read = Manifest.from_json(written)
    assert read.model_sha256 == HASH
    assert read.class_names == NAMES
    assert read.preprocessing == Preprocessing(8, 8, 1, "dark")
    assert read.output == "probabilities"
    assert read.details == {"recipe": {"name": "int8"}, "versions": {"tensorflow": "2.21.0"}}
    assert read.to_dict() == document()
    assert document()["schema_version"] == 1


@pytest.mark.parametrize("key", ["schema_version", "model_sha256", "class_names", "output"])
def test_a_missing_key_is_named(key):
    lacking = document()
    del lacking[key]
    with pytest.raises(ModelError, match=f"^the key '{key}' is missing$"):
        Manifest.from_dict(lacking)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema_version": 2}, "expected schema version 1, got 2"),
        ({"schema_version": None}, "expected schema version 1, got None"),
        ({"output": "scores"}, "output must be probabilities or logits, got 'scores'"),
        ({"output": ["probabilities"]}, "output must be probabilities or logits"),
        ({"class_names": "abcdefghij"}, "class_names must be a list"),
        ({"class_names": 10}, "class_names must be a list"),
        ({"class_names": None}, "class_names must be a list"),
        ({"preprocessing": None}, "must have a height, a width and channels"),
        (
            {"preprocessing": {"height": 1e999, "width": 8, "channels": 1}},
            "it has Infinity, which is not JSON",
        ),
        ({"preprocessing": {"height": 8, "width": 8, "channels": 4}}, "1 or 3"),
    ],
    ids=str,
)
def test_an_impossible_value_is_refused(changes, words):
    with pytest.raises(ModelError, match=words):
        Manifest.from_json(json.dumps(document(**changes)).encode())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it is not JSON"),
        (b"{", "it is not JSON"),
        (b"[]", "expected a JSON object"),
        (b"null", "expected a JSON object"),
        (b"\xff\xfe\x00", "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        (b'{"schema_version": ' + b"9" * 10_000 + b"}", "it is not JSON"),
    ],
    ids=["empty", "cut", "list", "null", "not text", "deep", "long number"],
)
def test_what_is_no_manifest_is_refused(data, words):
    with pytest.raises(ModelError, match=words):
        Manifest.from_json(data)
