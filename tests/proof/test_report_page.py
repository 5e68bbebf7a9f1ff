"""The page: its verdict, and the page as a file."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import HOSTILE, Page, width
from reports import answering, broken_report, chain_report, small_report

from edge_runtime.data.predictions import Predictions
from edge_runtime.inference.comparing import compare
from edge_runtime.proof.parity import Contract, Margins
from edge_runtime.proof.report import report_html, report_table
from edge_runtime.wording import about

LIMIT_BYTES = 3 * 1024 * 1024


# The verdict.


def test_a_broken_verdict_has_its_word_its_mark_and_the_step_to_blame() -> None:
    html = report_html(broken_report(), None)
    page = Page(html)
    assert page.count("header", "broken") == 1
    assert "Parity is broken int8 changes by −" in page.text
    assert "To blame is quantization (float32 → int8)" in page.text
    header = html[html.index("<header") : html.index("</header>")]
    assert 'class="mark broken"' in header
    assert "#contract" in header  # the other demands that are broken


def test_an_inconclusive_verdict_says_how_many_images_would_decide() -> None:
    report = chain_report(images=120, noise=(0.01, 0.1))
    page = Page(report_html(report, None))
    assert report.decision == "inconclusive"
    assert page.count("header", "inconclusive") == 1
    assert f"Images needed {about(report.images_needed)} 120 are here" in page.text


def test_where_nothing_was_lost_the_least_number_is_shown() -> None:
    page = Page(report_html(chain_report(images=60, noise=(0.01, 0.1)), None))
    assert "Images needed at least 476 60 are here" in page.text


def test_a_holding_verdict_blames_nobody() -> None:
    report = chain_report(noise=(0.0, 0.05), contract=Contract(Margins(accuracy=0.05)))
    page = Page(report_html(report, None))
    assert report.decision == "holds"
    assert page.count("header", "holds") == 1
    assert page.count("svg", "broken") == 0
    assert "to blame" not in page.text
    assert "Parity holds No model does worse than int8" in page.text


def test_each_demand_is_shown_with_limit_value_interval_and_decision() -> None:
    html = report_html(broken_report(), None)
    section = html[html.index('<section id="contract">') : html.index("<h2>Where answers change")]
    text = " ".join(re.sub(r"<[^>]+>", " ", section).split())
    assert re.search(
        r"agreement at least 97 % of the answers [\d.]+ % [\d.]+ to [\d.]+ broken", text
    )
    assert re.search(r"a loss of at most 10 points −[\d.]+ points worst: class \d", text)
    assert "size at most 40,000 bytes 39,000 bytes holds" in text
    assert "step quantization, float32 → int8 agreement at least 90 %" in text


# The page as a file.


def test_page_refers_to_nothing_outside_and_has_no_script() -> None:
    page = Page(report_html(small_report(), np.zeros((10, 8, 8, 3), np.uint8)))
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "base"}
        assert not any(name.startswith("on") for name in attributes)
        for name in ("href", "src"):
            assert (attributes.get(name) or "#").startswith(("#", "data:image/png;base64,"))
    html = report_html(small_report(), None)
    assert "http://" not in html
    assert "https://" not in html
    assert "@import" not in html
    assert "url(" not in html


def test_every_link_within_the_page_leads_somewhere() -> None:
    html = report_html(broken_report(), None)
    targets = set(re.findall(r'href="#([^"]+)"', html))
    assert targets
    assert targets <= set(re.findall(r' id="([^"]+)"', html))


def test_hostile_names_are_only_text() -> None:
    full = answering(
        [0, 1, 0], [0, 1, 1], HOSTILE, HOSTILE[1], cpu=HOSTILE[0], extra={HOSTILE[1]: HOSTILE}
    )
    report = compare(full, [answering([1, 0, 0], [0, 1, 1], HOSTILE, HOSTILE[0], latency_us=[1])])
    html = report_html(report, np.zeros((3, 4, 4, 1), np.uint8))
    assert "<script" not in html
    assert "<img src=http" not in html
    assert "\x1b" not in html
    page = Page(html)
    assert HOSTILE[0] in page.text
    assert page.count("img") == 2


@settings(deadline=None, max_examples=25)
@given(name=st.text(min_size=1, max_size=60), value=st.text(max_size=60))
def test_any_name_gives_a_well_formed_page_and_a_narrow_table(name: str, value: str) -> None:
    names = (name + "1", name + "2")
    full = answering([0, 1, 0], [0, 1, 1], names, name, cpu=value, dataset=name)
    report = compare(full, [answering([1, 0, 0], [0, 1, 1], names, name, scheme=value)])
    Page(report_html(report, None))
    assert max(width(line) for line in report_table(report).splitlines()) <= 100


@pytest.mark.parametrize("classes", [2, 25])
def test_up_to_25_classes_have_their_confusion_in_numbers(classes: int) -> None:
    report = chain_report(images=300, classes=classes, noise=(0.0, 1.0))
    page = Page(report_html(report, np.zeros((300, 4, 4, 3), np.uint8)))
    assert page.count("table", "confusion") == 4  # one of float32, which is the full model's


def test_more_classes_have_it_in_pictures() -> None:
    report = chain_report(images=300, classes=40, noise=(0.0, 1.0))
    page = Page(report_html(report, None))
    assert page.count("table", "confusion") == 0
    assert page.count("img", "heat") == 6


def test_page_stays_below_3_mebibytes_with_photographs_many_models_and_classes() -> None:
    rng = np.random.default_rng(5)
    count, classes = 300, 100
    labels = rng.integers(0, classes, count)
    names = tuple(f"class {index} " + "x" * 200 for index in range(classes))
    hashes = np.array([f"{index:064x}".encode() for index in range(count)], "S64")

    def of(model: str) -> Predictions:
        shares = rng.dirichlet(np.full(classes, 0.05), count).astype(np.float32)
        return Predictions(shares, labels, hashes, names, {"model": model, "note": "y" * 10_000})

    report = compare(of("full"), [of(f"model {index}") for index in range(14)])
    noise = rng.integers(0, 256, (count, 160, 160, 3)).astype(np.uint8)
    html = report_html(report, noise)
    assert len(html.encode()) < LIMIT_BYTES
    assert "and 2 more models in report.json" in html


def test_same_report_same_bytes() -> None:
    images = np.random.default_rng(1).integers(0, 256, (10, 9, 7, 3)).astype(np.uint8)
    assert report_html(small_report(), images) == report_html(small_report(), images)
    assert report_table(small_report()) == report_table(small_report())


def test_an_empty_contract_asks_for_nothing_and_still_reports() -> None:
    report = small_report(Contract(Margins()))
    text = Page(report_html(report, None)).text
    assert "The contract asks for nothing" in text
    assert report.decision == "holds"
    assert report_table(report).rpartition("\n\n")[2].startswith("Parity holds: no model")
