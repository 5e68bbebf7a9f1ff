import json
import shutil

import pytest
from bundles import CLASSES, edited

from edge_runtime.data.images import Preprocessing
from edge_runtime.errors import ManifestError, ModelError
from edge_runtime.files.reading import MEBIBYTE, sha256
from edge_runtime.models import model_file
from edge_runtime.models.bundle.members import MANIFEST, MEMBER_LIMITS, MODEL
from edge_runtime.models.manifest import Manifest
from edge_runtime.models.model_file import (
    MARK,
    is_bundle,
    is_marked,
    manifest_path,
    model_stem,
    read_model,
)


@pytest.fixture
def model(tmp_path, tiny_model):
    return shutil.copy(tiny_model("int8"), tmp_path / "int8.tflite")


def manifest_of(model, **changes):
    made = Manifest(
        sha256(model.read_bytes()), CLASSES, Preprocessing(8, 8, 1, "dark"), "probabilities"
    )
    return {**made.to_dict(), **changes}


def test_the_manifest_lies_beside_the_model_with_the_same_stem(tmp_path):
    assert manifest_path(tmp_path / "int8.tflite") == tmp_path / "int8.manifest.json"
    assert manifest_path(tmp_path / "v1.2.tflite") == tmp_path / "v1.2.manifest.json"


def test_a_bundle_is_known_by_its_name(tmp_path):
    assert is_bundle(tmp_path / "v1.2.edge.zip")
    assert not is_bundle(tmp_path / "v1.2.zip")
    assert model_stem(tmp_path / "v1.2.edge.zip") == "v1.2"
    assert model_stem(tmp_path / "v1.2.tflite") == "v1.2"


def test_a_model_is_read_with_its_manifest(model):
    manifest_path(model).write_text(json.dumps(manifest_of(model)))
    file = read_model(model)
    assert (file.name, file.data) == (str(model), model.read_bytes())
    assert file.sha256 == sha256(model.read_bytes())
    assert file.manifest is not None
    assert file.manifest.to_dict() == manifest_of(model)
    assert file.bundle is None


def test_a_model_without_a_manifest_is_read_too(model):
    assert read_model(model).manifest is None


@pytest.fixture
def made_here(tmp_path, changed_model):
    """A tiny model with the mark of `convert`, without a manifest."""
    path = tmp_path / "int8.tflite"
    path.write_bytes(changed_model("int8", lambda model: setattr(model, "description", MARK)))
    return path


def test_a_model_that_was_made_here_is_refused_without_its_manifest(made_here):
    with pytest.raises(
        ManifestError,
        match=r"int8\.tflite: its manifest is missing.*copy int8\.manifest\.json beside it",
    ):
        read_model(made_here)
    manifest_path(made_here).write_text(json.dumps(manifest_of(made_here)))
    assert read_model(made_here).manifest.class_names == CLASSES


@pytest.mark.parametrize("description", ["MLIR Converted.", "", f"{MARK}.", f"No. {MARK}", None])
def test_a_model_of_somebody_else_needs_no_manifest(tmp_path, changed_model, description):
    def describe(model):
        model.description = description
        model.subgraphs[0].name = MARK  # the mark counts in its place only

    (tmp_path / "int8.tflite").write_bytes(changed_model("int8", describe))
    assert read_model(tmp_path / "int8.tflite").manifest is None


def test_bytes_that_only_hold_the_mark_are_not_taken_for_a_model_of_ours():
    assert not is_marked(MARK.encode())
    assert not is_marked(b"\xff" * 64 + MARK.encode())


@pytest.mark.parametrize("command", ["classify", "predict", "bundle", "selftest"])
def test_the_commands_do_not_guess_what_a_lost_manifest_said(
    cli, made_here, pictures, here, command
):
    arguments = {
        "classify": (pictures / "test" / "a" / "0.png",),
        "predict": ("--dataset", f"folder:{pictures}"),
        "bundle": ("--dataset", f"folder:{pictures}"),
        "selftest": (),
    }[command]
    done = cli(command, made_here, *arguments)
    assert done.code == 1
    assert "its manifest is missing" in done.out + done.err
    assert list(here.iterdir()) == []


def test_a_link_is_read_with_the_manifest_of_its_target_unless_it_has_its_own(made_here, tmp_path):
    manifest_path(made_here).write_text(json.dumps(manifest_of(made_here)))
    link = tmp_path / "elsewhere" / "shoes.tflite"
    link.parent.mkdir()
    link.symlink_to(made_here)
    assert read_model(link).manifest.class_names == CLASSES
    own = ["a", *CLASSES[1:]]
    manifest_path(link).write_text(json.dumps(manifest_of(made_here, class_names=own)))
    assert read_model(link).manifest.class_names == tuple(own)


