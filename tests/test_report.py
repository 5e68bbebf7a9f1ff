"""The three forms of a report: table, page and JSON."""

# The reports are set with the signs of print: minus, dash and times.

import json
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.errors import PredictionsError
from edge_runtime.parity import TIE_RULE, ParityReport, compare
from edge_runtime.predictions import Predictions
from edge_runtime.report import report_html, report_json, report_table

HOSTILE = ("<script>alert(1)</script>", '"><img src=http://example.org/x>\x1b[31m')
VOID = {"meta", "img", "br"}


def answering(
    answers: list[int], labels: list[int], names: tuple[str, ...], model: str, **details: Any
) -> Predictions:
    """Predictions of a model that is 75 % sure of each answer."""
    probabilities = np.full((len(answers), len(names)), 0.25 / (len(names) - 1), np.float32)
    probabilities[np.arange(len(answers)), answers] = 0.75
    hashes = np.array([b"0" * 64] * len(answers), "S64")
    return Predictions(probabilities, np.array(labels), hashes, names, {"model": model, **details})


def small_report(*, max_drop: float = 0.0) -> ParityReport:
    """Ten images of two of three classes; int8 loses two cats and wins one dog."""
    names = ("cat", "dog", "bird")
    labels = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    facts = {"dataset": "pets", "cpu": "Cortex-A72", "threads": 1, "numpy": "2.2.1"}
    litert = {"backend": "ai-edge-litert", "backend_version": "2.0.2"}

    def of(answers: list[int], model: str, **details: Any) -> Predictions:
        return answering(answers, labels, names, model, **facts, **details)

    full = of([0, 0, 0, 0, 0, 1, 1, 1, 1, 0], "full", backend="tensorflow", size_bytes=1_234_567)
    same = of(
        [0, 0, 0, 0, 0, 1, 1, 1, 1, 0], "float32", **litert, scheme="float32", size_bytes=4096
    )
    int8 = of(
        [1, 2, 0, 0, 0, 1, 1, 1, 1, 1],
        "int8",
        **litert,
        scheme="int8",
        size_bytes=1024,
        latency_us={"median": 141.9, "p10": 130.0, "p90": 160.2, "n": 10},
    )
    return compare(full, [same, int8], max_drop=max_drop)


def random_report(*, classes: int, images: int, noise: float = 0.5) -> ParityReport:
    """A seeded full model of so many classes, the last without images, and a noisy copy of it."""
    rng = np.random.default_rng(7)
    labels = rng.integers(0, max(1, classes - 1), images)
    logits = rng.normal(size=(images, classes)) + 3 * np.eye(classes)[labels]

    def of(values: NDArray[np.float64], model: str) -> Predictions:
        exponents = np.exp(values)
        shares = (exponents / exponents.sum(axis=1, keepdims=True)).astype(np.float32)
        hashes = np.array([b"0" * 64] * images, "S64")
        names = tuple(f"class {index}" for index in range(classes))
        return Predictions(shares, labels, hashes, names, {"model": model})

    noisy = logits + rng.normal(scale=noise, size=logits.shape)
    return compare(of(logits, "full"), [of(noisy, "noisy")])


