"""The report for people: the page and the table."""

# The reports are set with the signs of print: minus, dash and times.

import re
import unicodedata
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from reports import DEMANDING, chain_report

from edge_runtime.data.predictions import Predictions
from edge_runtime.errors import PredictionsError
from edge_runtime.inference.comparing import compare
from edge_runtime.proof.parity import TIE_RULE, Contract, Margins
from edge_runtime.proof.parity_report import ParityReport
from edge_runtime.proof.report import report_html, report_markdown, report_table
from edge_runtime.wording import about

HOSTILE = ("<script>alert(1)</script>", '"><img src=http://example.org/x>\x1b[31m')
VOID = {"meta", "img", "br"}
LIMIT_BYTES = 3 * 1024 * 1024


def answering(
    answers: list[int], labels: list[int], names: tuple[str, ...], model: str, **details: Any
) -> Predictions:
    """Predictions of a model that is 75 % sure of each answer."""
    probabilities = np.full((len(answers), len(names)), 0.25 / (len(names) - 1), np.float32)
    probabilities[np.arange(len(answers)), answers] = 0.75
    hashes = np.array([f"{index:064x}".encode() for index in range(len(answers))], "S64")
    return Predictions(probabilities, np.array(labels), hashes, names, {"model": model, **details})


def small_report(contract: Contract | None = None) -> ParityReport:
    """Ten images of two of three classes; int8 loses two cats and wins one dog.

    Unless more is asked, only that one point of accuracy is kept.
    """
    names = ("cat", "dog", "bird")
    labels = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    facts = {"dataset": "pets", "cpu": "Cortex-A72", "numpy": "2.2.1"}
    litert = {"backend": "ai-edge-litert", "backend_version": "2.0.2", "threads": 1}

    def of(answers: list[int], model: str, **details: Any) -> Predictions:
        return answering(answers, labels, names, model, **facts, **details)

    right = [0, 0, 0, 0, 0, 1, 1, 1, 1, 0]
    return compare(
        of(right, "full", backend="tensorflow", scheme="keras", size_bytes=1_234_567),
        [
            of(right, "float32", **litert, scheme="float32", size_bytes=4096),
            of(
                [1, 2, 0, 0, 0, 1, 1, 1, 1, 1],
                "int8",
                **litert,
                scheme="int8",
                size_bytes=1024,
                latency_us={"median": 141.9, "p10": 130.0, "p90": 160.2, "n": 10},
            ),
        ],
        contract=contract or Contract(Margins(accuracy=0.01)),
    )


def broken_report() -> ParityReport:
    """A thousand images; quantization breaks every demand on it."""
    return chain_report(noise=(0.0, 2.0), contract=DEMANDING)


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


def width(line: str) -> int:
    """How many columns of a terminal a line takes."""
    return sum(
        0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF")
        for letter in line
    )


# The table.


def test_table_shows_exact_figures_with_the_full_model_first() -> None:
    lines = report_table(small_report()).splitlines()
    rows = [re.split(r"\s{2,}", line.strip()) for line in lines[5:8]]
    # Wilson intervals of 9/10 and 8/10, Tango's of 2 lost and 1 won. With so wide an interval there
    # is no room for the time.
    assert rows == [
        ["full", "1,234,567", "90.0 [59.6–98.2]", "–", "–", "–", "reference"],
        [
            *("float32", "4,096", "90.0 [59.6–98.2]"),
            *("0.0 (−34.5 to +34.5)", "100.0", "0 (0/0)", "inconclusive"),
        ],
        [
            *("int8", "1,024", "80.0 [49.0–94.3]"),
            *("−10.0 (−48.9 to +32.0)", "70.0", "3 (2/1)", "inconclusive"),
        ],
    ]


def test_table_names_the_step_to_blame_and_ends_with_the_verdict() -> None:
    table = report_table(broken_report())
    assert re.search(r"^quantization ◄ to blame +float32 → int8 +float32 → int8", table, re.M)
    assert re.search(r"^conversion +full → float32 +keras → float32 +0 \(0/0\)$", table, re.M)
    last = " ".join(table.rsplit("\n\n", 1)[1].split())
    assert last == broken_report().verdict
    assert "To blame is quantization (float32 → int8)" in last


def test_table_lists_the_demands_only_where_there_is_more_than_accuracy() -> None:
    assert "asked of" not in report_table(small_report())
    table = report_table(broken_report())
    assert re.search(
        r"^int8 +agreement: at least 97 % of the answers +[\d.]+ % +broken$", table, re.M
    )


def test_table_tells_of_unchanged_models_in_a_line() -> None:
    report = chain_report(noise=(0.0, 0.0))
    table = report_table(report)
    assert "\n\nfloat32: no answer changed\n" in table
    assert "\n\nint8: exactly as float32\n" in table


