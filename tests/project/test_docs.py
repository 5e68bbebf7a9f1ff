"""What README and docs/ show works: commands, Python, links, and the pictures' script."""

import re
import shlex
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from conftest import ROOT
from script_modules import script_module

from edge_runtime.cli import cli

DOCS = ROOT / "docs"
README = ROOT / "README.md"
# The command line's reference is written from --help, and has a test of its own.
PAGES = [README, *sorted(path for path in DOCS.rglob("*.md") if path.name != "cli.md")]
# Whose Python can be run where a run is; on other pages names stand for what a reader has.
RUNNABLE = [README, DOCS / "reference" / "python.md", DOCS / "reference" / "schemas.md"]


def blocks(page: Path, *languages: str) -> list[str]:
    """The fenced blocks of a page in these languages ("" for none)."""
    fenced = re.findall(r"^( *)```(\S*)\n(.*?)^\1```", page.read_text("utf-8"), re.DOTALL | re.M)
    return [text for _, language, text in fenced if language in languages]


def commands(page: Path) -> Iterator[list[str]]:
    """The arguments of each call of fmnist-edge in the fenced blocks, continued lines joined."""
    for block in blocks(page, "", "bash", "sh", "yaml", "groovy"):
        joined = re.sub(r"\\\n\s*", " ", block)
        for call in re.findall(r"(?:^|[\s/'])fmnist-edge ([a-z][^\n']*)", joined):
            line = re.split(r"\|\||&&|\|", call)[0]
            words = shlex.split(line, comments=True)
            if words:
                yield words


def parsed(words: list[str]) -> None:
    """Raise unless a command takes these arguments."""
    # The word `installed` is looked up on this machine.
    words = ["int8.edge.zip" if word == "installed" else word for word in words]
    group: click.Command = cli
    while isinstance(group, click.Group):
        name, *words = words
        command = group.get_command(click.Context(group), name)
        assert command is not None, f"there is no command {name}"
        group = command
    group.make_context(group.name, words)


def identifier(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_readme_can_be_read_in_one_sitting() -> None:
    assert len(README.read_text("utf-8").splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=identifier)
def test_every_command_of_a_page_exists_and_takes_its_options(page: Path) -> None:
    for words in commands(page):
        try:
            parsed(list(words))
        except click.UsageError as error:
            pytest.fail(f"fmnist-edge {shlex.join(words)}: {error.format_message()}")


def test_commands_are_found_where_pages_show_them() -> None:
    found = {words[0] for page in PAGES for words in commands(page)}
    context = click.Context(cli)
    assert found == set(cli.list_commands(context)) - {"demo"}


@pytest.mark.parametrize("page", RUNNABLE, ids=identifier)
def test_the_python_of_a_page_runs(
    page: Path, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run_folder.parent.parent)
    found = blocks(page, "python")
    assert found
    names: dict[str, Any] = {"__name__": "page"}
    for block in found:
        exec(compile(block, identifier(page), "exec"), names)


@pytest.mark.parametrize("page", [README, ROOT / "CONTRIBUTING.md"], ids=identifier)
def test_links_outside_the_site_lead_to_files(page: Path) -> None:
    # `mkdocs build --strict` checks those within it.
    links = re.findall(r"(?:\]\(|src=\")(?!https?:)([^)#\s\"]+)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_map_names_every_wing() -> None:
    drawing = "".join(blocks(ROOT / "CONTRIBUTING.md", ""))
    entries = [path.stem for path in (ROOT / "edge_runtime").iterdir()]
    wings = [name for name in entries if not name.startswith("_") and name != "py"]
    assert [wing for wing in wings if not re.search(rf"\b{wing}\b", drawing)] == []


@pytest.fixture(scope="module")
def draw_docs() -> Any:
    return script_module("draw-docs")


def test_a_recording_shows_every_line_and_scrolls_to_the_last(draw_docs: Any) -> None:
    said = [draw_docs.Line(second, f"<line {second}>") for second in range(100)]
    drawing = ElementTree.fromstring(draw_docs.terminal_svg(said))
    svg = "{http://www.w3.org/2000/svg}"
    texts = ["".join(text.itertext()) for text in drawing.iter(f"{svg}text")]
    assert texts == [draw_docs.PROMPT, *(line.text for line in said)]
    (style,) = (item.text for item in drawing.iter(f"{svg}style"))
    assert f"translateY(-{(101 - draw_docs.ROWS) * draw_docs.LINE}px)" in str(style)
