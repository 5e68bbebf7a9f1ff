"""Names that come from other people reach terminal, CSV, JSON, JUnit, Markdown and HTML escaped."""

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from bundles import noise_dataset
from conftest import Finished
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edge_runtime.console.terminal import echo
from edge_runtime.data.datasets import Dataset
from edge_runtime.data.images import Preprocessing
from edge_runtime.files.reading import sha256
from edge_runtime.files.writing import to_json
from edge_runtime.inference.bundling.making import bundle as make_bundle
from edge_runtime.inference.evaluation import predict_file
from edge_runtime.models.manifest import Manifest
from edge_runtime.models.model_file import ModelFile, manifest_path
from edge_runtime.runtimes.backends import choose_backend
from edge_runtime.wording import UNPRINTABLE, csv_row, html_table, json_escaped, printable

Cli = Callable[..., Finished]
TinyModel = Callable[[str], Path]

# Each would do something if it were shown as it is; they begin apart, so that their order is known.
HOSTILE = (
    "a\x1b[2J\x1b]0;title\x07",
    "b\n::error file=x::forged",
    "c\r\n##[error]forged",
    "::error::forged",
    "=cmd|'/c calc'!A1",
    "f\u202egnp.exe\u2066",
    "g\u2028\u2029\x85\x9b31m",
    "h\udcff",
    "<script>alert(1)</script>|`*_[x](y)",
    "j\u200b\u200d\ufeff\x00]]>\ufffe##vso[x]",
)
# Of halves of characters only those that stand for the bytes of file names.
TEXT = st.text(
    st.characters(exclude_categories=["Cs"])
    | st.sampled_from("\x1b\n\r\u202e\u2028\u200d:#[=+-@;\udc80\udcff")
)


def assert_harmless(text: str) -> None:
    """Fail if a text could steer the terminal or the CI system that shows it."""
    assert text.replace("\n", "").isprintable(), ascii(text)
    assert not re.search(r"##(vso|teamcity)?\[", text)
    assert not any(line.lstrip().startswith("::") for line in text.split("\n"))


@given(TEXT)
def test_printable_text_is_one_harmless_line_of_the_same_length(text: str) -> None:
    shown = printable(text)
    joined = shown.replace("\u200c", "").replace("\u200d", "")
    assert_harmless(joined)
    assert "\n" not in shown
    assert len(shown) == len(text)
    assert printable(shown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Größe 大 🙂", "Größe 大 🙂"),
        ("نمی\u200cخواهم", "نمی\u200cخواهم"),
        ("👩\u200d🔬", "👩\u200d🔬"),
        ("ca\u200dt", f"ca{UNPRINTABLE}t"),
        ("\u200dcat", f"{UNPRINTABLE}cat"),
        ("a::b", "a::b"),
        ("  ::set-env", f"  {UNPRINTABLE}:set-env"),
        ("x ##[group]", f"x {UNPRINTABLE}#[group]"),
        ("## heading", "## heading"),
    ],
)
def test_only_what_does_harm_is_replaced(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.dictionaries(TEXT, TEXT | st.integers() | st.lists(TEXT)))
def test_json_is_escaped_without_loss(document: dict[str, object]) -> None:
    text = to_json(document)
    assert_harmless(text)
    assert json.loads(text) == document
    assert json_escaped(text) == text


@given(st.lists(TEXT, min_size=1, max_size=4))
def test_a_row_of_csv_is_one_line_that_reads_back(cells: list[str]) -> None:
    row = csv_row(cells)
    assert_harmless(row)
    assert "\n" not in row
    assert next(csv.reader([row]), [""]) == [printable(cell) for cell in cells]


@given(TEXT.filter(lambda text: not text.startswith("'")))
def test_no_cell_is_a_formula_when_formulas_are_escaped(text: str) -> None:
    (cell,) = next(csv.reader([csv_row([text], escape_formulas=True)]), [""])
    for part in cell.split(";"):
        assert not part.strip().startswith(tuple("=+-@＝＋－＠"))
    assert csv_row([-0.5], escape_formulas=True) == "-0.5"


def test_no_line_that_is_printed_can_forge_another(capsys: pytest.CaptureFixture[str]) -> None:
    echo(*HOSTILE)
    echo(*HOSTILE, err=True)
    for text in capsys.readouterr():
        assert text.count("\n") == len(HOSTILE)
        assert_harmless(text)


@pytest.fixture(scope="module")
def hostile() -> Dataset:
    """Images of ten classes with hostile names, in a dataset with one."""
    return replace(noise_dataset(), name="noise\x1b[31m\n::error::", class_names=HOSTILE)