def test_a_manifest_of_another_model_is_refused_with_both_hashes(model):
    other = "0123456789ab" + "0" * 52
    manifest_path(model).write_text(json.dumps(manifest_of(model, model_sha256=other)))
    got = sha256(model.read_bytes())[:12]
    with pytest.raises(ManifestError, match=f"expected: 0123456789ab…, got: {got}…"):
        read_model(model)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"\xff\xfe\x00", b" " * (MEMBER_LIMITS[MANIFEST] + 1)],
    ids=["empty", "cut", "list", "not text", "too large"],
)
def test_a_damaged_manifest_is_refused(model, data):
    manifest_path(model).write_bytes(data)
    with pytest.raises(
        ManifestError,
        match=r"int8\.manifest\.json: the manifest cannot be read \(.*convert the model again",
    ):
        read_model(model)


def test_a_folder_in_place_of_the_manifest_is_refused(model):
    manifest_path(model).mkdir()
    with pytest.raises(ManifestError, match="the manifest cannot be read"):
        read_model(model)


@pytest.mark.parametrize("name", ["none.tflite", "none.edge.zip"])
def test_a_missing_model_is_named(tmp_path, name):
    with pytest.raises(ModelError, match=f"{name}: there is no such model file"):
        read_model(tmp_path / name)


def test_a_folder_is_no_model(tmp_path):
    with pytest.raises(ModelError, match=r"expected a .tflite file, got a folder\.$"):
        read_model(tmp_path)


def test_a_model_over_the_limit_is_refused(model, monkeypatch):
    assert MEMBER_LIMITS[MODEL] == 256 * MEBIBYTE
    monkeypatch.setattr(model_file, "MEMBER_LIMITS", {**MEMBER_LIMITS, MODEL: MEBIBYTE})
    model.write_bytes(bytes(MEBIBYTE + 1))
    with pytest.raises(ModelError, match="larger than 1 MiB; this is no model for a small device"):
        read_model(model)


def test_a_bundle_over_the_limit_is_refused_before_it_is_hashed(tmp_path, monkeypatch):
    monkeypatch.setattr(model_file, "BUNDLE_LIMIT_BYTES", MEBIBYTE)
    (tmp_path / "x.edge.zip").write_bytes(bytes(MEBIBYTE + 1))
    with pytest.raises(ModelError, match="larger than 1 MiB; this is no model for a small device"):
        read_model(tmp_path / "x.edge.zip")


def test_a_bundle_is_read_with_all_that_is_in_it(tmp_path, bundle_of, tiny_model):
    path = tmp_path / "shoes.edge.zip"
    path.write_bytes(bundle_of("int8"))
    file = read_model(path)
    assert (file.name, file.data) == (str(path), tiny_model("int8").read_bytes())
    assert file.sha256 == sha256(bundle_of("int8"))
    assert file.manifest is not None
    assert file.manifest.class_names == CLASSES
    assert file.bundle is not None
    assert file.bundle.manifest is file.manifest


def test_a_manifest_beside_a_bundle_is_not_its_own(tmp_path, bundle_of):
    (tmp_path / "x.edge.zip").write_bytes(bundle_of("int8"))
    (tmp_path / "x.edge.manifest.json").write_text("{")
    assert read_model(tmp_path / "x.edge.zip").manifest is not None


def test_a_damaged_bundle_is_named_with_the_way_out(tmp_path, bundle_of):
    path = tmp_path / "x.edge.zip"
    path.write_bytes(bundle_of("int8")[:-1])
    with pytest.raises(ModelError) as caught:
        read_model(path)
    assert str(caught.value) == (
        f"{path}: this bundle cannot be used: its bytes do not have the SHA-256 that it ends with: "
        "it is damaged, incomplete, or was not made by `fmnist-edge bundle`; copy it again, or "
        "make it again with `fmnist-edge bundle`."
    )


def test_an_impossible_manifest_in_a_bundle_is_refused(tmp_path, bundle_of):
    path = tmp_path / "x.edge.zip"
    path.write_bytes(edited(bundle_of("int8"), lambda document: document.update(output="scores")))
    with pytest.raises(ModelError, match="its manifest cannot be read: output must be"):
        read_model(path)