def test_table_tells_of_confidences_that_changed_though_no_answer_did() -> None:
    labels = np.array([0, 1, 2] * 100)
    hashes = np.array([f"{index:064x}".encode() for index in range(300)], "S64")

    def sure(confidence: float, model: str) -> Predictions:
        rest = (1 - confidence) / 2
        rows = np.where(np.eye(3, dtype=bool)[labels], confidence, rest).astype(np.float32)
        return Predictions(rows, labels, hashes, ("cat", "dog", "bird"), {"model": model})

    table = report_table(compare(sure(0.7, "full"), [sure(0.9, "int8")]))
    assert "int8: no answer changed\n  calibration error 30.0 → 10.0 %" in table
    assert "  At 0.80: 100.0 points more accepted.\n" in table


def test_table_names_the_classes_without_images() -> None:
    labels = np.zeros(10, np.int64)
    hashes = np.array([f"{index:064x}".encode() for index in range(10)], "S64")
    names = ("cat", *(f"class {index}" for index in range(1, 8)))
    rows = np.eye(8, dtype=np.float32)[labels]
    full, int8 = (Predictions(rows, labels, hashes, names, {"model": m}) for m in ("full", "int8"))
    first = report_table(compare(full, [int8])).split("\n\n")[0]
    assert first.replace("\n", " ") == (
        "10 test images, 8 classes; none of the images is: class 1, class 2, class 3, class 4, "
        "class 5 and 2 more"
    )
    assert "10 test images; none of them is: `class 1`, " in report_markdown(compare(full, [int8]))


def test_table_says_when_no_class_changed_beyond_chance() -> None:
    lines = report_table(small_report()).splitlines()
    start = lines.index("int8: 70.0 % [34.8–93.3] the same; equally accurate: p = 1 (McNemar)")
    # Clopper-Pearson's interval of 7/10; Tango's of 2 lost of 5.
    assert re.fullmatch(r"  cat  100.0 →  60.0 %   −40.0 points \(−.+\), p 1", lines[start + 1])
    assert lines[start + 2] == "  no class changed beyond chance (Holm)"


@pytest.mark.parametrize("size_bytes", [1, 9_876_543_210])
@pytest.mark.parametrize("columns", [72, 80, 100])
def test_table_stays_within_its_columns_whatever_the_names_and_sizes(
    size_bytes: int, columns: int
) -> None:
    report = chain_report(
        classes=3,
        noise=(0.1, 2.0),
        names=("W" * 300, "猫" * 200, "كنزة صوفية"),
        models=("full" * 40, "a very long name that ends on Monday", "模型" * 60),
        contract=Contract(Margins(accuracy=0.01, class_recall=0.1)),
        size_bytes=size_bytes,
        backend="b" * 400,
    )
    assert max(width(line) for line in report_table(report, columns).splitlines()) <= columns


def test_a_narrow_table_keeps_what_decides() -> None:
    lines = report_table(broken_report(), 80).splitlines()
    assert max(map(width, lines)) <= 80
    assert [line.split()[-1] for line in lines[5:8]] == ["reference", "holds", "broken"]
    assert any(line.startswith("quantization ◄ to blame  float32 → int8") for line in lines)


def test_long_names_that_clash_stay_apart() -> None:
    stem = "a very long name of a model that was trained on "
    report = chain_report(models=("full", stem + "Monday", stem + "Tuesday"))
    table = report_table(report)
    assert "Monday" in table.split("step ")[0]
    assert "Tuesday" in table.split("step ")[0]


def test_table_leaves_out_columns_that_nobody_measured() -> None:
    labels = [0, 1] * 10
    full = answering(labels, labels, ("a", "b"), "full")
    table = report_table(compare(full, [answering(labels, labels, ("a", "b"), "int8")]))
    assert "bytes" not in table
    assert "µs" not in table


def test_names_cannot_steer_the_terminal() -> None:
    full = answering([0, 1], [0, 1], HOSTILE, "full")
    table = report_table(compare(full, [answering([1, 0], [0, 1], HOSTILE, "int8\x1b]0;\n")]))
    assert "\x1b" not in table
    assert "int8\ufffd]0;\ufffd" in table


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


# The picture of the chain and the charts.


def test_the_chain_names_each_model_and_step_for_those_who_cannot_see_it() -> None:
    html = report_html(broken_report(), None)
    spoken = re.findall(r'class="chain (\w+)" role="img" aria-label="([^"]*)"', html)
    assert [kind for kind, _ in spoken] == ["tall", "wide"]
    assert spoken[0][1] == spoken[1][1]
    assert re.fullmatch(
        r"full, [\d.]+ % right; conversion to float32: no flips, [\d.]+ % right; "
        r"quantization to int8: \d+ flips, [\d.]+ % right",
        spoken[0][1],
    )