@pytest.fixture(scope="module")
def hostile_files(
    tmp_path_factory: pytest.TempPathFactory, tiny_model: TinyModel, hostile: Dataset
) -> Path:
    """A model, a bundle, pictures and predictions: all their names are hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    data, stem = tiny_model("int8").read_bytes(), "::error::\x1b[31m\u202e"
    model = folder / f"{stem}.tflite"
    model.write_bytes(data)
    manifest = Manifest(sha256(data), HOSTILE, Preprocessing(8, 8, 1), "probabilities")
    manifest_path(model).write_text(to_json(manifest.to_dict()))
    bundle = make_bundle(
        ModelFile(stem, data), hostile, version=1, backend=choose_backend(None)
    ).data
    (folder / f"{stem}.edge.zip").write_bytes(bundle)
    for name in (f"{stem}.png", "=1+1\udcff.png"):
        Image.fromarray(hostile.test.images[0, ..., 0]).save(folder / name)
    said = predict_file(model, hostile, name="whole")
    whole = replace(said, labels=said.answers).with_details(scheme=HOSTILE[0], cpu=HOSTILE[1])
    whole.save(folder / "whole.predictions.npz")
    # It answers otherwise, so that there is something to say.
    other = replace(whole, probabilities=np.roll(whole.probabilities, 1, axis=1))
    other.with_details(model=stem, backend=HOSTILE[2]).save(folder / "other.predictions.npz")
    return folder


@pytest.fixture
def hostile_folder(hostile_files: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of them, as the current one."""
    monkeypatch.chdir(hostile_files)
    return hostile_files


def test_hostile_names_are_escaped_by_every_command(
    cli: Cli, hostile_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FMNIST_EDGE_HOME", str(hostile_folder / "device\x1b[2J\n"))
    (model,) = hostile_folder.glob("*.tflite")
    (bundle,) = hostile_folder.glob("*.edge.zip")
    names = sorted(str(path.name) for path in hostile_folder.glob("*.png"))
    codes = {
        ("classify", model.name, *names, "--top", "10"): 0,
        ("classify", model.name, *names, "\x1b[2J\n::error::missing"): 1,
        ("classify", model.name, *names, "--csv", "--escape-formulas"): 0,
        ("classify", model.name, *names, "--json", "--top", "10"): 0,
        ("inspect", model.name, "--tensors"): 0,
        ("inspect", bundle.name): 0,
        ("inspect", bundle.name, "--json"): 0,
        ("install", bundle.name): 0,
        ("status",): 0,
        ("status", "--json"): 0,
        ("selftest",): 0,
        ("rollback",): 1,
        ("benchmark", model.name, "--rounds", "1", "--images", "2", "--workers", "1"): 0,
        ("predict", model.name, "--dataset", HOSTILE[0]): 1,
        ("doctor", model.name, "--dataset", HOSTILE[3]): 1,
        ("bundle", "--run", HOSTILE[1]): 1,
        ("deploy", "--no-bundle", "ssh:\x1b[2J"): 1,
        ("\x1b[2J\n::error::",): 2,
        ("classify", "--\x1b[2J"): 2,
        ("parity", "--format", "\x1b[2J\n::error::"): 2,
    }
    for arguments, code in codes.items():
        done = cli(*arguments)
        assert done.code == code, (arguments, done.err)
        assert_harmless(done.out)
        assert_harmless(done.err)
        if "--json" in arguments:
            json.loads(done.out)


def test_a_class_name_in_csv_is_no_formula(cli: Cli, hostile_folder: Path) -> None:
    (model,) = hostile_folder.glob("*.tflite")
    done = cli("classify", model.name, "=1+1\udcff.png", "--top", 10, "--csv", "--escape-formulas")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert {row["picture"] for row in rows} == {"'=1+1\ufffd.png"}
    assert sorted(int(row["index"]) for row in rows) == list(range(10))
    named = {int(row["index"]): row["class"] for row in rows}
    assert named[4] == "'=cmd|'/c calc'!A1"
    plain = cli("classify", model.name, "=1+1\udcff.png", "--csv")
    assert plain.out.splitlines()[1].startswith("=1+1\ufffd.png,1,")


def test_hostile_names_are_escaped_in_every_report(cli: Cli, hostile_folder: Path) -> None:
    formats = [
        part for kind in ("html", "json", "junit", "markdown") for part in ("--format", kind)
    ]
    done = cli("parity", "--reference", "whole.predictions.npz", "other.predictions.npz", *formats)
    assert done.code == 3, done.err
    assert_harmless(done.out)
    assert_harmless(done.err)
    report = hostile_folder / "parity"
    texts = {path.suffix: path.read_text("utf-8") for path in report.glob("report.*")}
    for text in texts.values():
        # Markdown's invisible space keeps sites from making links.
        assert_harmless(text.replace("\N{ZERO WIDTH SPACE}", ""))
    assert json.loads(texts[".json"])["class_names"][1] == HOSTILE[1]
    assert ET.fromstring(texts[".xml"]).tag == "testsuites"
    assert "<script>alert" not in texts[".html"]
    assert not re.search(r"^[^`]*<script>alert", texts[".md"], re.MULTILINE)


def test_a_table_for_a_notebook_is_escaped_and_its_names_steer_nothing() -> None:
    style = ' style="text-align:left"'
    assert html_table([("x&y", "<script>\x1b")], title="a<b") == (
        f"<b>a&lt;b</b><table><tr><th{style}>x&amp;y</th><td{style}>&lt;script&gt;�</td></tr></table>"
    )
