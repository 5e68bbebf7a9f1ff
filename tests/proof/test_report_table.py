"""The report for a terminal."""

import re

import numpy as np
import pytest
from pages import HOSTILE, width
from reports import answering, broken_report, chain_report, small_report

from edge_runtime.data.predictions import Predictions
from edge_runtime.inference.comparing import compare
from edge_runtime.proof.parity import Contract, Margins
from edge_runtime.proof.report import report_markdown, report_table


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
