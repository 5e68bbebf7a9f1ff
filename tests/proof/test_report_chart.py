"""The picture of the chain and the charts on the page."""

import re
from typing import Any

from reports import answering, broken_report

from edge_runtime.data.predictions import Predictions
from edge_runtime.inference.comparing import compare
from edge_runtime.proof.report import report_html


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
