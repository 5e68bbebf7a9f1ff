"""The report for CI systems: JUnit's XML, in which every demand is a test case."""

from xml.etree import ElementTree as ET

from edge_runtime.proof.parity import Check, Judgement
from edge_runtime.proof.parity.verdict import remark
from edge_runtime.proof.report.demands import DemandGroup, demand_groups, demanded, found
from edge_runtime.wording import printable

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'


def report_junit(report: Judgement) -> str:
    """Return a report as JUnit XML, without a newline at the end.

    There is a test suite for each model and for each step of which something is asked, and a test
    case for each demand. A broken demand is a <failure>, an inconclusive one an <error>: a
    <skipped> test would let Jenkins and GitLab pass. Test cases have the same names from run to
    run, and nothing is timed, so the same predictions give the same bytes.
    """
    suites = [_suite(group, report) for group in demand_groups(report)]
    keys = ("tests", "failures", "errors")
    totals = {key: str(sum(int(suite.attrib[key]) for suite in suites)) for key in keys}
    root = ET.Element("testsuites", {"name": "parity", **totals, "time": "0"})
    root.extend(suites)
    ET.indent(root)
    return _DECLARATION + ET.tostring(root, encoding="unicode")


def _suite(group: DemandGroup, report: Judgement) -> ET.Element:
    name = printable(f"{group.kind} {group.name}")
    cases = [_case(name, check, group, report) for check in group.checks]
    if group.kind == "step":
        present = ET.Element("testcase", name="the chain has this step", classname=name, time="0")
        cases.insert(0, present)
    suite = ET.Element(
        "testsuite",
        name=name,
        tests=str(len(cases)),
        failures=str(sum(case.find("failure") is not None for case in cases)),
        errors=str(sum(case.find("error") is not None for case in cases)),
        skipped="0",
        time="0",
    )
    suite.extend(cases)
    for item in report.comparisons:
        sentence = remark(item, report.contract.confidence)
        if sentence and group.kind == "model" and item.model == group.model:
            ET.SubElement(suite, "system-out").text = printable(sentence)
    return suite


def _case(suite: str, check: Check, group: DemandGroup, report: Judgement) -> ET.Element:
    case = ET.Element("testcase", name=demanded(check), classname=suite, time="0")
    sentence = printable(found(check, group, report))
    if check.decision == "holds":
        ET.SubElement(case, "system-out").text = sentence
        return case
    kind = "failure" if check.decision == "broken" else "error"
    outcome = ET.SubElement(case, kind, {"type": check.decision, "message": sentence})
    outcome.text = sentence
    return case
