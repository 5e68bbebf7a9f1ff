"""The workflow that the documentation offers, and its page, name what there is."""

import re
import shlex
from pathlib import Path

import click
import pytest
from conftest import ROOT

from edge_runtime.cli import cli
from edge_runtime.proof.parity.contract_file import load_contract
from edge_runtime.proof.report import report_schema

PAGE = (ROOT / "docs" / "how-to" / "continuous-integration.md").read_text("utf-8")
WORKFLOW = (ROOT / "docs" / "how-to" / "github-actions.yml").read_text("utf-8")


def calls(text: str) -> list[list[str]]:
    """The arguments of each call of fmnist-edge in a page, continued lines joined."""
    joined = re.sub(r"\\\n\s*", " ", text)
    found = re.findall(r"^\s*(?:- )?(?:run: |sh ')?fmnist-edge (\w[^\n']*)", joined, re.MULTILINE)
    return [shlex.split(re.split(r"\|\||#", line)[0]) for line in found]


@pytest.mark.parametrize("text", [WORKFLOW, PAGE], ids=["workflow", "page"])
def test_every_command_takes_its_options(text: str) -> None:
    found = calls(text)
    assert {"train", "convert", "parity"} <= {name for name, *_ in found}
    for name, *arguments in found:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None, name
        # Raises where an option is unknown or a value cannot be.
        command.make_context(name, arguments)


def test_the_workflow_writes_what_it_shows_and_keeps() -> None:
    (parity,) = [arguments for name, *arguments in calls(WORKFLOW) if name == "parity"]
    formats = [parity[at + 1] for at, word in enumerate(parity) if word == "--format"]
    assert formats == ["html", "json", "junit", "markdown"]
    assert parity[parity.index("--out") + 1] == "parity"
    assert 'cat parity/report.md >> "$GITHUB_STEP_SUMMARY"' in WORKFLOW


def test_the_contract_on_the_page_can_be_read(tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "parity.toml").write_text(text, "utf-8")
    assert load_contract(tmp_path / "parity.toml").budgets.latency_us == 500


def test_the_page_names_the_schema_and_its_file() -> None:
    assert f'"$schema": "{report_schema()["$id"]}"' in PAGE
    (path,) = re.findall(r"`(edge_runtime/\S*\.json)`", PAGE)
    assert (ROOT / path).is_file()
