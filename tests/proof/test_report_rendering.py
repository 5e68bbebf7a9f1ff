"""How the reports are drawn: by templates, which escape all and are loaded only when it is time."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image
from reports import chain_report, three_decisions

from edge_runtime.errors import MissingDependencyError
from edge_runtime.proof.parity_report import ParityReport
from edge_runtime.proof.report import notebook_html, report_html, report_markdown
from edge_runtime.proof.report.environment import environment
from edge_runtime.proof.report.rendering import render

TEMPLATES = ROOT / "edge_runtime" / "proof" / "report" / "templates"
HOSTILE = '<script>alert(1)</script>"\x1b[31m'


def loaded_by(code: str) -> set[str]:
    """The top-level packages that are loaded after code ran in a fresh interpreter."""
    report = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    child = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], cwd=ROOT, capture_output=True, text=True
    )
    assert child.returncode == 0, child.stderr
    return set(child.stdout.splitlines()[-1].split())


# Jinja2 is loaded no sooner than a report is drawn.


def test_neither_the_root_command_nor_the_reports_themselves_load_jinja2() -> None:
    assert "jinja2" not in loaded_by("import edge_runtime.cli")
    loaded = loaded_by("import edge_runtime.commands.parity, edge_runtime.proof.report")
    assert "numpy" in loaded
    assert "jinja2" not in loaded


def test_classifying_does_not_load_jinja2(
    tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a.png")
    arguments = ["classify", str(tiny_model("int8")), str(tmp_path / "a.png")]
    loaded = loaded_by(
        "import sys\n"
        "from edge_runtime.cli import main\n"
        f"sys.argv[1:] = {arguments!r}\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code"
    )
    assert "click" in loaded
    assert "jinja2" not in loaded


def test_without_jinja2_a_report_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.delitem(sys.modules, "edge_runtime.proof.report.environment", raising=False)
    for draw in (report_markdown, notebook_html, lambda report: report_html(report, None)):
        with pytest.raises(MissingDependencyError, match="pip install jinja2"):
            draw(chain_report(images=10))


# What a template shows is escaped; pages elsewhere use the same pieces.


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Another package with templates of its own."""
    folder = tmp_path / "another_wing" / "templates"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    (folder / "page.html.jinja").write_text(
        '{% extends "base.html.jinja" %}\n{% import "macros.html.jinja" as page %}\n'
        '{% block main %}\n{{ page.tile(name, 1) }}\n<i title="{{ name }}">a\n<b>b</b>\n'
        "<b>c</b></i>{% endblock %}\n"
    )
    (folder / "page.md.jinja").write_text("{{ name }}, {{ name | code }}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "another_wing", raising=False)
    environment.cache_clear()
    return "another_wing"


def test_a_page_of_another_package_has_the_same_style_and_pieces(package: str) -> None:
    page = render("page.html.jinja", {"name": "a & b"}, package=package)
    assert page.startswith('<!DOCTYPE html><html lang="en">')
    assert (TEMPLATES / "base.css").read_text("utf-8").strip() in page
    assert '<span class="term">a &amp; b</span><strong>1</strong>' in page


def test_a_line_break_between_two_tags_is_only_the_layout_of_a_template(package: str) -> None:
    page = render("page.html.jinja", {"name": ""}, package=package)
    assert '<i title="">a\n<b>b</b><b>c</b></i>' in page


def test_whatever_a_template_shows_is_escaped(package: str) -> None:
    page = render("page.html.jinja", {"name": HOSTILE}, package=package)
    assert "<script" not in page
    assert 'title="&lt;script&gt;alert(1)&lt;/script&gt;&#34;\ufffd[31m"' in page
    text = render("page.md.jinja", {"name": "*a* <b> `c`"}, package=package)
    assert text == "\\*a\\* \\<b\\> \\`c\\`, `` *a* <b> `c` ``"


def test_a_template_that_shows_what_it_was_not_given_fails(package: str) -> None:
    with pytest.raises(Exception, match="'name' is undefined"):
        render("page.md.jinja", {}, package=package)


def test_only_the_style_and_a_blank_are_marked_as_safe() -> None:
    marked = {
        path.name: re.findall(r"(.*?) \| *safe\b", path.read_text("utf-8"))
        for path in TEMPLATES.glob("*.html.jinja")
    }
    marked = {name: found for name, found in marked.items() if found}
    assert marked.keys() == {"macros.html.jinja", "notebook.html.jinja"}
    assert [text[-8:] for text in marked["macros.html.jinja"]] == ['"&nbsp;"']
    assert [text[:22] for text in marked["notebook.html.jinja"]] == ['{{ source("base.css") ']


def test_compiled_templates_are_kept_and_what_is_damaged_is_compiled_anew(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / package / "templates" / "__pycache__"
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    page = render("page.html.jinja", {"name": "a"}, package=package)
    assert not folder.exists()
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    for damage in (None, 0, 20, 200):
        environment.cache_clear()
        for path in folder.glob("*") if damage is not None else ():
            path.write_bytes(path.read_bytes()[:damage])
        assert render("page.html.jinja", {"name": "a"}, package=package) == page
        assert "page.html.jinja" in {path.name.partition(".cp")[0] for path in folder.iterdir()}
    shutil.rmtree(folder)
    folder.touch()  # no folder can be made there
    environment.cache_clear()
    assert render("page.html.jinja", {"name": "a"}, package=package) == page


# Reports stay small whatever is reported.


def test_a_hundred_thousand_changed_answers_are_neither_listed_nor_looked_at_one_by_one() -> None:
    report = chain_report(images=400, classes=4, noise=(0.0, 2.0))
    item = report.comparisons[1]
    many = replace(item, flips=item.flips * (100_000 // len(item.flips)))
    report = replace(report, comparisons=(report.comparisons[0], many))
    page = report_html(report, np.zeros((400, 6, 6, 1), np.uint8))
    assert page.count('<figure class="flip') == 48
    assert len(page) < 200_000
    assert len(report_markdown(report)) < 10_000


# The fragment for notebooks.


def test_a_notebook_shows_the_verdict_the_tiles_and_all_models() -> None:
    report = three_decisions()
    fragment = notebook_html(report)
    text = " ".join(re.sub(r"<style>.*?</style>|<[^>]+>", " ", fragment, flags=re.DOTALL).split())
    assert text.startswith("Parity report of full, 1,000 test images, 10 classes Parity is broken")
    assert 'class="mark broken"' in fragment
    assert "To blame is quantization (float32 → int8)" in text
    assert "Same answer 95.2 % of 1,000 images" in text
    assert re.search(r"float32 holds 88.6 .* int8 broken 87.7 ", text)


def test_a_fragment_for_notebooks_needs_nothing_and_reaches_nothing_outside() -> None:
    fragment = notebook_html(three_decisions())
    assert fragment.startswith('<div class="fmnist-edge"><style>')
    assert fragment.endswith("</div>")
    assert not re.search(r"<(script|link|h\d|iframe|img)|https?:|href=| id=| on\w+=", fragment)
    style = fragment[fragment.index("<style>") + 7 : fragment.index("</style>")]
    style = re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL)
    while "{" in style:  # from the innermost blocks outwards
        outermost = style
        style = re.sub(r"[^{}]*\{[^{}]*\}", "", style)
    assert outermost.strip().startswith(".fmnist-edge {")
    assert not style.strip()
    assert ":root" not in fragment
    assert not re.search(r"(?<!t)\bbody\b", fragment)


def test_names_in_a_notebook_are_only_text() -> None:
    report = chain_report(models=(HOSTILE, f"{HOSTILE} 2", "</style><b>"), dataset=HOSTILE)
    fragment = notebook_html(report)
    assert "<script" not in fragment
    assert fragment.count("</style>") == 1
    assert "\x1b" not in fragment


def test_the_same_report_gives_the_same_fragment() -> None:
    report: ParityReport = chain_report()
    assert notebook_html(report) == notebook_html(report)