def test_only_the_blamed_arrow_is_marked() -> None:
    html = report_html(broken_report(), None)
    arrows = re.findall(r'<path class="(arrow[^"]*)"', html)
    assert arrows == ["arrow", "arrow-head", "arrow blamed", "arrow-head blamed"] * 2


def test_a_tree_of_models_is_drawn_with_each_below_what_it_was_made_from() -> None:
    labels = [0, 1] * 10

    def of(model: str, scheme: str, digest: str, **details: Any) -> Predictions:
        known = {"scheme": scheme, "model_sha256": digest, **details}
        return answering(labels, labels, ("a", "b"), model, **known)

    report = compare(
        of("full", "keras", "0"),
        [
            of("float32", "float32", "1"),
            of("float16", "float16", "2"),
            of("int8", "int8", "3", cpu="Xeon"),
            of("int8 on the Pi", "int8", "3", cpu="Cortex-A72"),
        ],
    )
    assert [step.before for step in report.steps] == [0, 1, 1, 3]
    html = report_html(report, None)
    wide = html[html.index('class="chain wide"') :]
    boxes = re.findall(r'<rect class="box \w+" x="(\d+)" y="(\d+)"', wide)
    columns = [int(x) for x, _ in boxes]
    heights = [int(y) for _, y in boxes]
    assert len(set(columns)) == 4
    assert columns[2] == columns[3] < columns[4]
    assert heights[2] < heights[0] == heights[1] < heights[3] == heights[4]


def test_a_long_chain_runs_downwards_on_wide_pages_too() -> None:
    labels = [0, 1] * 10
    places = ("float32", "int8", "on the host", "on the Pi", "on the old Pi")
    report = compare(
        answering(labels, labels, ("a", "b"), "full", scheme="keras", model_sha256="0"),
        [
            answering(labels, labels, ("a", "b"), name, scheme=scheme, **details)
            for name, (scheme, details) in zip(
                places,
                [
                    ("float32", {"model_sha256": "1"}),
                    ("int8", {"model_sha256": "2", "cpu": "Xeon", "kernels": "XNNPACK"}),
                    ("int8", {"model_sha256": "2", "cpu": "Xeon", "kernels": "built-in"}),
                    ("int8", {"model_sha256": "2", "cpu": "A76", "kernels": "built-in"}),
                    ("int8", {"model_sha256": "2", "cpu": "A53", "kernels": "built-in"}),
                ],
                strict=True,
            )
        ],
    )
    html = report_html(report, None)
    wide = html[html.index('class="chain wide"') :]
    boxes = re.findall(r'<rect class="box \w+" x="(\d+)" y="(\d+)" width="(\d+)"', wide)
    assert len(boxes) == 6
    assert len({y for _, y, _ in boxes}) == 6
    assert all(int(x) + int(wide) == 1109 for x, _, wide in boxes)


def test_a_label_without_room_names_what_changed_instead_of_cutting_it() -> None:
    here = {"backend": "ai-edge-litert", "backend_version": "2.3.0", "kernels": "XNNPACK"}
    there = {"backend": "tflite-runtime", "backend_version": "2.14.0", "kernels": "built-in"}
    report = compare(
        answering([0, 1], [0, 1], ("a", "b"), "host", scheme="int8", model_sha256="1", **here),
        [answering([0, 1], [0, 1], ("a", "b"), "Pi", scheme="int8", model_sha256="1", **there)],
    )
    html = report_html(report, None)
    wide = html[html.index('class="chain wide"') : html.index("</svg>", html.index("chain wide"))]
    assert ">runtime, kernels</text>" in wide
    assert "ai-edge-litert 2.3.0 → tflite-runtime 2.14.0, XNNPACK → built-in" in html


def test_the_limit_and_each_difference_are_in_the_chart() -> None:
    html = report_html(broken_report(), None)
    chart = html[html.index('<svg class="chart"') :]
    chart = chart[: chart.index("points of accuracy, against the full model")]
    assert "limit: 1 point lost" in chart
    assert chart.count('class="dot holds"') + chart.count('class="dot inconclusive"') == 1
    assert chart.count('class="dot broken"') == 1


def test_reliability_counts_every_image_in_both_models() -> None:
    report = broken_report()
    html = report_html(report, None)
    diagram = html[html.index('class="reliability"') :]
    counts = [int(text) for text in re.findall(r'<text class="count"[^>]*>(\d+)<', diagram)[:20]]
    assert sum(counts[:10]) == sum(counts[10:]) == 1000


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