class Page(HTMLParser):
    """Checks that tags are balanced, and collects what a page shows and refers to."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def count(self, tag: str, css_class: str = "") -> int:
        return sum(
            name == tag and css_class in ["", *(attrs.get("class") or "").split()]
            for name, attrs in self.tags
        )


def test_table_shows_exact_figures_with_the_full_model_first() -> None:
    lines = report_table(small_report()).splitlines()
    rows = [re.split(r"\s{2,}", line.strip()) for line in lines[5:8]]
    # Wilson intervals of 9/10 and 8/10; |Δp| is 3 flips of 0.75 - 0.125 twice, over 30 numbers.
    assert rows == [
        ["full", "1,234,567", "90.0 [59.6–98.2]", "–", "–", "–", "–", "–", "–"],
        ["float32", "4,096", "90.0 [59.6–98.2]", "0.0", "100.0", "0", "0", "0 (0/0)", "–"],
        [
            "int8",
            "1,024",
            "80.0 [49.0–94.3]",
            "−10.0",
            "70.0",
            "0.1250",
            "0.6250",
            "3 (2/1)",
            "142",
        ],
    ]


def test_table_names_the_classes_that_changed_and_ends_with_the_verdict() -> None:
    report = small_report()
    lines = report_table(report).splitlines()
    start = lines.index("int8: recall by class, % of its images found, full → converted")
    assert lines[start + 1 : start + 4] == [
        "  cat  100.0 →  60.0   −40.0 points  (5 → 3 of 5)",
        "  dog   80.0 → 100.0   +20.0 points  (4 → 5 of 5)",
        "  1 class as before",
    ]
    assert "float32: no answer changed." in lines
    assert lines[-1] == report.verdict
    assert lines[-1].startswith("Parity is broken: int8 loses 10.0 points")


def test_table_stays_within_100_columns_whatever_the_names_and_sizes() -> None:
    names = ("W" * 300, "猫" * 200)
    details = {"size_bytes": 9_876_543_210, "latency_us": {"median": 9.9e9}}
    labels = [0, 1] * 6000
    full = answering(labels, labels, names, "full" * 40, **details)
    flipped = answering(labels[::-1], labels, names, "模型" * 60, **details)
    lines = report_table(compare(full, [flipped])).splitlines()
    assert (
        max(len(line) + line.count("猫") + line.count("模") + line.count("型") for line in lines)
        <= 100
    )


def test_table_leaves_out_columns_that_nobody_measured() -> None:
    table = report_table(random_report(classes=3, images=50))
    assert "bytes" not in table
    assert "µs" not in table


def test_names_cannot_steer_the_terminal() -> None:
    full = answering([0, 1], [0, 1], HOSTILE, "full")
    table = report_table(compare(full, [answering([1, 0], [0, 1], HOSTILE, "int8\x1b]0;\n")]))
    assert "\x1b" not in table
    assert "int8\ufffd]0;\ufffd" in table


def test_a_broken_verdict_is_said_in_words_and_by_a_mark_of_its_own() -> None:
    page = Page(report_html(small_report(), None))
    assert "Parity is broken int8 loses 10.0 points; the limit is 0 points." in page.text
    assert page.count("header", "broken") == 1
    assert page.count("svg", "broken") == 3  # headline, table and section; int8 alone
    assert page.count("svg", "holds") == 2  # table and section of float32


def test_a_holding_verdict_is_said_in_words_and_by_a_mark_of_its_own() -> None:
    page = Page(report_html(small_report(max_drop=0.1), None))
    assert "Parity holds the largest loss is 10.0 points (int8)" in page.text
    assert page.count("header", "holds") == 1
    assert page.count("svg", "broken") == 0


def test_page_shows_facts_figures_and_the_tie_rule() -> None:
    text = Page(report_html(small_report(), None)).text
    assert "Runtime tensorflow (full); ai-edge-litert 2.0.2 (converted)" in text
    assert "Processor Cortex-A72 Runtime" in text
    assert "Threads 1 NumPy 2.2.1" in text
    assert "1.0 KiB 4.0× smaller than float32 80.0 [49.0–94.3] −10.0 70.0 3 2 / 1 / 0" in text
    assert "moved by 0.1250 on average and by 0.6250 at most" in text
    assert "cat 100.0 60.0 −40.0 5 → 3 of 5" in text
    assert "3 answers changed: 2 lost (from right to wrong), 1 won" in text
    assert "✕ lost Image 0 is cat full cat 75.0 % → int8 dog 75.0 %" in text
    assert TIE_RULE in text


def test_an_unchanged_model_is_told_in_one_sentence() -> None:
    html = report_html(small_report(), None)
    section = html[html.index('id="model-1"') : html.index('id="model-2"')]
    assert "<p>No answer changed.</p>" in section
    assert "<h3>" not in section


def test_difference_of_confusion_is_signed_and_marked_better_or_worse() -> None:
    html = report_html(small_report(), None)
    difference = html[html.index("Difference: int8 minus full model</figcaption>") :]
    cells = re.findall(r'<td(?: class="([^"]*)")?>([^<]*)</td>', difference)[:9]
    assert cells == [
        ("w9 d", "−2"), ("w5", "+1"), ("w5", "+1"),
        ("b5", "−1"), ("b5 d", "+1"), ("", ""),
        ("", ""), ("", ""), ("d", ""),
    ]  # fmt: skip


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


def test_hostile_names_are_only_text() -> None:
    full = answering(
        [0, 1, 0], [0, 1, 1], HOSTILE, HOSTILE[1], cpu=HOSTILE[0], extra={"a": HOSTILE}
    )
    report = compare(full, [answering([1, 0, 0], [0, 1, 1], HOSTILE, HOSTILE[0], latency_us=[1])])
    html = report_html(report, np.zeros((3, 4, 4, 1), np.uint8))
    assert "<script" not in html
    assert "<img src=http" not in html
    assert "\x1b" not in html
    page = Page(html)
    assert HOSTILE[0] in page.text
    assert page.count("img") == 2


def test_gallery_shows_48_pictures_and_counts_the_others() -> None:
    report = random_report(classes=4, images=400, noise=2.0)
    flips = len(report.comparisons[0].flips)
    assert flips > 48
    page = Page(report_html(report, np.zeros((400, 6, 6, 1), np.uint8)))
    assert page.count("img") == 48
    assert f"and {flips - 48} more in report.json" in page.text


def test_without_images_the_gallery_still_tells_the_changes() -> None:
    page = Page(report_html(small_report(), None))
    assert page.count("img") == 0
    assert page.count("figure", "flip") == 3


@pytest.mark.parametrize("classes", [2, 40])
def test_any_number_of_classes_gives_a_well_formed_page(classes: int) -> None:
    report = random_report(classes=classes, images=300)
    page = Page(report_html(report, np.zeros((300, 4, 4, 3), np.uint8)))
    assert page.count("table", "confusion") == 3
    assert page.count("td") >= 3 * classes * classes


def test_a_class_without_images_has_a_dash_and_null_for_its_recall() -> None:
    report = small_report()
    assert "bird – – – no test images" in Page(report_html(report, None)).text
    document = json.loads(report_json(report))
    assert document["comparisons"][1]["recall"][2]["value"] is None


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


def test_same_report_same_bytes() -> None:
    images = np.random.default_rng(1).integers(0, 256, (10, 9, 7, 3)).astype(np.uint8)
    assert report_html(small_report(), images) == report_html(small_report(), images)
    assert report_json(small_report()) == report_json(small_report())
    assert report_table(small_report()) == report_table(small_report())


def test_json_round_trips_without_nan() -> None:
    report = small_report()
    assert json.loads(report_json(report)) == json.loads(json.dumps(report.to_dict()))
    full = answering([0, 1], [0, 1], ("a", "b"), "full", odd=[float("nan"), {"x": float("inf")}])
    text = report_json(compare(full, [full]))
    assert "NaN" not in text
    assert "Infinity" not in text
    assert json.loads(text)["full"]["details"]["odd"] == [None, {"x": None}]
