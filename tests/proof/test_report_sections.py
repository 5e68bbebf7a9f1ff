"""What the page says of each model: its classes, confusions, confidences and changed answers."""

import re
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pages import Page
from reports import answering, broken_report, chain_report, small_report

from edge_runtime.errors import PredictionsError
from edge_runtime.inference.comparing import compare
from edge_runtime.proof.parity import TIE_RULE, Contract, Margins
from edge_runtime.proof.report import report_html

# The sections.


def test_page_tells_classes_beyond_chance_from_the_others() -> None:
    text = Page(report_html(broken_report(), None)).text
    assert re.search(r"\d+ classes changed beyond chance \(marked ◆\)", text)
    assert "◆ class" in text
    quiet = Page(report_html(small_report(), None)).text
    assert "No class changed beyond chance" in quiet
    assert "No cell changed beyond chance" in quiet
    assert "– without test images, so not judged: bird" in quiet


def test_difference_of_confusion_is_signed_and_marked_better_or_worse() -> None:
    html = report_html(small_report(), None)
    difference = html[html.index("Difference: int8 minus full model</figcaption>") :]
    cells = re.findall(r'<td(?: class="([^"]*)")?>([^<]*)</td>', difference)[:9]
    assert cells == [
        ("w9 d", "−2"), ("w5", "+1"), ("w5", "+1"),
        ("b5", "−1"), ("b5 d", "+1"), ("", ""),
        ("", ""), ("", ""), ("d", ""),
    ]  # fmt: skip


def test_cells_beyond_chance_are_marked_by_more_than_colour() -> None:
    html = report_html(broken_report(), None)
    assert re.search(r'<td class="w\d beyond-cell d">−\d+<b>◆</b></td>', html)


def test_thresholds_are_told_in_words() -> None:
    names, labels = ("a", "b"), [0, 1] * 50
    full = answering(labels, labels, names, "full")
    surer = answering(labels, labels, names, "int8")
    surer.probabilities[:4] = [[0.9, 0.1]]  # images 1 and 3 are b: wrong, and now accepted
    text = Page(report_html(compare(full, [surer]), None)).text
    assert "0.80 0.0 4.0 – 50.0 [15.0–85.0] 4.0 points more accepted." in text
    assert (
        "0.50 100.0 100.0 0.0 2.0 [0.6–7.0] as many accepted, 2.0 points more of them wrong."
        in text
    )


def test_ties_and_their_rule_are_told() -> None:
    names, labels = ("a", "b"), [0, 1]
    full = answering([0, 1], labels, names, "full")
    tied = answering([0, 1], labels, names, "int8")
    tied.probabilities[1] = 0.5
    text = Page(report_html(compare(full, [tied]), None)).text
    assert f"in 0 of the full model's answers and in 1 of the converted model's. {TIE_RULE}" in text
    assert (
        "1 answer changed although the converted model gave the full model's answer the same"
        in text
    )


def test_what_is_shared_is_said_once_and_what_differs_for_each_model() -> None:
    html = report_html(small_report(), None)
    same, _, differs = html[html.index("What it was measured on") :].partition("What differs")
    assert "<dt>CPU</dt><dd>Cortex-A72</dd>" in same
    assert "<dt>Threads</dt><dd>1 (not recorded of full)</dd>" in same
    assert "<td>tensorflow</td><td>ai-edge-litert</td><td>ai-edge-litert</td>" in differs
    assert "Cortex-A72" not in differs


def test_a_model_that_answers_exactly_as_another_points_there() -> None:
    report = chain_report(noise=(0.1, 0.0))
    html = report_html(report, None)
    assert 'exactly that of <a href="#model-1"><bdi>float32</bdi></a>' in html


def test_only_the_model_that_the_verdict_is_about_is_unfolded() -> None:
    html = report_html(broken_report(), None)
    assert html.count('<details class="model" open>') == 1
    assert re.search(r'<details class="model" open><summary><h2><bdi>int8</bdi>', html)


def test_a_report_in_which_all_holds_opens_with_the_model_that_changed_most() -> None:
    report = chain_report(noise=(0.0, 0.05), contract=Contract(Margins(accuracy=0.05)))
    assert [item.counts.flips > 0 for item in report.comparisons] == [False, True]
    html = report_html(report, None)
    assert '<p class="about"><bdi>int8</bdi> against the full model' in html
    assert re.search(r'<details class="model" open><summary><h2><bdi>int8</bdi>', html)


# The gallery.


def test_gallery_shows_both_answers_their_confidence_and_the_blamed_step() -> None:
    text = Page(report_html(small_report(), None)).text
    assert "3 answers changed: 2 lost (from right to wrong), 1 won" in text
    assert "✕ lost Image 0 is cat full cat 75.0 % → int8 dog 75.0 % changed at quantization" in text


def test_gallery_shows_48_pictures_and_counts_the_others() -> None:
    report = chain_report(images=400, classes=4, noise=(0.0, 2.0))
    flips = len(report.comparisons[1].flips)
    assert flips > 48
    page = Page(report_html(report, np.zeros((400, 6, 6, 1), np.uint8)))
    assert page.count("img") == 48
    assert f"and {flips - 48} more in report.json" in page.text


def test_without_images_the_gallery_still_tells_the_changes() -> None:
    page = Page(report_html(small_report(), None))
    assert page.count("img") == 0
    assert page.count("figure", "flip") == 3


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((9, 4, 4, 1), np.uint8),
        np.zeros((10, 4, 4), np.uint8),
        np.zeros((10, 4, 4, 2), np.uint8),
        np.zeros((10, 4, 4, 1), np.float32),
    ],
)
def test_other_images_than_those_of_the_report_are_refused(images: NDArray[Any]) -> None:
    with pytest.raises(PredictionsError, match="needs the 10 test images"):
        report_html(small_report(), images)
