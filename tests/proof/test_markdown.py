"""The report for a pull request."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reports import DEMANDING, chain_report, three_decisions

from edge_runtime.proof.parity import Contract, Margins
from edge_runtime.proof.report import report_markdown
from edge_runtime.proof.report.markdown_markup import code, plain
from edge_runtime.wording import printable

HOSTILE = "a|b`c``<img src=x onerror=y>@octocat [x](http://e.org) **b** $x$ #1 &amp; \\ www.e.org"
SPACE = "\N{ZERO WIDTH SPACE}"


def rows(text: str, heading: str) -> list[list[str]]:
    """The cells of the table below a heading, without its first two rows."""
    section = text.split(f"### {heading}\n", 1)[1].split("\n###")[0].split("<details>")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def rendered(text: str) -> str:
    markdown_it = pytest.importorskip("markdown_it")
    page: str = markdown_it.MarkdownIt("commonmark").enable("table").render(text)
    return page


@pytest.mark.parametrize(
    ("noise", "images", "title"),
    [
        ((0, 0), 1000, "## ✅ Parity holds"),
        ((0, 5), 1000, "## ❌ Parity is broken"),
        ((0, 0), 50, "## ⚠️ Inconclusive"),
    ],
)
def test_the_verdict_comes_first_with_a_mark(
    noise: tuple[float, float], images: int, title: str
) -> None:
    text = report_markdown(chain_report(noise=noise, images=images))
    assert text.splitlines()[0] == title


def test_the_gravest_demands_come_first() -> None:
    found = rows(report_markdown(three_decisions()), "Demands")
    decisions = [row[0].split()[1] for row in found]
    order = ["broken", "inconclusive", "holds"]
    assert decisions == sorted(decisions, key=order.index)
    assert set(decisions) == set(order)
    assert all(len(row) == 4 for row in found)


def test_models_are_told_with_change_and_interval() -> None:
    report = chain_report()
    full, _, int8 = rows(report_markdown(report), "Models")
    counts = report.comparisons[1].counts
    assert full[0] == "`full`"
    assert full[2:5] == ["–", "–", "–"]
    assert int8[0] == "`int8`"
    assert int8[3] == f"{counts.agreement.value * 100:.1f}"
    assert int8[4] == f"{counts.lost} / {counts.won}"
    assert int8[5:] == ["39,000", "35.2"]


def test_the_blamed_step_is_marked() -> None:
    report = chain_report(noise=(0, 5))
    conversion, quantization = rows(report_markdown(report), "Steps")
    assert conversion[0] == "conversion"
    assert quantization[0] == "quantization ← to blame"
    assert quantization[3] == str(report.steps[1].counts.flips)


def test_details_are_folded_one_for_each_model() -> None:
    text = report_markdown(chain_report())
    assert text.count("<details>") == text.count("</details>") == 3
    assert "<summary>int8: classes and changed answers</summary>" in text
    assert text.index("<details>") > text.index("### Steps")


def test_models_without_a_flip_say_so() -> None:
    assert report_markdown(chain_report(noise=(0, 0))).count("No answer changed.") == 2


def test_a_report_without_demands_has_no_table_of_them() -> None:
    assert "### Demands" not in report_markdown(chain_report(contract=Contract(Margins())))


def test_names_neither_format_nor_link_nor_call_anybody() -> None:
    text = report_markdown(
        chain_report(
            noise=(0, 5),
            names=(HOSTILE, *(f"class {index}" for index in range(9))),
            models=("full", HOSTILE, f"{HOSTILE} 2"),
            contract=DEMANDING,
            cpu=HOSTILE,
        )
    )
    page = rendered(text)
    tags = set(re.findall(r"<(/?\w+)", page))
    known = {"h2", "h3", "ul", "li", "p", "code", "details", "summary"}
    known |= {"table", "thead", "tbody", "tr", "th", "td"}
    assert tags <= {*known, *(f"/{name}" for name in known)}
    outside_code = re.sub(r"<code>.*?</code>", "", page)
    assert not re.search(r"@\w|#\d|://\w|www\.\w", html.unescape(outside_code))
    cells = [row.count("<t") for row in re.findall(r"<tr>.*?</tr>", page, re.DOTALL)]
    assert min(cells) > 4


@given(st.text())
def test_a_sentence_is_shown_as_it_is(text: str) -> None:
    page = rendered(f"It says: {plain(text)}.")
    shown = html.unescape(page.removeprefix("<p>").removesuffix("</p>\n"))
    assert shown.replace(SPACE, "") == f"It says: {printable(text)}.".replace(SPACE, "")


@given(st.text(st.characters(exclude_categories=["Zs"]), min_size=1, max_size=60))
def test_a_name_in_a_table_is_shown_as_it_is(name: str) -> None:
    page = rendered(f"| a | b |\n| --- | --- |\n| {code(name, in_table=True)} | 1 |")
    shown = re.search(r"<td><code>(.*?)</code></td>\n<td>1</td>", page, re.DOTALL)
    assert shown
    assert html.unescape(shown[1]) == printable(name)


@pytest.mark.parametrize("letter", ["|", "`", "猫"])
def test_a_comment_never_exceeds_what_github_takes(letter: str) -> None:
    report = chain_report(
        images=3000,
        classes=100,
        noise=(1, 5),
        names=tuple(f"{letter * 200}{index}" for index in range(100)),
        models=tuple(f"{letter * 500}{index}" for index in range(3)),
        contract=Contract(Margins(accuracy=0.01, agreement=0.97, brier=0.02)),
        cpu=letter * 5000,
    )
    assert 20_000 < len(report_markdown(report)) <= 60_000


def test_a_report_that_is_too_long_says_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_runtime.proof.report.markdown.LIMIT_CHARACTERS", 2000)
    text = report_markdown(chain_report())
    assert len(text) <= 2000
    assert text.endswith("_More is in report.json; a comment has no room for it._")
    assert text.startswith("## ")
