"""`install`, `rollback`, `status`, `selftest` and the word `installed`, as they are typed."""

import json
import shutil
from pathlib import Path

import pytest
from bundles import edited, sealed
from PIL import Image
from trusting_device import contents

from edge_runtime.commands.chain import model_name
from edge_runtime.data.predictions import Predictions
from edge_runtime.devices.installed import FILE_NAME, NOTHING_INSTALLED, device_home
from edge_runtime.devices.releases import Releases
from edge_runtime.files.reading import sha256


@pytest.fixture
def releases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Releases:
    monkeypatch.setenv("FMNIST_EDGE_HOME", str(tmp_path / "home"))
    return Releases(device_home())


def test_a_device_is_used_as_the_readme_says(cli, releases, bundles):
    assert cli("status").out.startswith("Nothing is installed")
    assert cli("selftest").code == 1
    installed = cli("install", bundles[0])
    assert installed.code == 0, installed.err
    assert "version 1" in installed.out
    assert "version 2" in cli("install", bundles[1]).out
    answer = cli("selftest")
    assert answer.code == 0
    assert answer.out.startswith("yes: all 32 golden vectors are reproduced by ")
    refused = cli("install", bundles[0])
    assert refused.code == 1
    assert "--allow-downgrade" in refused.err
    assert "version 1" in cli("rollback").out
    status = cli("status")
    assert status.code == 0
    assert "before     nothing" in status.out


def test_the_word_installed_is_a_model(cli, releases, bundles, tmp_path, monkeypatch):
    picture = tmp_path / "grey.png"
    Image.new("L", (8, 8), 128).save(picture)
    refused = cli("classify", "installed", picture)
    assert refused.code == 1
    assert "Nothing is installed" in refused.err
    cli("install", bundles[0])
    by_word, by_path = cli("classify", "installed", picture), cli("classify", bundles[0], picture)
    assert by_word.code == 0, by_word.err
    assert by_word.out == by_path.out
    assert "int8" in cli("inspect", "installed").out


def test_the_word_installed_is_a_model_for_the_selftest(cli, releases, bundles):
    refused = cli("selftest", "installed")
    assert (refused.code, refused.out.partition("(")[0]) == (1, f"no: {NOTHING_INSTALLED} ")
    cli("install", bundles[0])
    by_word = json.loads(cli("selftest", "installed", "--json").out)
    assert by_word["ok"]
    assert by_word["sha256"] == sha256(bundles[0].read_bytes())


def test_the_word_installed_is_a_model_for_the_doctor(cli, releases, bundles, pictures, tmp_path):
    for part in (
        "train",
        "test",
    ):  # five of each class to train on, the fewest that it takes are 40
        for source in pictures.glob(f"{part}/*/*.png"):
            target = tmp_path / "pictures" / source.parent.name / f"{part}-{source.name}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    images = ("--dataset", f"folder:{tmp_path / 'pictures'}")
    assert cli("doctor", "installed", *images).err == f"Error: {NOTHING_INSTALLED}\n"
    cli("install", bundles[0])
    by_word, by_path = (
        json.loads(cli("doctor", model, *images, "--json").out)["diagnosis"]
        for model in ("installed", bundles[0])
    )
    assert by_word.pop("model") == str(releases.installed_path())
    assert by_path.pop("model") == str(bundles[0])
    assert by_word == by_path


def test_what_is_installed_has_that_name_in_predictions_and_reports(
    cli, releases, bundles, pictures, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    cli("install", bundles[0])
    images = ("--dataset", f"folder:{pictures}")
    assert cli("predict", "installed", *images).code == 0
    assert Predictions.load(tmp_path / "installed.predictions.npz").model == "installed"
    done = cli("parity", "--reference", bundles[0], "installed", *images, "--json")
    assert done.code in (0, 4), done.err
    assert [item["model"] for item in json.loads(done.out)["comparisons"]] == ["installed"]


def test_a_bundle_that_is_not_installed_keeps_the_name_of_its_file(releases, bundles, tmp_path):
    other = Path(shutil.copy(bundles[1], tmp_path / FILE_NAME))
    assert model_name(other) == "model"
    releases.install(bundles[0])
    assert model_name(other) == "model"
    assert model_name(releases.installed_path()) == "installed"


def test_what_is_installed_cannot_be_bundled_again(cli, releases, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = cli("bundle", "installed")
    assert (done.code, done.err) == (
        1,
        "Error: What is installed is a bundle already; give the .tflite that it was made of.\n",
    )


def test_a_file_that_is_called_installed_is_that_file(cli, releases, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("installed").write_bytes(b"no model")
    assert cli("selftest", "installed").out.startswith("no: installed: ")


def test_status_and_selftest_say_no_when_the_disk_lies(cli, releases, bundles):
    cli("install", bundles[0])
    path = releases.current().path
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1])
    status = cli("status")
    assert status.code == 1
    assert "is damaged" in status.err
    assert json.loads(cli("status", "--json").out)["release"] is None
    answer = cli("selftest", "--json")
    assert answer.code == 1
    assert json.loads(answer.out)["ok"] is False


def test_a_bundle_without_metrics_is_refused_before_the_switch(cli, releases, bundles, tmp_path):
    cli("install", bundles[0])
    before = contents(releases.home)
    other = tmp_path / "other.edge.zip"
    other.write_bytes(edited(bundles[1].read_bytes(), lambda document: document.pop("metrics")))
    done = cli("install", other)
    assert done.code == 1
    assert "its manifest lacks 'metrics.images'" in done.err
    assert contents(releases.home) == before
    assert cli("status").code == 0


def test_status_and_rollback_survive_an_installed_bundle_that_lacks_a_field(cli, releases, bundles):
    cli("install", bundles[0])
    data = edited(bundles[1].read_bytes(), lambda document: document.pop("metrics"))
    digest = sha256(data)
    releases.path_of(digest).parent.mkdir()
    releases.path_of(digest).write_bytes(data)
    history = [*releases.history(), digest]
    (releases.home / "history.json").write_text(json.dumps({"releases": history}))
    (releases.home / "current").unlink()
    (releases.home / "current").symlink_to(Path("releases") / digest)
    status = cli("status")
    assert status.code == 1
    assert "its manifest lacks 'metrics.images'" in status.err
    assert "go back with `fmnist-edge rollback`" in status.err
    assert json.loads(cli("status", "--json").out)["release"] is None
    assert cli("inspect", "installed").code == 1
    assert cli("rollback").out.startswith("back to    version 1,")
    assert cli("status").code == 0


def test_a_selftest_of_a_bare_model_says_what_it_cannot_show(cli, tiny_model):
    answer = cli("selftest", tiny_model("int8"))
    assert answer.code == 0
    assert "has no golden vectors" in answer.out


def test_a_changed_seal_is_no_selftest(cli, bundles, tmp_path):
    forged = tmp_path / "forged.edge.zip"
    data = bytearray(bundles[0].read_bytes())
    data[2000] ^= 1
    forged.write_bytes(sealed(bytes(data)))
    answer = cli("selftest", forged)
    assert answer.code == 1
    assert answer.out.startswith("no: ")


def test_a_home_that_cannot_be_written_is_a_sentence(cli, bundles, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FMNIST_EDGE_HOME", str(tmp_path / "file"))
    done = cli("install", bundles[0])
    assert done.code == 1
    assert done.err.startswith("Error: ")
    assert "Traceback" not in done.err
