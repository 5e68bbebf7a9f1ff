"""The report for CI systems."""

from collections import Counter
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reports import DEMANDING, chain_report, three_decisions

from edge_runtime.proof.parity import Budgets, Contract, Margins
from edge_runtime.proof.report import report_junit

# What the schema that Jenkins publishes (junit-10.xsd) allows of what is used here.
ATTRIBUTES = {
    "testsuites": {"name", "tests", "failures", "errors", "time"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time"},
    "testcase": {"name", "classname", "time"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
    "system-out": set(),
}
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"testcase", "system-out"},
    "testcase": {"failure", "error", "system-out"},
}


def parsed(report: object) -> ET.Element:
    return ET.fromstring(report_junit(report).encode("utf-8"))  # type: ignore[arg-type]


def assert_shape(root: ET.Element) -> None:
    assert root.tag == "testsuites"
    for element in root.iter():
        assert set(element.attrib) == ATTRIBUTES[element.tag]
        assert {child.tag for child in element} <= CHILDREN.get(element.tag, set())
    for group in [root, *root.iter("testsuite")]:
        cases = list(group.iter("testcase"))
        assert int(group.attrib["tests"]) == len(cases)
        assert int(group.attrib["failures"]) == len(list(group.iter("failure")))
        assert int(group.attrib["errors"]) == len(list(group.iter("error")))


def test_a_suite_for_each_model_and_step_and_a_case_for_each_demand() -> None:
    root = parsed(chain_report(contract=DEMANDING))
    assert_shape(root)
    assert {suite.attrib["name"]: len(suite.findall("testcase")) for suite in root} == {
        "model float32": 4,
        "model int8": 6,
        "step conversion, full → float32": 1,
        "step quantization, float32 → int8": 2,
    }
    assert [case.attrib["name"] for case in root[1].findall("testcase")] == [
        "accuracy: a loss of at most 1 point",
        "agreement: at least 97 % of the answers",
        "recall of every class: a loss of at most 10 points",
        "Brier score: a rise of at most 0.02",
        "size: at most 40,000 bytes",
        "time per image: at most 500 µs",
    ]


def test_broken_is_a_failure_and_inconclusive_an_error_so_that_neither_is_green() -> None:
    report = three_decisions()
    root = parsed(report)
    checks = [check for item in report.comparisons for check in item.checks]
    checks += [check for checks in report.step_checks for check in checks]
    expected = Counter(check.decision for check in checks)
    assert root.attrib["failures"] == str(expected["broken"])
    assert root.attrib["errors"] == str(expected["inconclusive"])
    assert {failure.attrib["type"] for failure in root.iter("failure")} == {"broken"}
    assert {error.attrib["type"] for error in root.iter("error")} == {"inconclusive"}
    assert not list(root.iter("skipped"))


def test_an_outcome_says_what_was_found_and_how_many_images_would_decide() -> None:
    root = parsed(chain_report(images=50, noise=(0, 0)))
    error = next(root.iter("error"))
    assert error.text == error.attrib["message"]
    assert (error.text or "").startswith("float32 changes by 0.0 points of accuracy (95 % interval")
    assert "The whole report needs at least 476 images." in (error.text or "")


def test_names_of_cases_are_the_same_whatever_was_found() -> None:
    def names(noise: tuple[float, float]) -> list[tuple[str, str]]:
        cases = parsed(chain_report(noise=noise, contract=DEMANDING)).iter("testcase")
        return [(case.attrib["classname"], case.attrib["name"]) for case in cases]

    assert names((0, 0)) == names((0.02, 3))
    assert len(set(names((0, 0)))) == len(names((0, 0)))


def test_a_broken_budget_is_a_failure() -> None:
    root = parsed(chain_report(contract=Contract(Margins(), Budgets(size_bytes=38_000))))
    (suite,) = root
    assert suite.attrib["name"] == "model int8"
    assert [failure.attrib["message"] for failure in suite.iter("failure")] == [
        "int8 is 39,000 bytes, above the budget of 38,000."
    ]


def test_nothing_demanded_is_no_test() -> None:
    assert_shape(parsed(chain_report(contract=Contract(Margins()))))


@settings(max_examples=25, deadline=None)
@given(st.text(min_size=1, max_size=80), st.text(min_size=1, max_size=80))
def test_any_name_gives_xml_that_every_parser_takes(model: str, name: str) -> None:
    report = chain_report(
        images=60,
        classes=3,
        noise=(0, 3),
        names=(name, "other", "third"),
        models=("full", "float32", model),
        contract=Contract(Margins(accuracy=0.01, class_recall=0.01)),
    )
    assert_shape(parsed(report))


@pytest.mark.parametrize(
    "name", ["a\x00b", "\x1b[31m", "\ufffe", "\ud800", "a\nb", "]]>", "<&\"'>"]
)
def test_what_xml_cannot_hold_is_replaced(name: str) -> None:
    root = parsed(chain_report(images=60, models=("full", "float32", name)))
    assert_shape(root)
    suite = root[1].attrib["name"]
    assert suite == "model " + "".join(
        letter if letter.isprintable() else "\ufffd" for letter in name
    )


def test_the_same_report_gives_the_same_bytes_and_says_its_encoding() -> None:
    text = report_junit(chain_report(images=50))
    assert text == report_junit(chain_report(images=50))
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites ')
