"""Which full model a converted one is compared with, wherever files were copied or moved to."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import Finished
from tiny_runs import full_hash, full_model, make_run, put_model, said

from edge_runtime.commands.chain import open_links
from edge_runtime.commands.plan import Plan, plan_comparison
from edge_runtime.data.predictions import Predictions
from edge_runtime.errors import EdgeError, ManifestError
from edge_runtime.files.reading import sha256
from edge_runtime.inference.bundling.making import bundle as make_bundle
from edge_runtime.models.full_model import hash_full_model
from edge_runtime.models.lineage import Lineage, full_models, run_for_images
from edge_runtime.models.model_file import manifest_path, read_model
from edge_runtime.models.runs import find_run, mark_latest, open_run
from edge_runtime.runtimes.backends import choose_backend

Cli = Callable[..., Finished]
Changed = Callable[[str, Callable[[object], None]], bytes]


@dataclass
class World:
    """Two runs, A and B, of which B is the latest, and a folder elsewhere."""

    root: Path

    @property
    def a(self) -> Path:
        return self.root / "runs" / "A"

    @property
    def b(self) -> Path:
        return self.root / "runs" / "B"

    @property
    def away(self) -> Path:
        return self.root / "away"

    def copied(self, file: Path, name: str = "int8", *, manifest: bool = True) -> Path:
        """A copy of a model, under another name if one is given, with its manifest or without."""
        self.away.mkdir(exist_ok=True)
        copy = self.away / f"{name}.tflite"
        shutil.copy(file, copy)
        if manifest:
            shutil.copy(manifest_path(file), manifest_path(copy))
        return copy

    def device_said(self, *, source: str | None, of: bytes | None = None) -> Path:
        """What a device said, that may know the full model and the file that it ran."""
        self.away.mkdir(exist_ok=True)
        path = self.away / "pi.predictions.npz"
        digest = sha256(of) if of else "0" * 64
        dataset = open_run(self.a).load_dataset()
        said(dataset, model="pi", scheme="int8", sha256=digest, source=source).save(path)
        return path

    def fingerprint(self) -> str:
        return str(open_run(self.a).config["dataset_fingerprint"])


@pytest.fixture(scope="module")
def template(
    tmp_path_factory: pytest.TempPathFactory, pictures: Path, changed_model: Changed
) -> Path:
    root = tmp_path_factory.mktemp("world")
    for name in "AB":
        make_run(root / "runs" / name, pictures, changed_model)
        mark_latest(open_run(root / "runs" / name))
    return root


@pytest.fixture
def world(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    shutil.copytree(template, tmp_path / "world", symlinks=True)
    monkeypatch.chdir(tmp_path / "world")
    return World(tmp_path / "world")


def plan(*models: Path, reference: Path | None = None, run: str | None = None) -> Plan:
    full = open_links([reference])[0] if reference else None
    return plan_comparison(open_links(models), full, Lineage(Path("runs"), run))


Arrange = Callable[[World], Path]


def without_manifests(world: World) -> Path:
    for path in world.root.glob("runs/*/*.manifest.json"):
        path.unlink()
    return world.a / "int8.tflite"


def moved_run(world: World) -> Path:
    shutil.move(world.a, world.root / "moved")
    return world.root / "moved" / "int8.tflite"


def link_to(world: World) -> Path:
    world.away.mkdir()
    (world.away / "linked.tflite").symlink_to(world.a / "int8.tflite")
    return world.away / "linked.tflite"


def link_in_other_run(world: World) -> Path:
    """The file lies in A, and only its name in B."""
    link = world.b / "linked.tflite"
    link.symlink_to(world.a / "int8.tflite")
    return link


def bundled(world: World) -> Path:
    run = open_run(world.a)
    data = make_bundle(
        read_model(world.a / "int8.tflite"),
        run.load_dataset(),
        version=1,
        backend=choose_backend(),
    ).data
    world.away.mkdir()
    (world.away / "any.edge.zip").write_bytes(data)
    return world.away / "any.edge.zip"


def only_predictions_left(world: World) -> Path:
    (world.a / "model.keras").unlink()
    return world.a / "int8.tflite"


LAYOUTS: dict[str, tuple[Arrange, str]] = {
    "a run that is not the latest": (lambda w: w.a / "int8.tflite", "hash"),
    "a relative path": (lambda w: Path("runs/A/int8.tflite"), "hash"),
    "a copy": (lambda w: w.copied(w.a / "int8.tflite"), "hash"),
    "a copy in the other run": (
        lambda w: (
            shutil.copy(manifest_path(w.a / "int8.tflite"), w.b / "x.manifest.json")
            and Path(shutil.copy(w.a / "int8.tflite", w.b / "x.tflite"))
        ),
        "hash",
    ),
    "a renamed copy": (lambda w: w.copied(w.a / "int8.tflite", "shoes"), "hash"),
    "a renamed copy without its manifest": (
        lambda w: w.copied(w.a / "int8.tflite", "shoes", manifest=False),
        "hash",
    ),
    "a run without manifests": (without_manifests, "run"),
    "a copy out of a run without manifests": (
        lambda w: w.copied(without_manifests(w), manifest=False),
        "run",
    ),
    "a run that was moved": (moved_run, "hash"),
    "a link": (link_to, "hash"),
    "a link that lies in the other run": (link_in_other_run, "hash"),
    "a bundle": (bundled, "hash"),
    "a run without its .keras": (only_predictions_left, "hash"),
    "what a device said of its source": (lambda w: w.device_said(source=full_hash("A")), "hash"),
    "what a device said of a file": (
        lambda w: w.device_said(source=None, of=(w.a / "int8.tflite").read_bytes()),
        "hash",
    ),
    "what a device said of a file without a manifest": (
        lambda w: w.device_said(source=None, of=without_manifests(w).read_bytes()),
        "run",
    ),
}


@pytest.mark.parametrize(("arrange", "how"), LAYOUTS.values(), ids=LAYOUTS)
def test_a_file_is_compared_with_the_full_model_that_it_came_from(
    world: World, arrange: Arrange, how: str
) -> None:
    found = plan(arrange(world))
    assert found.basis.sha256 == full_hash("A")
    assert found.basis.found == {"hash": "its source by hash", "run": "its run"}[how]
    full = found.links[0].predictions
    assert full is not None
    assert full.details["model_sha256"] == full_hash("A")
    assert found.run is not None
    assert found.run.config["training"] == {"model": "A"}


def test_through_latest_the_run_keeps_its_name(world: World) -> None:
    found = plan(Path("runs/latest/int8.tflite"))
    assert (found.basis.file, found.basis.sha256) == ("runs/B/model.keras", full_hash("B"))
    assert [str(link.path) for link in found.links] == [
        "runs/B/full.predictions.npz",
        "runs/B/float32.tflite",
        "runs/latest/int8.tflite",
    ]


def test_a_copied_run_is_compared_with_its_own_full_model(world: World) -> None:
    shutil.copytree(world.a, world.root / "runs" / "copy")
    assert plan(Path("runs/copy/int8.tflite")).basis.file == "runs/copy/model.keras"


def test_without_a_model_all_of_the_latest_run_is_compared_with_its_full_model(
    world: World,
) -> None:
    found = plan()
    assert (found.basis.file, found.basis.found) == ("runs/B/model.keras", "its source by hash")
    assert {link.stem for link in found.links[1:]} == {"float32", "int8"}
    assert plan(run="A").basis.sha256 == full_hash("A")


@pytest.mark.parametrize("kind", [".keras", "SavedModel"])
def test_a_lone_file_is_compared_with_the_model_beside_it(world: World, kind: str) -> None:
    beside = world.root / "lone" / f"mine{'.keras' if kind == '.keras' else ''}"
    beside.parent.mkdir()
    if kind == ".keras":
        beside.write_bytes(b"mine")
    else:
        (beside / "variables").mkdir(parents=True)
        (beside / "saved_model.pb").write_bytes(b"graph")
        (beside / "variables" / "data").write_bytes(b"weights")
    digest = hash_full_model(beside)
    data = (world.a / "int8.tflite").read_bytes()
    converted = put_model(
        world.root / "lone" / "mine.int8.tflite",
        data,
        source=digest,
        fingerprint=world.fingerprint(),
        file=beside.name,
    )
    found = plan(converted)
    assert (found.basis.file, found.basis.sha256) == (str(beside), digest)
    assert [link.path for link in found.links] == [beside, converted]
    assert found.run is None
    changed = beside if kind == ".keras" else beside / "variables" / "data"
    changed.write_bytes(b"trained again")
    with pytest.raises(EdgeError, match=rf"{beside.name}, SHA-256 {digest[:12]}…\) was not found"):
        plan(converted)


def retrained(world: World) -> None:
    """A was trained again: its full model is another, and int8.tflite is as it was."""
    (world.a / "model.keras").write_bytes(full_model("new"))
    full = Predictions.load(world.a / "full.predictions.npz")
    full.with_details(model_sha256=full_hash("new")).save(world.a / "full.predictions.npz")


REFUSED: dict[str, tuple[Callable[[World], Plan], str]] = {
    "another full model is named": (
        lambda w: plan(w.b / "model.keras", w.a / "int8.tflite"),
        r"was not converted from .*B/model.keras \(SHA-256 expected: .*give --reference .*B/model",
    ),
    "another full model's predictions are named": (
        lambda w: plan(w.b / "full.predictions.npz", w.a / "int8.tflite"),
        r"was not converted from .*B/full.predictions.npz",
    ),
    "another run is named, and the file lies in its own": (
        lambda w: plan(w.a / "int8.tflite", run="B"),
        r"\(model.keras, SHA-256 [0-9a-f]{12}…\) was not found in the run 'B'",
    ),
    "another run is named": (
        lambda w: plan(w.copied(w.a / "int8.tflite"), run="B"),
        r"was not found in the run 'B'; name it with --reference",
    ),
    "files of two runs": (
        lambda w: plan(w.a / "int8.tflite", w.b / "int8.tflite"),
        r"were converted from different full models .*--reference",
    ),
    "a file and what a device said of another": (
        lambda w: plan(w.b / "int8.tflite", w.device_said(source=full_hash("A"))),
        r"were converted from different full models",
    ),
    "two full models": (
        lambda w: plan(w.a / "model.keras", w.b / "model.keras", w.a / "int8.tflite"),
        r"are both full models; say with --reference",
    ),
    "full models alone": (
        lambda w: plan(w.a / "model.keras", w.b / "full.predictions.npz"),
        r"There is nothing to compare .*--reference",
    ),
    "a file of nobody": (
        lambda w: plan(put_model(w.away / "x.tflite", b"TFL3", source=None, fingerprint="")),
        r"x.tflite: which full model this came from is not known \(it has no manifest",
    ),
    "predictions of nobody": (
        lambda w: plan(w.device_said(source=None)),
        r"is not known \(they do not say it, and no run has the file",
    ),
    "predictions of nobody with a full model": (
        lambda w: plan(w.a / "full.predictions.npz", w.device_said(source=None)),
        r"is not known",
    ),
    "a converted model as the full one": (
        lambda w: plan(
            *(w.copied(w.a / f"{name}.tflite", name) for name in ("float32", "int8")), run="B"
        ),
        r"was not found in the run 'B'",
    ),
    "a stale file in a run that was trained again": (
        lambda w: retrained(w) or plan(w.a / "int8.tflite"),
        r"from another full model .* than .*runs/A has now .* convert it again with: .* --force",
    ),
    "a run with a stale file": (
        lambda w: retrained(w) or plan(run="A"),
        r"convert it again with: fmnist-edge convert runs/A/model.keras --force",
    ),
    "a run with one file of another model": (
        lambda w: (
            shutil.copy(w.b / "int8.tflite", w.a / "x.tflite")
            and shutil.copy(manifest_path(w.b / "int8.tflite"), w.a / "x.manifest.json")
            and plan(run="A")
        ),
        r"runs/A/x.tflite was converted from another full model .* than runs/A has now",
    ),
    "a file without a manifest whose run has two full models": (
        lambda w: (
            without_manifests(w)
            and (w.a / "model.keras").write_bytes(b"saved again")
            and plan(w.a / "int8.tflite")
        ),
        r"model.keras of .*A is another one than its predictions are of",
    ),
    "the run is gone": (
        lambda w: (
            (w.copied(w.a / "int8.tflite"), shutil.rmtree(w.a)) and plan(w.away / "int8.tflite")
        ),
        r"was not found in any run in 'runs' or beside it; name it with --reference",
    ),
}


@pytest.mark.parametrize(("ask", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_a_files_own_full_model_takes_reference(
    world: World, ask: Callable[[World], Plan], words: str
) -> None:
    with pytest.raises(EdgeError, match=words):
        ask(world)


def test_a_manifest_of_another_file_is_refused(world: World) -> None:
    copy = world.copied(world.a / "int8.tflite")
    shutil.copy(manifest_path(world.b / "int8.tflite"), manifest_path(copy))
    with pytest.raises(ManifestError, match="describes another file"):
        plan(copy)


def test_reference_allows_another_full_model_and_the_report_says_so(world: World) -> None:
    found = plan(world.a / "int8.tflite", reference=world.b / "full.predictions.npz")
    assert found.basis.to_dict() == {
        "file": str(world.b / "full.predictions.npz"),
        "sha256": full_hash("B"),
        "found": "--reference",
        "converted_from_another": ["int8"],
    }
    assert [link.path.name for link in found.links] == ["full.predictions.npz", "int8.tflite"]
    own = plan(world.a / "int8.tflite", reference=world.a / "full.predictions.npz")
    assert own.basis.foreign == ()
    whole = plan(reference=world.a / "full.predictions.npz")
    assert whole.basis.foreign == ("float32", "int8")


def test_a_float_model_of_another_source_does_not_lie_between(world: World) -> None:
    data = (world.b / "float32.tflite").read_bytes()
    put_model(
        world.a / "float32.tflite",
        data,
        source=full_hash("B"),
        fingerprint=world.fingerprint(),
    )
    found = plan(world.a / "int8.tflite")
    assert [link.path.name for link in found.links] == ["full.predictions.npz", "int8.tflite"]


def test_a_full_model_that_was_saved_again_is_told_from_the_one_before(world: World) -> None:
    """The file from before belongs to the stored predictions, and a new one to the new file."""
    (world.a / "model.keras").write_bytes(b"the same weights, saved again")
    assert set(full_models(open_run(world.a))) == {
        full_hash("A"),
        sha256(b"the same weights, saved again"),
    }
    old = plan(world.a / "int8.tflite")
    assert old.links[0].path.name == "full.predictions.npz"
    put_model(
        world.a / "int8.tflite",
        (world.a / "int8.tflite").read_bytes(),
        source=sha256(b"the same weights, saved again"),
        fingerprint=world.fingerprint(),
    )
    assert plan(world.a / "int8.tflite").links[0].path.name == "model.keras"


# As it is typed.


def test_the_report_says_what_was_compared_with_what(
    cli: Cli, world: World, template: Path
) -> None:
    done = cli("parity", "runs/A/int8.tflite", "--format", "html", "--format", "markdown")
    assert done.code in (3, 4), done.err
    words = (
        f"Compared with runs/A/model.keras (SHA-256 {full_hash('A')[:12]}…), the model that they "
        "were converted from, known by this hash."
    )
    assert words in " ".join(done.out.split())
    folder = world.a / "parity"
    assert words in (folder / "report.html").read_text()
    assert words in (folder / "report.md").read_text()
    assert not (world.b / "parity").exists()
    stored = Predictions.load(folder / "int8.predictions.npz")
    assert stored.details["source_sha256"] == full_hash("A")
    # What was stored is enough to find the full model again.
    shutil.copy(folder / "int8.predictions.npz", "said.predictions.npz")
    assert plan(Path("said.predictions.npz")).basis.sha256 == full_hash("A")


def test_a_refusal_is_one_sentence_and_writes_nothing(cli: Cli, world: World) -> None:
    retrained(world)
    done = cli("parity", "runs/A/int8.tflite")
    assert done.code == 1
    assert done.err.startswith("Error: runs/A/int8.tflite was converted from another full model")
    assert done.err.count("\n") == 1
    assert not (world.a / "parity").exists()


# The images.


def test_images_are_those_of_the_run_that_a_file_came_from(world: World, tmp_path: Path) -> None:
    """A and B are on the same images, so let those of the latest be others."""
    config = json.loads((world.b / "config.json").read_text())
    config["dataset_fingerprint"] = "0" * 64
    (world.b / "config.json").write_text(json.dumps(config))
    lineage = Lineage(Path("runs"))
    assert run_for_images(world.copied(world.a / "int8.tflite"), lineage).name == "A"
    shutil.move(world.a / "model.keras", world.away / "model.keras")
    assert run_for_images(world.away / "model.keras", lineage).name == "A"
    unknown = put_model(world.away / "x.tflite", b"x", source=None, fingerprint="1" * 64)
    with pytest.raises(EdgeError, match=r"made for images .* that no run in 'runs' has; name them"):
        run_for_images(unknown, lineage)
    manifest_path(unknown).unlink()
    assert run_for_images(unknown, lineage).name == "B"  # nothing says it
    assert run_for_images(unknown, Lineage(Path("runs"), "A")).name == "A"
    assert find_run(Path("runs")).name == "B"


def test_a_bundle_agrees_with_its_own_full_model_or_with_none(cli: Cli, world: World) -> None:
    def agreement(model: Path) -> object:
        done = cli("bundle", model, "--out", world.root / f"{model.parent.name}.edge.zip", "--json")
        assert done.code == 0, done.err
        return json.loads(done.out)["manifest"]["metrics"].get("agreement_with_full_model")

    own = agreement(world.copied(world.a / "int8.tflite"))
    assert own is not None
    retrained(world)
    assert agreement(world.a / "int8.tflite") is None
